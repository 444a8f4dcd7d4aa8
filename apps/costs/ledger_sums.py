"""Writes sums anew from what they are the sums of, while whoever books waits."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from apps.accounts.models import Workspace
from apps.core.ids import uuid7_floor
from apps.costs import partitions
from apps.costs.budgets import periods
from apps.costs.filters import midnight
from apps.costs.ledger_sql import (
    AXIS_KEY,
    CHARGE_AXES,
    COVERS,
    DAY_AXES,
    DAY_KEY,
    ENDS_ON,
    HOUR_KEY,
    LOCAL,
    MONTH_KEY,
    SHORT,
    STARTS_ON,
    SUMS,
    WITH_ZONE,
    add_sums,
    select_charge_axes,
    select_day_axes,
    select_months,
    select_sums,
    taken_away,
)
from apps.costs.models import Budget

CHARGES = "(SELECT * FROM costs_charge WHERE workspace_id = %s AND id >= %s)"
DAYS = "(SELECT * FROM costs_spendday WHERE workspace_id = %s)"
# One table alone: whoever books takes them all at once, in an order of its own.
MEMORY = "64MB"
STILL = "LOCK TABLE costs_spendday IN SHARE ROW EXCLUSIVE MODE"
IN_ZONE = "(SELECT %s::bigint AS id, %s::text AS time_zone) w"
_BY_DAYS = "(SELECT d.*, NULL AS customer FROM costs_spendday d WHERE d.workspace_id = %s AND d.day >= %s)"
_BY_CUSTOMERS = (
    "(SELECT a.workspace_id, a.day, a.cost, a.value AS customer, NULL::bigint AS team_id, NULL::bigint AS api_key_id, "
    "NULL::bigint AS prompt_id, NULL::bigint AS version_id, '' AS purpose, '' AS environment, '' AS provider, '' AS model "
    "FROM costs_spendaxis a WHERE a.workspace_id = %s AND a.day >= %s AND a.axis = 'customer')"
)
_BY_CHARGES = (
    f"(SELECT c.*, {LOCAL}::date AS day FROM costs_charge c {WITH_ZONE} "  # noqa: S608  constants
    "WHERE c.workspace_id = %s AND c.id >= %s AND c.cost IS NOT NULL)"
)
_SPENT = (
    f"SELECT b.id AS budget_id, {STARTS_ON} AS starts_on, {ENDS_ON} AS ends_on, b.limit_amount, sum(s.cost) AS spent, "  # noqa: S608
    "0 AS reserved FROM {source} s "
    f"JOIN costs_budget b ON b.id = %s AND b.workspace_id = s.workspace_id AND s.day >= b.counted_from AND {COVERS} "
    "GROUP BY 1, 2, 3, 4"
)
_RECOUNT = (
    "INSERT INTO costs_budgetperiod (budget_id, starts_on, ends_on, limit_amount, spent, reserved) "
    f"{_SPENT} ORDER BY 1, 2 ON CONFLICT (budget_id, starts_on) DO UPDATE SET spent = excluded.spent"
)
_OTHERWISE = (
    f"WITH a AS ({_SPENT}) SELECT coalesce(a.starts_on, p.starts_on), a.spent, p.spent FROM a FULL JOIN "  # noqa: S608
    "(SELECT * FROM costs_budgetperiod WHERE budget_id = %s AND starts_on >= %s) p USING (starts_on) "
    "WHERE coalesce(a.spent, 0) <> coalesce(p.spent, 0) ORDER BY 1"
)


def stand_still() -> None:
    """Wait until nobody books, and let nobody book before this transaction ends.

    Take it before the first reading: what was booked before is then seen, and what comes after adds. Never take it
    after booking in the same transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(STILL)


