"""Proof that the sums are the sums: charges recounted month by month in the database, and only differences come back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.accounts.models import Workspace
from apps.core.ids import time_of, uuid7_floor
from apps.costs import partitions
from apps.costs.filters import midnight
from apps.costs.ledger_sql import DAY_KEY, MONTH_KEY, SUMS, select_sums
from apps.costs.models import Charge

SOURCE = "(SELECT * FROM costs_charge WHERE workspace_id = %s AND id >= %s AND id < %s)"
TOTAL = f"SELECT count(*), coalesce(sum(c.cost), 0) FROM {SOURCE} c"  # noqa: S608  a constant


@dataclass(frozen=True)
class Difference:
    """A rollup row that is not what its charges add up to."""

    table: str
    key: str
    charged: Decimal | None
    summed: Decimal | None
    calls_charged: int | None
    calls_summed: int | None


@dataclass(frozen=True)
class MonthTotal:
    """What a workspace's month came to, and the rollup rows that do not agree."""

    workspace: Workspace
    month: date
    calls: int
    cost: Decimal
    differences: list[Difference]


def verify() -> Iterator[MonthTotal]:
    """Recount every month of every workspace that the ledger may hold; memory stays that of one month's differences."""
    span = _span()
    if span is None:
        return
    for workspace in Workspace.objects.order_by("id"):
        for month in partitions.months(span[0] - timedelta(days=2), span[1] + timedelta(days=2)):
            total = _month(workspace, month.date())
            if total.calls or total.differences:
                yield total


def _span() -> tuple[datetime, datetime] | None:
    """Return the moments between which charges or sums exist."""
    moments = [time_of(found) for found in (_edge("id"), _edge("-id")) if found]
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(day), max(day) FROM costs_spendday")
        days = [datetime.combine(day, datetime.min.time(), tzinfo=UTC) for day in cursor.fetchone() if day]
    every = moments + days
    return (min(every), max(every)) if every else None


def _edge(order: str) -> Any:
    return Charge.objects.order_by(order).values_list("pk", flat=True).first()


def _month(workspace: Workspace, month: date) -> MonthTotal:
    following = (month + timedelta(days=32)).replace(day=1)
    low, high = (uuid7_floor(midnight(day, workspace.zone)) for day in (month, following))
    source: list[Any] = [workspace.pk, low, high]
    with connection.cursor() as cursor:
        cursor.execute(TOTAL, source)
        calls, cost = cursor.fetchone()
        differences = [
            *_compare(cursor, "costs_spendday", "day", DAY_KEY, source, (month, following)),
            *_compare(cursor, "costs_spendmonth", "month", MONTH_KEY, source, (month, following)),
        ]
    return MonthTotal(workspace, month, calls, cost, differences)


def _compare(
    cursor: Any, table: str, period: str, key: dict[str, str], source: list[Any], days: tuple[date, date]
) -> Iterator[Difference]:
    names = ", ".join(key)
    shown = ", ".join(f"coalesce(a.{name}, b.{name})" for name in key)
    ours, theirs = (", ".join(f"{side}.{name}" for name in SUMS) for side in "ab")
    cursor.execute(
        f"SELECT concat_ws(' ', {shown}), a.cost, b.cost, a.calls, b.calls "  # noqa: S608
        f"FROM ({select_sums(key, SOURCE)}) a FULL JOIN "
        f"(SELECT * FROM {table} WHERE workspace_id = %s AND {period} >= %s AND {period} < %s) b USING ({names}) "
        f"WHERE ({ours}) IS DISTINCT FROM ({theirs})",
        [*source, source[0], *days],
    )
    for row in cursor:
        yield Difference(table, row[0], row[1], row[2], row[3], row[4])
