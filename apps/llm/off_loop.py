"""Work on the database for an event loop: a few threads do it, each with a connection of its own."""

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.db import connection, connections

THREADS = 8

Result = TypeVar("Result")
_threads: ThreadPoolExecutor | None = None


def _executor() -> ThreadPoolExecutor:
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(THREADS, thread_name_prefix="journal")
    return _threads


async def run(work: Callable[[], Result]) -> Result:
    """Return what `work` returns. A task that is cancelled meanwhile does not stop it."""
    job = partial(contextvars.copy_context().run, _with_database, work)
    return await asyncio.get_running_loop().run_in_executor(_executor(), job)


def _with_database(work: Callable[[], Result]) -> Result:
    connection.close_if_unusable_or_obsolete()
    try:
        return work()
    finally:
        if connection.settings_dict.get("OPTIONS", {}).get("pool"):
            connection.close()  # give it back: other threads borrow from the same pool


def start(work: Callable[[], Any]) -> None:
    """Have the work done by a thread, for whoever cannot wait any more: the loop itself may be about to end."""
    _executor().submit(_with_database, work)


_running: set[asyncio.Task[Any]] = set()


def keep_running(work: Coroutine[Any, Any, Any]) -> None:
    """Let the work go on by itself; the loop alone would let it be collected half way."""
    task = asyncio.get_running_loop().create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)


def close() -> None:
    """End the threads and their connections."""
    global _threads
    if _threads is None:
        return
    together = threading.Barrier(THREADS)  # so that no thread does two of these
    for job in [_threads.submit(_leave, together) for _ in range(THREADS)]:
        job.result()
    _threads.shutdown()
    _threads = None


def _leave(together: threading.Barrier) -> None:
    together.wait()
    connections.close_all()


def forget() -> None:
    """Leave the threads to the parent: a forked child has none of them."""
    global _threads
    _threads = None


os.register_at_fork(after_in_child=forget)
