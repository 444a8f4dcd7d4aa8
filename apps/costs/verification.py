"""Proof that the sums are the sums: charges recounted in the database, and only differences come back.

The proof is a chain. Charges are recounted by quarter of an hour, by day, by customer and by user; months and the other
dimensions are recounted from the days, which are cheaper to read and stand proved by then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.core.ids import time_of, uuid7_floor
from apps.costs import ledger_sums, partitions
from apps.costs.filters import midnight
from apps.costs.ledger_sql import (
    AXIS_KEY,
    CHARGE_AXES,
    DAY_AXES,
    DAY_KEY,
    HOUR_KEY,
    MONTH_KEY,
    SHORT,
    SUMS,
    select_charge_axes,
    select_day_axes,
    select_months,
    select_sums,
)
from apps.costs.models import Charge, Verification

SOURCE = "(SELECT * FROM costs_charge WHERE workspace_id = %s AND id >= %s AND id < %s)"
DAYS = "(SELECT * FROM costs_spendday WHERE workspace_id = %s AND day >= %s AND day < %s)"
TOTAL = f"SELECT count(*), coalesce(sum(c.cost), 0) FROM {SOURCE} c"  # noqa: S608  a constant
IN_DAYS = "workspace_id = %s AND day >= %s AND day < %s"
AT_ONCE = 200_000  # charges; more are recounted day by day, so that a busy month needs no more memory than a busy day
SHOWN = 100
MEMORY = "64MB"


@dataclass(frozen=True)
class Difference:
    """A rollup row that is not what its charges add up to."""

    table: str
    key: str
    charged: Decimal | None
    summed: Decimal | None
    calls_charged: int | None
    calls_summed: int | None

    def __str__(self) -> str:
        return (
            f"{self.table} [{self.key}]: charges {self.calls_charged or 0} = {self.charged or 0}, "
            f"sums {self.calls_summed or 0} = {self.summed or 0}"
        )


@dataclass(frozen=True)
class MonthTotal:
    """What a workspace's month came to, and the rollup rows that do not agree."""

    workspace: Workspace
    month: date
    calls: int
    cost: Decimal
    differences: list[Difference]


def verify(workspaces: Sequence[Workspace] | None = None) -> Iterator[MonthTotal]:
    """Recount every month that the ledger still holds and keep the outcome of each workspace as a Verification.

    Memory stays that of the differences of one month.
    """
    span = _span()
    for workspace in workspaces if workspaces is not None else Workspace.objects.order_by("id"):
        started, found = timezone.now(), list[MonthTotal]()
        for month in partitions.months(*span) if span else ():
            total = _month(workspace, month.date())
            if total.calls or total.differences:
                found.append(total)
                yield total
        _keep(workspace, started, found)


def _keep(workspace: Workspace, started: datetime, found: list[MonthTotal]) -> None:
    differences = [difference for total in found for difference in total.differences]
    Verification.objects.create(
        workspace=workspace,
        started_at=started,
        finished_at=timezone.now(),
        months=len(found),
        charges=sum(total.calls for total in found),
        cost=sum((total.cost for total in found), Decimal(0)),
        differences=len(differences),
        details=[str(difference) for difference in differences[:SHOWN]],
    )


def _span() -> tuple[datetime, datetime] | None:
    """Return the moments between which charges or sums exist that can be proved."""
    moments = [time_of(found) for found in (_edge("id"), _edge("-id")) if found]
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(day), max(day) FROM costs_spendday")
        days = [datetime.combine(day, datetime.min.time(), tzinfo=UTC) for day in cursor.fetchone() if day]
    every = moments + days
    if not every:
        return None
    # A month of the sums may stand a day apart from that of the charges, where the workspace's days begin elsewhere.
    return max(min(every), partitions.floor()) - timedelta(days=2), max(every) + timedelta(days=2)


def _edge(order: str) -> Any:
    return Charge.objects.order_by(order).values_list("pk", flat=True).first()


