"""The ledger's months. A charge whose month has no partition is refused, so partitions are made before they are needed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.core.append_only import TRUNCATE_GUARD
from apps.core.errors import DomainError
from apps.core.ids import uuid7_floor

AHEAD = timedelta(days=92)
BEHIND = timedelta(days=31)
LOCK = 0x6A11E9
GUARD_IS_OFF = "SELECT 1 FROM pg_trigger WHERE tgrelid = 'costs_charge'::regclass AND tgname = %s AND tgenabled = 'D'"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_known: set[str] = set()


class MonthLetGo(DomainError):
    """The charges of that month were let go, so another one cannot be told from a repeat."""

    code = "month-let-go"


def months(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the first moments (UTC) of the months that [start, end] touches."""
    month = start.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= end:
        yield month
        month = after(month)


def after(month: datetime) -> datetime:
    """Return the first moment of the month that follows."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def name_of(month: datetime) -> str:
    return f"costs_charge_{month:%Y_%m}"


def ensure(start: datetime, end: datetime, *, using: BaseDatabaseWrapper | None = None) -> list[str]:
    """Create the partitions that are missing for charges of [start, end]; return the names of the new ones.

    Works inside the caller's transaction or on its own; two callers at once make each partition once.
    """
    wanted = {name_of(month): month for month in months(start, end)}
    unsure = {name: month for name, month in wanted.items() if name not in _known}
    if not unsure:
        return []
    database: Any = using or connection
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        missing = _missing(cursor, list(unsure))
        if missing:
            take_lock(cursor)
            missing = _missing(cursor, missing)
            for name in missing:
                _create(cursor, name, unsure[name])
    # Only what is committed is known: a roll-back would take the partition away, and our memory of it would lie.
    transaction.on_commit(lambda: _known.update(unsure), using=database.alias)
    return missing


def ensure_around(now: datetime, *, using: BaseDatabaseWrapper | None = None) -> list[str]:
    """Create the partitions for the present, the month before (unless it was let go) and the three ahead."""
    return ensure(max(now - BEHIND, floor(using=using)), now + AHEAD, using=using)


def take_lock(cursor: Any) -> None:
    """Let partitions come and go one at a time."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def forget() -> None:
    """Drop what this process remembers of partitions."""
    _known.clear()


def floor(*, using: BaseDatabaseWrapper | None = None) -> datetime:
    """Return the moment from which on every charge is still there."""
    with (using or connection).cursor() as cursor:
        cursor.execute("SELECT max(month) FROM costs_letgo")
        (month,) = cursor.fetchone()
    return after(datetime(month.year, month.month, 1, tzinfo=UTC)) if month else EPOCH


def _missing(cursor: Any, names: list[str]) -> list[str]:
    cursor.execute("SELECT name FROM unnest(%s::text[]) name WHERE to_regclass(name) IS NULL ORDER BY name", [names])
    return [row[0] for row in cursor.fetchall()]


def _create(cursor: Any, name: str, month: datetime) -> None:
    cursor.execute("SELECT 1 FROM costs_letgo WHERE month >= %s", [month.date()])
    if cursor.fetchone():
        raise MonthLetGo(f"The charges of {month:%B %Y} were let go; nothing can be booked there again.")
    # ATTACH waits for nobody who reads or writes; CREATE … PARTITION OF would lock the whole ledger.
    low, high = uuid7_floor(month), uuid7_floor(after(month))
    cursor.execute(f"CREATE TABLE {name} (LIKE costs_charge INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(f"ALTER TABLE costs_charge ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')")
    cursor.execute(
        f"CREATE TRIGGER {TRUNCATE_GUARD} BEFORE TRUNCATE ON {name} EXECUTE FUNCTION costs_refuse_truncate()"
    )
    # Switched off for the whole ledger (to load a backup, or to flush a test database), it is off for a new month too.
    cursor.execute(GUARD_IS_OFF, [TRUNCATE_GUARD])
    if cursor.fetchone():
        cursor.execute(f"ALTER TABLE {name} DISABLE TRIGGER {TRUNCATE_GUARD}")
