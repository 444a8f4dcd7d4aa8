"""The web process as it is deployed, over the test database."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from llmops_site.running import ports

ROOT = Path(__file__).resolve().parents[2]


def database_url(name: str | None = None) -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{name or connection.settings_dict['NAME']}"))


@contextlib.contextmanager
def web(**environment: str) -> Iterator[str]:
    """Serve until the block ends; yield the address."""
    port = ports.next_free("127.0.0.1", 8350)
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--blocking-threads", "4", "--no-ws", "--log-level", "warning", "llmops_site.wsgi:application"]
    # What was fetched is written down at the end only: a test that empties its tables should meet nobody.
    variables = {"DJANGO_SETTINGS_MODULE": "llmops_site.settings", "FETCHES_WRITTEN_EVERY": "3600"}
    variables |= {"DATABASE_URL": database_url(), "DATABASE_POOL": "4", "LOG_LEVEL": "ERROR", **environment}
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **variables}, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server with its workers: politely, else at once, as `manage.py up` does."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def _wait(url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("The server did not start.")
