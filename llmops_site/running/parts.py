"""A part is a process that the desk needs; a child is a part while it runs."""
# ruff: noqa: S603  (every command line here is made of our own parts)

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_site.running import processes

LOUD = re.compile(r"\b(ERROR|CRITICAL|FATAL|PANIC|Traceback)\b")
LOUD_LEVELS = {"warning", "error", "critical"}
LOG_LIMIT = 10 * 1024 * 1024
COLOURS = {"database": 34, "web": 32, "stream": 32, "worker": 33, "clock": 31, "schedule": 35, "models": 36}


@dataclass(frozen=True)
class Part:
    """How to start a process, and how to end it."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    # What ends it in order, and what the kernel sends when we die without a word.
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0
    # The others still write while they stop.
    stops_last: bool = False

    def start(self, log_folder: Path) -> "Child":
        """Start the process in a session of its own, so that Ctrl-C in the terminal reaches us alone."""
        path = log_folder / f"{self.name}.log"
        _rotate(path)
        path.touch()
        options: dict[str, Any] = {
            "env": {**os.environ, **self.environment},
            "start_new_session": True,
            "preexec_fn": processes.leash(self.orphan_signal),
            "stdin": subprocess.DEVNULL,
            **self.options,
        }
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        assert process.stdout is not None  # noqa: S101  (it is a pipe; this is for the type checker)
        os.set_blocking(process.stdout.fileno(), False)
        return Child(self, process, path, processes.identify(process.pid))


@dataclass
class Child:
    """A running part, its log and the beginning of a line it has not finished."""

    part: Part
    process: subprocess.Popen[bytes]
    log: Path
    identity: processes.Identity | None
    _rest: bytes = b""

    @property
    def output(self) -> int:
        assert self.process.stdout is not None  # noqa: S101  (as above)
        return self.process.stdout.fileno()

    def read(self) -> tuple[list[str], bool]:
        """Move what the process said into its log; return the finished lines, and whether it may say more."""
        try:
            data = os.read(self.output, 65536)
        except BlockingIOError:
            return [], True
        with self.log.open("ab") as file:
            file.write(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode(errors="replace") for line in lines], bool(data)

    def signal(self, number: int) -> None:
        """Signal the whole group: a server's own workers as well."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def ask_to_stop(self) -> None:
        """Tell the process alone: it ends its own workers in order."""
        self.process.send_signal(self.part.stop_signal)

    def end_of(self) -> str:
        """Say how it ended."""
        code = self.process.returncode
        return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def loud(line: str) -> str | None:
    """Return what the console should show of a log line; None for the everyday ones."""
    if line.startswith("{"):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {}
        if isinstance(entry, dict) and "event" in entry:
            return str(entry["event"]) if str(entry.get("level", "")).lower() in LOUD_LEVELS else None
    return line if LOUD.search(line) else None


def prefixed(name: str, text: str, *, colour: bool) -> str:
    mark = f"{name:>8} |"
    return f"\033[{COLOURS.get(name, 37)}m{mark}\033[0m {text}" if colour else f"{mark} {text}"


def _rotate(path: Path) -> None:
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
