"""Waiting for a place in a lane, in this process: of many who want the same, one looks and the others wait for it.

The database decides; this only keeps a hundred threads of a run from asking it a hundred times. A place that is given
back here wakes the one who looks, so that it is taken again without a pause.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from apps.llm.errors import Busy
from apps.llm.governor import Ticket

Admitted = TypeVar("Admitted")
Key = tuple[int, str]
AsyncKey = tuple[int, str, asyncio.AbstractEventLoop]
AnyKey = TypeVar("AnyKey", Key, AsyncKey)
PATIENCE_OF_PEOPLE = 60.0
PATIENCE_OF_BATCHES = 900.0


class Turnstile:
    """Where the threads of one party wait for one lane."""

    def __init__(self) -> None:
        self.head = threading.Lock()
        self.freed = threading.Event()
        self.waiting = 0


class AsyncTurnstile:
    """The same for the tasks of one event loop."""

    def __init__(self) -> None:
        self.head = asyncio.Lock()
        self.freed = asyncio.Event()
        self.waiting = 0


Either = TypeVar("Either", Turnstile, AsyncTurnstile)

# Only those are here at which somebody waits.
_turnstiles: dict[Key, Turnstile] = {}
_awaited: dict[AsyncKey, AsyncTurnstile] = {}
# Around every look at who waits, and every change of it: threads and loops come, go and wake each other at any moment.
_book = threading.Lock()


def patience_of(ticket: Ticket, wanted: float | None) -> float:
    """Return how many seconds the ticket's owner waits for a place."""
    if wanted is not None:
        return wanted
    return PATIENCE_OF_PEOPLE if ticket.is_interactive else PATIENCE_OF_BATCHES


def admitted(
    ticket: Ticket,
    patience: float,
    enter: Callable[[], Admitted | None],
    look_again: Callable[[Ticket, int], float],
) -> Admitted:
    """Return what `enter` returns once there is a place. Raises Busy when there is none for `patience` seconds."""
    key = (ticket.model_id, ticket.party)
    # Who comes while others wait goes behind them.
    if key not in _turnstiles and (found := enter()) is not None:
        return found
    give_up = time.monotonic() + patience
    turnstile = _come(_turnstiles, key, Turnstile)
    try:
        if not turnstile.head.acquire(timeout=patience):
            raise _busy()
        try:
            return _look(turnstile, ticket, give_up, enter, look_again)
        finally:
            turnstile.head.release()
    finally:
        _go(_turnstiles, key)


def _come(turnstiles: dict[AnyKey, Either], key: AnyKey, new: type[Either]) -> Either:
    with _book:
        turnstile = turnstiles.get(key) or turnstiles.setdefault(key, new())
        turnstile.waiting += 1
        return turnstile


def _go(turnstiles: dict[AnyKey, Either], key: AnyKey) -> None:
    """Leave, and drop the turnstile after the last one: there are as many as there were runs."""
    with _book:
        turnstiles[key].waiting -= 1
        if not turnstiles[key].waiting:
            del turnstiles[key]


def _look(
    turnstile: Turnstile,
    ticket: Ticket,
    give_up: float,
    enter: Callable[[], Admitted | None],
    look_again: Callable[[Ticket, int], float],
) -> Admitted:
    looks = 0
    while True:
        turnstile.freed.clear()
        if (found := enter()) is not None:
            return found
        if time.monotonic() >= give_up:
            raise _busy()
        turnstile.freed.wait(look_again(ticket, looks))
        looks += 1


async def admitted_async(
    ticket: Ticket,
    patience: float,
    enter: Callable[[], Awaitable[Admitted | None]],
    look_again: Callable[[Ticket, int], Awaitable[float]],
) -> Admitted:
    """Return what `enter` returns once there is a place. Raises Busy when there is none for `patience` seconds."""
    key = (ticket.model_id, ticket.party, asyncio.get_running_loop())
    if key not in _awaited and (found := await enter()) is not None:
        return found
    give_up = time.monotonic() + patience
    turnstile = _come(_awaited, key, AsyncTurnstile)
    try:
        await _head_of(turnstile, patience)
        try:
            return await _look_async(turnstile, ticket, give_up, enter, look_again)
        finally:
            turnstile.head.release()
    finally:
        _go(_awaited, key)


async def _head_of(turnstile: AsyncTurnstile, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await turnstile.head.acquire()
    except TimeoutError:
        raise _busy() from None


async def _look_async(
    turnstile: AsyncTurnstile,
    ticket: Ticket,
    give_up: float,
    enter: Callable[[], Awaitable[Admitted | None]],
    look_again: Callable[[Ticket, int], Awaitable[float]],
) -> Admitted:
    looks = 0
    while True:
        turnstile.freed.clear()
        # No time limit around this: a place that was taken while we are told to stop would be lost.
        if (found := await enter()) is not None:
            return found
        if time.monotonic() >= give_up:
            raise _busy()
        pause = await look_again(ticket, looks)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await turnstile.freed.wait()
        looks += 1


def given_back(model_id: int) -> None:
    """Wake those of this process who wait for the model. Never raises: whoever calls has an answer in hand."""
    with _book:
        threads = [turnstile for (model, _), turnstile in _turnstiles.items() if model == model_id]
        tasks = [(loop, turnstile) for (model, _, loop), turnstile in _awaited.items() if model == model_id]
    for turnstile in threads:
        turnstile.freed.set()
    for loop, waiting in tasks:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
            loop.call_soon_threadsafe(waiting.freed.set)


def _busy() -> Busy:
    return Busy("The model is busy and no place came free in time. Try again later, or raise the connection's limits.")


def forget() -> None:
    """Drop what a forked child must not share with its parent: its locks may be held."""
    global _book
    _book = threading.Lock()
    _turnstiles.clear()
    _awaited.clear()


os.register_at_fork(after_in_child=forget)
