"""Where is it running: what each key fetched, counted in memory and written down some seconds later.

A fetch never waits for this and never fails because of it: what cannot be kept is dropped and said in the log.
"""

import atexit
import os
import threading
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import util

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

log = structlog.get_logger(__name__)

MOST = 50_000
# One key's fetch: prompt, the environment or label asked for, version, deployment.
Line = tuple[int, str, int, int | None]


@dataclass(frozen=True, eq=False)
class Fetched:
    """What one answer held. Answers that are sent again and again share one, so that counting them is one addition."""

    lines: tuple[Line, ...]


@dataclass
class Tally:
    first_at: datetime
    last_at: datetime
    count: int

    def add(self, other: "Tally") -> None:
        self.first_at = min(self.first_at, other.first_at)
        self.last_at = max(self.last_at, other.last_at)
        self.count += other.count


_lock = threading.Lock()
_tallies: dict[tuple[int, Line | Fetched], Tally] = {}
_writer_of = 0


def note(key_id: int, fetched: Fetched) -> None:
    """Remember that a key was sent this, and see to it that somebody writes it down."""
    what = fetched.lines[0] if len(fetched.lines) == 1 else fetched
    now = timezone.now()
    with _lock:
        tally = _tallies.get((key_id, what))
        if tally is not None:
            tally.last_at, tally.count = now, tally.count + 1
        elif len(_tallies) < MOST:
            _tallies[key_id, what] = Tally(now, now, 1)
    _see_to_a_writer()


def _see_to_a_writer() -> None:
    """Start the thread that writes, once in each process: a fork has our memory but not our threads."""
    global _writer_of
    if _writer_of == os.getpid() or not settings.FETCHES_WRITTEN_EVERY:
        return
    _writer_of = os.getpid()
    threading.Thread(target=_write_for_ever, name="fetches", daemon=True).start()
    # Servers end their workers in one of two ways, and either way is an end.
    atexit.register(flush)
    util.Finalize(None, flush, exitpriority=1)


def _write_for_ever() -> None:
    pause = threading.Event()
    while True:
        pause.wait(settings.FETCHES_WRITTEN_EVERY)
        flush()


def flush() -> None:
    """Write down what was noted, and give the connection back: who flushes has none to keep."""
    if not _tallies:
        return
    try:
        write_down()
    finally:
        connection.close()


def write_down() -> None:
    """Write down what was noted since the last time. What the database does not take now is tried again."""
    with _lock:
        noted = dict(_tallies)
        _tallies.clear()
    if not noted:
        return
    try:
        _write(_by_line(noted))
    except DatabaseError as error:
        log.warning("fetches not written", error=str(error).partition("\n")[0], lines=len(noted))
        _put_back(noted)


def forget() -> None:
    """Drop what was noted."""
    with _lock:
        _tallies.clear()


def _put_back(noted: dict[tuple[int, Line | Fetched], Tally]) -> None:
    with _lock:
        for what, tally in noted.items():
            if what in _tallies:
                _tallies[what].add(tally)
            elif len(_tallies) < MOST:
                _tallies[what] = tally


def _by_line(noted: dict[tuple[int, Line | Fetched], Tally]) -> dict[tuple[int, Line], Tally]:
    found: dict[tuple[int, Line], Tally] = {}
    for (key_id, what), tally in noted.items():
        for line in what.lines if isinstance(what, Fetched) else (what,):
            kept = found.setdefault((key_id, line), Tally(tally.first_at, tally.last_at, 0))
            kept.add(tally)
    return found


# In the order of the unique index, so that two processes that write at once wait for one another and never in a circle.
# What was deleted meanwhile is left out.
_WRITE = """
INSERT INTO prompts_fetch AS f (key_id, prompt_id, place, version_id, deployment_id, first_at, last_at, count)
SELECT n.key_id, n.prompt_id, n.place, n.version_id, n.deployment_id, n.first_at, n.last_at, n.count
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
    %s::bigint[]) AS n (key_id, prompt_id, place, version_id, deployment_id, first_at, last_at, count)
JOIN accounts_apikey k ON k.id = n.key_id
JOIN prompts_version v ON v.id = n.version_id AND v.prompt_id = n.prompt_id
ORDER BY n.prompt_id, n.key_id, n.place, n.version_id, n.deployment_id
ON CONFLICT (prompt_id, key_id, place, version_id, deployment_id) DO UPDATE
SET count = f.count + EXCLUDED.count, first_at = least(f.first_at, EXCLUDED.first_at),
    last_at = greatest(f.last_at, EXCLUDED.last_at)
"""


def _write(tallies: dict[tuple[int, Line], Tally]) -> None:
    rows = [
        (key_id, prompt_id, place, version_id, deployment_id, tally.first_at, tally.last_at, tally.count)
        for (key_id, (prompt_id, place, version_id, deployment_id)), tally in tallies.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [list(column) for column in zip(*rows, strict=True)])
