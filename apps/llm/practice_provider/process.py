"""Running the practice provider as a process of its own, for tests and for the demo."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 15.0
STOP_SECONDS = 5.0


class NotStartedError(RuntimeError):
    """The provider did not come up."""


def command(port: int = 0, **flags: object) -> list[str]:
    """Return the command that serves the provider with the given flags, such as `latency_ms=50`."""
    parts = [sys.executable, "-m", "apps.llm.practice_provider", "--port", str(port)]
    for name, value in flags.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            parts.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            parts += [f"--{flag}", str(value)]
    return parts


@contextmanager
def running(port: int = 0, **flags: object) -> Iterator[str]:
    """Serve the provider while the block runs and give its base URL; raise NotStartedError."""
    process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
        [*command(port, **flags), "--until-stdin-closes"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    try:
        yield _address(process)
    finally:
        stop(process)


@contextmanager
def running_command(parts: Sequence[str], url: str) -> Iterator[str]:
    """Run another provider's command while the block runs; it must answer at `url`. Raise NotStartedError."""
    process = subprocess.Popen(parts, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 - given by whoever runs the tests
    try:
        wait_until_up(url, process)
        yield url
    finally:
        stop(process)


def wait_until_up(url: str, process: subprocess.Popen[str]) -> None:
    """Return when the provider answers; raise NotStartedError when it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/v1/models", timeout=1):  # noqa: S310 - always http to loopback
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
    raise NotStartedError(f"no provider at {url}")


def stop(process: subprocess.Popen[str]) -> None:
    """End the process and collect it."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _address(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if " on http" not in line:
        said = process.stderr.read() if process.stderr else ""
        raise NotStartedError(f"the practice provider did not start: {said.strip()}")
    url = line.rsplit(" ", 1)[1].strip()
    wait_until_up(url, process)
    return url


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