def by_hashes() -> None:
    """Let this transaction sum by hashing: sorting all charges first takes twice as long.

    The planner takes every charge for a group of its own and would sort. Sums that do not fit in memory spill to disk.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL enable_sort = off; SET LOCAL jit = off; SET LOCAL work_mem = '{MEMORY}'")


def first_provable_day(zone: ZoneInfo) -> date:
    """Return the first day of the zone of which the ledger still holds every charge."""
    floor = partitions.floor()
    day = floor.astimezone(zone).date()
    return day if midnight(day, zone) >= floor else day + timedelta(days=1)


@transaction.atomic
def rebuild_sums(*, workspace_id: int) -> None:
    """Write a workspace's sums and what its budgets have spent anew; whoever books meanwhile waits.

    Days whose charges were let go keep their sums: nothing else knows them any more.
    """
    stand_still()
    by_hashes()
    zone = Workspace.objects.get(pk=workspace_id).zone
    day, floor = first_provable_day(zone), partitions.floor()
    of_days: list[Any] = [workspace_id, uuid7_floor(midnight(day, zone))]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM costs_spendday WHERE workspace_id = %s AND day >= %s", [workspace_id, day])
        cursor.execute(add_sums("costs_spendday", DAY_KEY, SUMS, select_sums(DAY_KEY, CHARGES)), of_days)
        cursor.execute(
            "DELETE FROM costs_spendaxis WHERE workspace_id = %s AND day >= %s AND axis = ANY(%s)",
            [workspace_id, day, list(CHARGE_AXES)],
        )
        cursor.execute(add_sums("costs_spendaxis", AXIS_KEY, SHORT, select_charge_axes(CHARGES)), of_days)
        cursor.execute("DELETE FROM costs_spendhour WHERE workspace_id = %s AND starts_at >= %s", [workspace_id, floor])
        hours = add_sums("costs_spendhour", HOUR_KEY, SHORT, select_sums(HOUR_KEY, CHARGES, SHORT))
        cursor.execute(hours, [workspace_id, uuid7_floor(floor)])
    _from_days(workspace_id)


@transaction.atomic
def move_days(*, workspace_id: int, was: str) -> None:
    """Sum the charges by the days of the workspace's new zone; `was` is the zone that its days were of.

    Each charge that the ledger holds leaves its old day for its new one, so the total stays what it was even where
    other charges of a day were let go.
    """
    stand_still()
    by_hashes()
    now = Workspace.objects.get(pk=workspace_id).time_zone
    days, axes = select_sums(DAY_KEY, CHARGES), select_charge_axes(CHARGES)
    with connection.cursor() as cursor:
        for zone in (was, now):
            values: list[Any] = [workspace_id, uuid7_floor(partitions.floor()), workspace_id, zone]
            if zone == was:
                moved = taken_away(DAY_KEY, SUMS, _in_zone(days)), taken_away(AXIS_KEY, SHORT, _in_zone(axes))
            else:
                moved = _in_zone(days), _in_zone(axes)
            cursor.execute(add_sums("costs_spendday", DAY_KEY, SUMS, moved[0]), values)
            cursor.execute(add_sums("costs_spendaxis", AXIS_KEY, SHORT, moved[1]), values)
        for table, sums in (("costs_spendday", SUMS), ("costs_spendaxis", SHORT)):
            nothing = " AND ".join(f"{name} = 0" for name in sums)
            cursor.execute(f"DELETE FROM {table} WHERE workspace_id = %s AND {nothing}", [workspace_id])  # noqa: S608
    _from_days(workspace_id)


def _in_zone(selected: str) -> str:
    return selected.replace("accounts_workspace w", IN_ZONE)


def _from_days(workspace_id: int) -> None:
    """Write what is summed of days anew: months, every dimension that days know, and budgets."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM costs_spendmonth WHERE workspace_id = %s", [workspace_id])
        cursor.execute(add_sums("costs_spendmonth", MONTH_KEY, SUMS, select_months(DAYS)), [workspace_id])
        cursor.execute(
            "DELETE FROM costs_spendaxis WHERE workspace_id = %s AND axis = ANY(%s)", [workspace_id, list(DAY_AXES)]
        )
        cursor.execute(add_sums("costs_spendaxis", AXIS_KEY, SHORT, select_day_axes(DAYS)), [workspace_id])
    for budget in Budget.objects.live().filter(workspace_id=workspace_id).select_related("workspace").order_by("pk"):
        recount_budget(budget=budget)


@transaction.atomic
def recount_budget(*, budget: Budget) -> None:
    """Write what each period of a budget has spent anew, from `counted_from` on; whoever books meanwhile waits.

    A period of which charges were let go keeps what it had where nothing else knows it. Call it in the transaction that makes a budget or changes what it covers or when it is counted from.
    """
    stand_still()
    first = countable_from(budget)
    source, values = _source(budget, first)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE costs_budgetperiod SET spent = 0 WHERE budget_id = %s AND starts_on >= %s", [budget.pk, first]
        )
        cursor.execute(_RECOUNT.format(source=source), values)


def spent_otherwise(budget: Budget) -> list[tuple[date, Decimal | None, Decimal | None]]:
    """Return the periods of a budget that have not spent what its charges add up to: first day, charged, said."""
    first = countable_from(budget)
    source, values = _source(budget, first)
    with connection.cursor() as cursor:
        cursor.execute(_OTHERWISE.format(source=source), [*values, budget.pk, first])
        return list(cursor.fetchall())


def _source(budget: Budget, first: date) -> tuple[str, list[Any]]:
    """Return what a budget is counted from, from that day on, and the values of the statement that does it."""
    if budget.needs_charges:
        return _BY_CHARGES, [budget.workspace_id, uuid7_floor(midnight(first, budget.workspace.zone)), budget.pk]
    return (_BY_DAYS if budget.customer is None else _BY_CUSTOMERS), [budget.workspace_id, first, budget.pk]


def countable_from(budget: Budget) -> date:
    """Return the first day of the first period that can be counted: later than it began where its charges are gone."""
    if not budget.needs_charges:
        return budget.counted_from
    kept = first_provable_day(budget.workspace.zone)
    if budget.counted_from >= kept:
        return budget.counted_from
    starts_on, ends_on = periods.bounds(budget.period, kept)
    return max(budget.counted_from, starts_on if starts_on >= kept else ends_on)
