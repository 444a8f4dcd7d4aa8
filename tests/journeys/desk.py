"""A whole desk of its own for the browser: database, web, worker, beat and practice provider, as `manage.py up` runs them."""

import fcntl
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
# What the test process has set up for itself must not leak into the desk.
FOREIGN = (
    "DATABASE_URL", "SECRET_KEY", "ENCRYPTION_KEYS", "GALLEY_VAR", "DJANGO_SETTINGS_MODULE", "CELERY_BROKER_URL",
    "CACHE_URL", "PUBLIC_URL", "STREAM_URL", "ALLOWED_HOSTS", "OUTBOUND_ALLOW", "GALLEY_TESTS",
)  # fmt: skip


@dataclass(frozen=True)
class Desk:
    url: str
    var: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return _environment(self.var, self.extra)

    def manage(self, *arguments: str) -> str:
        """Run a command beside the desk and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stage(self) -> dict[str, Any]:
        """Set the stage of the journeys, once for this desk, and return what they need."""
        kept = self.var / "stage.json"
        if kept.exists():
            known: dict[str, Any] = json.loads(kept.read_text())
            return known
        port = (self.var / "practice-port").read_text().strip()
        code = f"import runpy, sys; sys.argv = ['stage', 'http://127.0.0.1:{port}']; runpy.run_module('tests.journeys.stage', run_name='__main__')"
        done = self.manage("shell", "--no-imports", "-c", code)
        line = next(line for line in done.splitlines() if line.startswith("STAGE "))
        kept.write_text(line.removeprefix("STAGE "))
        staged: dict[str, Any] = json.loads(kept.read_text())
        return staged


@contextmanager
def running_desk(*options: str, **extra: str) -> Iterator[Desk]:
    """Start a desk (`options` as for `up`, `extra` joins its environment), wait until it answers, stop all of it."""
    var = Path(tempfile.mkdtemp(prefix="galley-desk-"))
    # As root, the database's own user must pass through, else its data would be kept elsewhere and outlive the folder.
    var.chmod(0o711)
    # What is told otherwise where its queue and cache are begins with nothing.
    if not options and not extra:
        _furnish(var)
    try:
        with _started(var, extra, *options) as url:
            yield Desk(url, var, extra)
    finally:
        shutil.rmtree(var, ignore_errors=True)


@contextmanager
def _started(var: Path, extra: dict[str, str], *options: str) -> Iterator[str]:
    port = _free_port()
    with (var / "up.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), *options],
            cwd=ROOT, env=_environment(var, extra), stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _wait(process, var / "up.txt")
            yield f"http://127.0.0.1:{port}"
            # Who ended before it was told to would only be known by refused connections.
            assert process.poll() is None, f"The desk ended by itself:\n{(var / 'up.txt').read_text()}"
        finally:
            process.terminate()
            process.wait(60)


def _furnish(var: Path) -> None:
    """Begin where a desk's first start ends, with a database whose tables are there; made once for all tests together."""
    shared = Path(os.environ["GALLEY_TESTS"])
    ready = shared / "furnished"
    with (shared / "furnished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            with _started(var, {}):
                pass
            # The queue's folder is made by who uses one, and two desks that remember one port would both take it.
            shutil.rmtree(var / "broker", ignore_errors=True)
            (var / "practice-port").unlink()
            subprocess.run(["cp", "-a", str(var), str(shared / "half")], check=True)
            (shared / "half").rename(ready)
            return
    # With its owners: the database's files are those of a user of its own.
    subprocess.run(["cp", "-a", f"{ready}/.", str(var)], check=True)


def _environment(var: Path, extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**kept, **extra, "GALLEY_VAR": str(var)}


def _free_port() -> int:
    """Return a port that nobody has, with some free ones behind it, below those that the system gives to who calls out."""
    while True:
        port = random.randrange(12_000, 30_000, 10)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the desk's own word: the web server answers earlier, while tables are still being made."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if "Galley runs at" in log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"The desk did not start:\n{log.read_text()}")
