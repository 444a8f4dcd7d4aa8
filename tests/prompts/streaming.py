"""The process that streams, run for tests as `manage.py up` runs it, and a browser's way of reading it."""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.prompts.models import Prompt
from llmops_site.running import ports

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "t" * 32
Event = tuple[str, dict[str, Any]]


@contextmanager
def running_streams() -> Iterator[str]:
    """Serve streams over the test database while the block runs."""
    port = ports.any_free()
    database = connection.settings_dict
    query = urlencode({"host": database["HOST"]})
    who = f"{database['USER']}:{quote(database['PASSWORD'])}"
    url = f"postgresql://{who}@/{database['NAME']}?{query}&port={database['PORT']}"
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "DATABASE_URL": url, "DATABASE_POOL": "12", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    process = subprocess.Popen(
        [*command, "--no-ws", "--log-level", "warning", "llmops_site.asgi:application"], cwd=ROOT, env=environment
    )
    try:
        _wait(f"http://127.0.0.1:{port}/healthz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the process for streams did not start")


class Listener:
    """One request for a stream, read event by event as they come."""

    def __init__(
        self, url: str, client: Client, prompt: Prompt, *, origin: str = "", is_open: bool = True, **fields: Any
    ) -> None:
        path = reverse("prompt_try_stream", kwargs={"workspace": prompt.workspace.slug, "prompt_id": prompt.pk})
        known = {"source": "v1", "model": "", "at": "0", "csrfmiddlewaretoken": TOKEN}
        body = urlencode({**known, **fields}, doseq=True)
        session = client.cookies.get(settings.SESSION_COOKIE_NAME)
        cookies = f"{settings.CSRF_COOKIE_NAME}={TOKEN}" + (f"; sessionid={session.value}" if session else "")
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=90)
        headers = {
            "Cookie": cookies,
            "Origin": origin or settings.PUBLIC_URL,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self.connection.request("POST", path, body, headers)
        self.times: list[float] = []
        if is_open:
            self.answer = self.connection.getresponse()
            self.status = self.answer.status
            self.headers = self.answer.headers

    def __iter__(self) -> Iterator[Event]:
        name = ""
        for line in iter(self.answer.readline, b""):
            key, _, value = line.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                self.times.append(time.monotonic())
                yield name, json.loads(value)

    def all(self) -> list[Event]:
        return list(self)

    def leave(self) -> None:
        """Hang up in the middle, as a closed tab does."""
        self.connection.close()
        if hasattr(self, "answer"):
            self.answer.close()
