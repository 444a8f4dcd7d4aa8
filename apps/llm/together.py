"""What many threads of a process want of the database at once: one of them asks for all, in one trip and one commit.

Rows that every call touches (its lane, the sums of the day) stay locked until the server has written to its disk. If
each thread came by itself, each would wait for the disk in turn, and those who wait would keep the server busy.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from django.db import connection as database

MOST = 32

Wish = TypeVar("Wish")
Result = TypeVar("Result")


class _Seat(Generic[Wish, Result]):
    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.is_tried = False
        self.results: list[Result] = []


class Together(Generic[Wish, Result]):
    """Grants wishes by `work`, which returns one result for each, in order, and does all of them or none."""

    def __init__(self, work: Callable[[Sequence[Wish]], Sequence[Result]]) -> None:
        self._work = work
        self.begin_anew()
        _all.add(self)

    def begin_anew(self) -> None:
        self._turn = threading.Lock()
        self._waiting: deque[_Seat[Wish, Result]] = deque()

    def grant(self, wish: Wish) -> Result:
        """Return the result. What fails in company is tried again alone, so that each hears of its own error only."""
        if database.in_atomic_block:  # others must not depend on how the transaction of this thread ends
            return self._work([wish])[0]
        seat: _Seat[Wish, Result] = _Seat(wish)
        self._waiting.append(seat)
        with self._turn:
            while not seat.is_tried:
                self._try([self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))])
        return seat.results[0] if seat.results else self._work([wish])[0]

    def _try(self, seats: Sequence[_Seat[Wish, Result]]) -> None:
        for seat in seats:
            seat.is_tried = True
        try:
            results = self._work([seat.wish for seat in seats])
        except Exception:  # whoever's it is hears of it when each is tried alone
            if len(seats) == 1:
                raise
            return
        for seat, result in zip(seats, results, strict=True):
            seat.results.append(result)


_all: "WeakSet[Together[Any, Any]]" = WeakSet()


def forget() -> None:
    """Leave the parent's threads to the parent: a forked child has none of them."""
    for one in _all:
        one.begin_anew()


os.register_at_fork(after_in_child=forget)
