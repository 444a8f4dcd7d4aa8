"""Keep the parts of the desk alive, pass on what they say, and end them in order. One thread, no event loop."""

import contextlib
import json
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from llmops_site.running import processes
from llmops_site.running.parts import Child, Part, loud, prefixed

CRASHES_ALLOWED = 5
WINDOW_SECONDS = 60.0
TICK_SECONDS = 0.1
LONGEST_PAUSE = 10.0


class Stopped(Exception):
    """Somebody asked us to stop."""


class GaveUp(Exception):
    """Say what does not run, and which log tells why."""


@dataclass
class Watch:
    """One part under watch: its process when it runs, when it crashed, when it may start again."""

    part: Part
    child: Child | None = None
    crashes: deque[float] = field(default_factory=deque)
    start_at: float = 0.0

    def note_crash(self, now: float) -> float | None:
        """Return how long to wait before the next start; None when it crashed too often."""
        self.crashes.append(now)
        while now - self.crashes[0] > WINDOW_SECONDS:
            self.crashes.popleft()
        if len(self.crashes) >= CRASHES_ALLOWED:
            return None
        return min(0.25 * 2.0 ** len(self.crashes), LONGEST_PAUSE)


class Supervisor:
    """Start parts in order, restart what crashes, stop them the database last."""

    def __init__(self, folder: Path, console: TextIO = sys.stdout) -> None:
        self.folder = folder
        self.logs = folder / "log"
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.console = console
        self.watches: list[Watch] = []
        self.stopping = False
        self._selector = selectors.DefaultSelector()
        self._record_path = folder / "processes.json"

    def say(self, text: str) -> None:
        # A console that went away (a closed terminal) is no reason to leave processes behind.
        with contextlib.suppress(OSError, ValueError):
            print(text, file=self.console, flush=True)

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Turn Ctrl-C, a polite kill and a closed terminal into a stop."""

        def ask(_number: int, _frame: object) -> None:
            self.stopping = True

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def add(self, part: Part) -> Watch:
        """Start a part and keep it running from now on."""
        watch = Watch(part)
        self.watches.append(watch)
        self._start(watch)
        return watch

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Go on supervising until the condition holds; return whether it came to hold. Raises Stopped and GaveUp."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.tick()
        return True

    def run_once(self, part: Part) -> str:
        """Run a part to its end while the others are supervised; return what it printed. Raises GaveUp when it fails."""
        child = part.start(self.logs)
        lines: list[str] = []
        more = True
        try:
            while more or child.process.poll() is None:
                self.tick(TICK_SECONDS / 5)
                said, more = child.read()
                lines += said
        finally:
            child.signal(signal.SIGKILL)
            child.process.wait()
        if child.process.returncode != 0:
            tail = "\n".join(lines[-3:])
            raise GaveUp(f"{part.name} failed ({child.end_of()}). {child.log} tells why:\n{tail}")
        return "\n".join(lines)

    def run(self) -> None:
        """Supervise until somebody asks to stop. Raises Stopped and GaveUp."""
        while True:
            self.tick()

    def tick(self, seconds: float = TICK_SECONDS) -> None:
        """Pass on what was said, notice who died, start who is due."""
        if self.stopping:
            raise Stopped
        self._pump(seconds)
        now = time.monotonic()
        for watch in self.watches:
            if watch.child is not None and watch.child.process.poll() is not None:
                self._bury(watch, now)
            elif watch.child is None and now >= watch.start_at:
                self._start(watch)

    def stop(self) -> None:
        """End every part: all at once, then the database that they still wrote to."""
        for last in (False, True):
            watches = [watch for watch in self.watches if watch.part.stops_last is last and watch.child]
            children = [watch.child for watch in watches if watch.child]
            for child in children:
                child.ask_to_stop()
            for child in children:
                self._await_end(child)
            for watch in watches:
                watch.child = None
        self._record()

    def _start(self, watch: Watch) -> None:
        watch.child = watch.part.start(self.logs)
        self._selector.register(watch.child.output, selectors.EVENT_READ, watch.child)
        self._record()

    def _bury(self, watch: Watch, now: float) -> None:
        child = watch.child
        if child is None:
            return
        self._pump(0)
        child.signal(signal.SIGKILL)  # what it left of its group would hold its port
        self._forget(child)
        watch.child = None
        pause = watch.note_crash(now)
        name, end = watch.part.name, child.end_of()
        if pause is None:
            raise GaveUp(f"{name} stopped {CRASHES_ALLOWED} times within a minute ({end}). {child.log} tells why.")
        watch.start_at = now + pause
        self.say(f"{name} stopped ({end}); starting it again.")

    def _pump(self, seconds: float) -> None:
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            child: Child = key.data
            lines, more = child.read()
            for line in filter(None, map(loud, lines)):
                self.say(prefixed(child.part.name, line, colour=self.console.isatty()))
            if not more:
                self._selector.unregister(child.output)

    def _await_end(self, child: Child) -> None:
        """Wait, then kill; keep reading meanwhile, for a full pipe would hold the process."""
        deadline = time.monotonic() + child.part.stop_seconds
        while child.process.poll() is None and time.monotonic() < deadline:
            self._pump(0.02)
        child.signal(signal.SIGKILL)
        child.process.wait()
        self._forget(child)

    def _forget(self, child: Child) -> None:
        if child.output in self._selector.get_map():
            self._selector.unregister(child.output)
        if child.process.stdout is not None:
            child.process.stdout.close()

    def _record(self) -> None:
        """Write down who runs, for the next start to find when this one is cut off."""
        alive = [watch.child.identity for watch in self.watches if watch.child and watch.child.identity]
        part = self._record_path.with_suffix(".part")
        part.write_text(json.dumps([asdict(identity) for identity in alive]))
        part.replace(self._record_path)


def sweep(folder: Path) -> list[processes.Identity]:
    """End what an earlier `up` started and could not stop; return whom. Only a process that is still the same one."""
    try:
        entries = json.loads((folder / "processes.json").read_text())
        identities = [processes.Identity(**entry) for entry in entries]
    except (OSError, ValueError, TypeError):
        return []
    left = [identity for identity in identities if identity.is_alive()]
    for identity in reversed(left):
        stop = signal.SIGINT if "postgres" in identity.command.split(" ")[0] else signal.SIGTERM
        processes.end(identity, [(stop, 10.0 if stop == signal.SIGINT else 3.0), (signal.SIGKILL, 5.0)])
    return left
