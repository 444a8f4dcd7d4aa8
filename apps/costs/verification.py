"""Proof that the sums are the sums: charges recounted in the database, and only differences come back.

The proof is a chain. Charges are recounted by quarter of an hour, by day, by customer and by user; months and the other
dimensions are recounted from the days, which are cheaper to read and stand proved by then, and so is what budgets have
spent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

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
from apps.costs.models import Budget, Charge, Verification

OURS = "workspace_id = %(workspace)s"
SOURCE = f"(SELECT * FROM costs_charge WHERE {OURS} AND id >= %(first_id)s AND id < %(end_id)s)"  # noqa: S608
IN_DAYS = f"{OURS} AND day >= %(first)s AND day < %(end)s"
IN_HOURS = f"{OURS} AND starts_at >= %(starts_at)s AND starts_at < %(ends_at)s"
IN_MONTH = f"{OURS} AND month >= %(first)s AND month < %(end)s"
DAYS = f"(SELECT * FROM costs_spendday WHERE {IN_DAYS})"  # noqa: S608
EXPECTED = f"SELECT coalesce(sum(calls), 0) FROM costs_spendday WHERE {IN_DAYS}"  # noqa: S608
# A day that is recounted alone needs no look at the clock for each of its charges.
ONE_DAY = "%(first)s::date"
AT_ONCE = 20_000  # charges; more are recounted day by day, so that a busy month needs no more memory than a busy day
SHOWN = 100
HELD_OTHERWISE = """
WITH held AS (
    SELECT period_id, sum(amount) AS amount FROM costs_reservation, unnest(period_ids) AS period_id
    WHERE workspace_id = %s AND state IN ('open', 'unpriced') GROUP BY 1
)
SELECT p.budget_id, p.starts_on, held.amount, p.reserved FROM costs_budgetperiod p
JOIN costs_budget b ON b.id = p.budget_id AND b.workspace_id = %s LEFT JOIN held ON held.period_id = p.id
WHERE p.reserved <> coalesce(held.amount, 0) ORDER BY 1, 2
"""
COUNTED = {**SUMS, "rows": "count(*)"}


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
        if of_budgets := _budgets(workspace):
            found.append(of_budgets)
            yield of_budgets
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
    calls, cost, differences = 0, Decimal(0), list[Difference]()
    with connection.cursor() as cursor:
        cursor.execute(EXPECTED, _span_of(workspace, first, following))
        step = (following - first).days if cursor.fetchone()[0] <= AT_ONCE else 1
        for day, until in _every(first, following, step):
            with transaction.atomic():
                ledger_sums.by_hashes()
                found = _charges(cursor, workspace, day, until)
            calls, cost, differences = calls + found.calls, cost + found.cost, differences + found.differences
        differences += _days(cursor, workspace, month, following)
    return MonthTotal(workspace, month, calls, cost, differences)


def _budgets(workspace: Workspace) -> MonthTotal | None:
    """Compare what budgets have spent and hold with their charges and reservations; None where all agree."""
    today = timezone.now().astimezone(workspace.zone).date()
    found: list[Difference] = []
    for budget in Budget.objects.live().filter(workspace=workspace).select_related("workspace").order_by("pk"):
        for starts_on, charged, said in ledger_sums.spent_otherwise(budget):
            found.append(Difference("costs_budgetperiod", f"{budget.pk} {starts_on} spent", charged, said, None, None))
    with connection.cursor() as cursor:
        cursor.execute(HELD_OTHERWISE, [workspace.pk, workspace.pk])
        for budget_id, starts_on, held, said in cursor.fetchall():
            found.append(Difference("costs_budgetperiod", f"{budget_id} {starts_on} held", held, said, None, None))
    return MonthTotal(workspace, today.replace(day=1), 0, Decimal(0), found) if found else None


def _every(first: date, until: date, step: int) -> Iterator[tuple[date, date]]:
    while first < until:
        following = min(until, first + timedelta(days=step))
        yield first, following
        first = following


def _span_of(workspace: Workspace, first: date, until: date) -> dict[str, Any]:
    """Return the values of a statement about [first, until): as days, as moments, as ids."""
    starts_at, ends_at = (midnight(day, workspace.zone) for day in (first, until))
    return {
        "workspace": workspace.pk,
        "first": first,
        "end": until,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "first_id": uuid7_floor(starts_at),
        "end_id": uuid7_floor(ends_at),
    }


class Recounted(NamedTuple):
    """What charges add up to, and the sums that do not agree."""

    calls: int
    cost: Decimal
    differences: list[Difference]


def _charges(cursor: Any, workspace: Workspace, first: date, until: date) -> Recounted:
    """Compare the charges of [first, until) with what is summed of them directly."""
    values = _span_of(workspace, first, until)
    day = ONE_DAY if until - first == timedelta(days=1) else DAY_KEY["day"]
    days, hours = select_sums({**DAY_KEY, "day": day}, SOURCE, COUNTED), select_sums(HOUR_KEY, SOURCE, SHORT)
    found, total = _compare(cursor, "costs_spendday", tuple(DAY_KEY), tuple(SUMS), days, IN_DAYS, values)
    found += _compare(cursor, "costs_spendhour", tuple(HOUR_KEY), tuple(SHORT), hours, IN_HOURS, values)[0]
    axes, within = select_charge_axes(SOURCE, day=day), f"{IN_DAYS} AND axis = ANY(%(axes)s)"
    values |= {"axes": list(CHARGE_AXES)}
    found += _compare(cursor, "costs_spendaxis", AXIS_KEY, tuple(SHORT), axes, within, values)[0]
    return Recounted(*total, found)


def _days(cursor: Any, workspace: Workspace, month: date, following: date) -> list[Difference]:
    """Compare the days of a month with what is summed of them."""
    values = {**_span_of(workspace, month, following), "axes": list(DAY_AXES)}
    months, axes = select_months(DAYS), select_day_axes(DAYS)
    found, _ = _compare(cursor, "costs_spendmonth", tuple(MONTH_KEY), tuple(SUMS), months, IN_MONTH, values)
    within = f"{IN_DAYS} AND axis = ANY(%(axes)s)"
    return found + _compare(cursor, "costs_spendaxis", AXIS_KEY, tuple(SHORT), axes, within, values)[0]


def _compare(
    cursor: Any,
    table: str,
    key: tuple[str, ...],
    sums: tuple[str, ...],
    recounted: str,
    within: str,
    values: dict[str, Any],
) -> tuple[list[Difference], tuple[int, Decimal]]:
    """Return the rows that differ, and how many rows were recounted and what they cost."""
    shown = ", ".join(f"coalesce(a.{name}, b.{name})" for name in key)
    # A row of zeros (what was booked and wholly taken back) is as good as no row.
    ours, theirs = (", ".join(f"coalesce({side}.{name}, 0)" for name in sums) for side in "ab")
    rows = "sum(a.rows)" if "rows" in recounted else "0"
    cursor.execute(
        f"WITH a AS MATERIALIZED ({recounted}) "  # noqa: S608
        f"SELECT NULL, coalesce(sum(a.cost), 0), NULL, coalesce({rows}, 0), NULL FROM a "
        f"UNION ALL SELECT concat_ws(' ', {shown}), a.cost, b.cost, a.calls, b.calls "
        f"FROM a FULL JOIN (SELECT * FROM {table} WHERE {within}) b USING ({', '.join(key)}) "
        f"WHERE ({ours}) IS DISTINCT FROM ({theirs})",
        values,
    )
    rows_of = cursor.fetchall()
    ((_, cost, _, calls, _),) = [row for row in rows_of if row[0] is None]
    return [Difference(table, *row) for row in rows_of if row[0] is not None], (int(calls), cost)
