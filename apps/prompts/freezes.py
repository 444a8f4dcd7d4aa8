"""When nothing may go live: weekly and dated windows, in the workspace's own time. Pure: the moment is passed in."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apps.core.errors import DomainError

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT = tuple(day[:3].lower() for day in DAYS)
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
# Windows that touch are one freeze: so many are joined before the answer is "until further notice".
MOST_JOINED = 60
_WRITTEN = re.compile(rf"({'|'.join(SHORT)}) ([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Weekly:
    """From one minute of the week to another, both counted from Monday midnight on the wall clock."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"between {spoken(self.start)} and {spoken(self.end)}"

    def around(self, at: datetime, zone: ZoneInfo) -> "Iterator[Hold]":
        """Yield the window of the week before, of this week and of the next."""
        here = at.astimezone(zone).date()
        monday = here - timedelta(days=here.weekday())
        for week in (-1, 0, 1):
            first = monday + timedelta(weeks=week)
            last = first + timedelta(weeks=self.end <= self.start)
            yield Hold(_instant(first, self.start, zone, min), _instant(last, self.end, zone, max), str(self))


@dataclass(frozen=True)
class Dated:
    """From one moment to another, once, for a reason."""

    start: datetime
    end: datetime
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Hold:
    """A stretch of time in which nothing may go live: the start belongs to it, the end does not."""

    start: datetime
    end: datetime
    reason: str

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end


def holding(weekly: Iterable[Weekly], dated: Iterable[Dated], at: datetime, zone: ZoneInfo) -> Hold | None:
    """Return the freeze that holds at a moment, up to where the last of those that touch it ends."""
    windows, once = tuple(weekly), tuple(dated)
    first = _at(windows, once, at, zone)
    if first is None:
        return None
    end = first.end
    for _ in range(MOST_JOINED):
        following = _at(windows, once, end, zone)
        if following is None:
            break
        end = following.end
    return Hold(first.start, end, first.reason)


def _at(weekly: tuple[Weekly, ...], dated: tuple[Dated, ...], at: datetime, zone: ZoneInfo) -> Hold | None:
    """Return the one window that ends last of those that hold at that moment."""
    holds = [hold for window in weekly for hold in window.around(at, zone)]
    holds += [Hold(one.start, one.end, one.reason) for one in dated]
    return max((hold for hold in holds if hold.holds(at)), key=lambda hold: hold.end, default=None)


def upcoming(weekly: Iterable[Weekly], dated: Iterable[Dated], at: datetime, zone: ZoneInfo) -> Hold | None:
    """Return the next freeze that begins after a moment, within the next week for weekly ones."""
    holds = [hold for window in weekly for hold in window.around(at, zone)]
    holds += [Hold(one.start, one.end, one.reason) for one in dated]
    return min((hold for hold in holds if hold.start > at), key=lambda hold: hold.start, default=None)


def _instant(monday: date, minutes: int, zone: ZoneInfo, choose: object) -> datetime:
    """Return the moment of a wall clock's minute. Of an hour that is missing or comes twice, the freeze gets more."""
    day, minute = divmod(minutes, DAY_MINUTES)
    wall = datetime.combine(monday + timedelta(days=day), time(*divmod(minute, 60)))
    readings = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(readings) if choose is min else max(readings)


def spoken(minutes: int) -> str:
    """Say a minute of the week: Friday 16:00."""
    day, minute = divmod(minutes, DAY_MINUTES)
    return f"{DAYS[day]} {minute // 60:02}:{minute % 60:02}"


def written(minutes: int) -> str:
    """Write a minute of the week as it is stored: fri 16:00."""
    return spoken(minutes).replace(DAYS[minutes // DAY_MINUTES], SHORT[minutes // DAY_MINUTES])


def read(text: str) -> int:
    """Return the minute of the week that `written` wrote. Raises DomainError for anything else."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise DomainError(f"{text[:40]} is not a time of the week. Write it like fri 16:00.")
    day, hour, minute = match.groups()
    return SHORT.index(day) * DAY_MINUTES + int(hour) * 60 + int(minute)


def free_minutes(weekly: Iterable[Weekly]) -> int:
    """Return how many minutes of a week the weekly windows leave open."""
    frozen: set[int] = set()
    for window in weekly:
        end = window.end if window.end > window.start else window.end + WEEK_MINUTES
        frozen.update(minute % WEEK_MINUTES for minute in range(window.start, end))
    return WEEK_MINUTES - len(frozen)
