"""The past, for a while: Django's clock set back so that the rooms' own actions write history.

Actions and model defaults ask `django.utils.timezone.now`, some through a reference taken when their class was made.
So it is not that function which is replaced but the `datetime` it asks, in its module alone and only inside the block.
Nothing else of the process notices: ids, leases and the database keep the true time. Not for threads: one loader, one clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from unittest.mock import patch

from django.utils import timezone


class Clock:
    """A clock that stands where it was put, and only ever moves forward."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def move_to(self, moment: datetime) -> None:
        """Go to a later moment. Raises ValueError for an earlier one: a history is written in its order."""
        if moment < self.moment:
            raise ValueError(f"{moment} lies before {self.moment}.")
        self.moment = moment

    def wait(self, **span: float) -> datetime:
        """Let some time pass and return the moment after it."""
        self.moment += timedelta(**span)
        return self.moment


@contextmanager
def set_back(start: datetime) -> Iterator[Clock]:
    """Let `timezone.now()` answer with a clock that begins at `start`, until the block ends."""
    clock = Clock(start)

    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return clock.moment.astimezone(tz)

    with patch.object(timezone, "datetime", Then):
        yield clock