def _month(workspace: Workspace, month: date) -> MonthTotal:
    first = max(month, ledger_sums.first_provable_day(workspace.zone))
    following = (month + timedelta(days=32)).replace(day=1)
    if first >= following:
        return MonthTotal(workspace, month, 0, Decimal(0), [])
    with connection.cursor() as cursor:
        cursor.execute(TOTAL, _ids(workspace, first, following))
        calls, cost = cursor.fetchone()
        step = (following - first).days if calls <= AT_ONCE else 1
        differences: list[Difference] = []
        for day, until in _every(first, following, step):
            with transaction.atomic():
                # Enough to sort the charges of a busy day without the disk, and given back with the transaction.
                cursor.execute(f"SET LOCAL work_mem = '{MEMORY}'")
                differences += _charges(cursor, workspace, day, until)
        differences += _days(cursor, workspace, month, following)
    return MonthTotal(workspace, month, calls, cost, differences)


def _every(first: date, until: date, step: int) -> Iterator[tuple[date, date]]:
    while first < until:
        following = min(until, first + timedelta(days=step))
        yield first, following
        first = following


def _ids(workspace: Workspace, first: date, until: date) -> list[Any]:
    return [workspace.pk, *(uuid7_floor(midnight(day, workspace.zone)) for day in (first, until))]


def _charges(cursor: Any, workspace: Workspace, first: date, until: date) -> Iterator[Difference]:
    """Compare the charges of [first, until) with what is summed of them directly."""
    source = _ids(workspace, first, until)
    days = [workspace.pk, first, until]
    moments = [workspace.pk, *(midnight(day, workspace.zone) for day in (first, until))]
    recounted = select_sums(HOUR_KEY, SOURCE, SHORT), source
    within = "workspace_id = %s AND starts_at >= %s AND starts_at < %s", moments
    yield from _compare(cursor, "costs_spendhour", tuple(HOUR_KEY), tuple(SHORT), recounted, within)
    recounted, within = (select_sums(DAY_KEY, SOURCE), source), (IN_DAYS, days)
    yield from _compare(cursor, "costs_spendday", tuple(DAY_KEY), tuple(SUMS), recounted, within)
    recounted = select_charge_axes(SOURCE), source * len(CHARGE_AXES)
    within = f"{IN_DAYS} AND axis = ANY(%s)", [*days, list(CHARGE_AXES)]
    yield from _compare(cursor, "costs_spendaxis", AXIS_KEY, tuple(SHORT), recounted, within)


def _days(cursor: Any, workspace: Workspace, month: date, following: date) -> Iterator[Difference]:
    """Compare the days of a month with what is summed of them."""
    days = [workspace.pk, month, following]
    within = "workspace_id = %s AND month >= %s AND month < %s", days
    yield from _compare(cursor, "costs_spendmonth", tuple(MONTH_KEY), tuple(SUMS), (select_months(DAYS), days), within)
    within = f"{IN_DAYS} AND axis = ANY(%s)", [*days, list(DAY_AXES)]
    yield from _compare(cursor, "costs_spendaxis", AXIS_KEY, tuple(SHORT), (select_day_axes(DAYS), days), within)


def _compare(
    cursor: Any,
    table: str,
    key: tuple[str, ...],
    sums: tuple[str, ...],
    recounted: tuple[str, list[Any]],
    within: tuple[str, list[Any]],
) -> Iterator[Difference]:
    shown = ", ".join(f"coalesce(a.{name}, b.{name})" for name in key)
    # A row of zeros (what was booked and wholly taken back) is as good as no row.
    ours, theirs = (", ".join(f"coalesce({side}.{name}, 0)" for name in sums) for side in "ab")
    cursor.execute(
        f"SELECT concat_ws(' ', {shown}), a.cost, b.cost, a.calls, b.calls "  # noqa: S608
        f"FROM ({recounted[0]}) a FULL JOIN (SELECT * FROM {table} WHERE {within[0]}) b USING ({', '.join(key)}) "
        f"WHERE ({ours}) IS DISTINCT FROM ({theirs})",
        [*recounted[1], *within[1]],
    )
    for row in cursor:
        yield Difference(table, *row)
