"""What the charges under a budget cost by day, from the smallest sums that know all of its conditions."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from apps.core.ids import uuid7_floor
from apps.costs.budgets.known import conditions_of
from apps.costs.filters import midnight
from apps.costs.ledger_sql import CONDITIONS, LOCAL, WITH_ZONE
from apps.costs.models import AxisName, Budget

Daily = dict[date, Decimal]
Conditions = Mapping[str, int | str]

AXES = {
    (): AxisName.ALL,
    ("team_id",): AxisName.TEAM,
    ("api_key_id",): AxisName.KEY,
    ("prompt_id",): AxisName.PROMPT,
    ("version_id",): AxisName.VERSION,
    ("purpose",): AxisName.PURPOSE,
    ("environment",): AxisName.ENVIRONMENT,
    ("provider",): AxisName.PROVIDER,
    ("model",): AxisName.MODEL,
    ("provider", "model"): AxisName.MODEL,
    ("prompt_id", "version_id"): AxisName.VERSION,
    ("customer",): AxisName.CUSTOMER,
}

_BY_AXIS = """
SELECT k.place, s.day, sum(s.cost)
FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[]) AS k (place, axis, parent, value)
JOIN costs_spendaxis s ON s.workspace_id = %s AND s.axis = k.axis AND s.value = k.value
    AND (k.parent IS NULL OR s.parent = k.parent) AND s.day BETWEEN %s AND %s
GROUP BY 1, 2
"""
_BY_DAYS = "SELECT s.day, sum(s.cost) FROM costs_spendday s WHERE s.workspace_id = %s AND s.day BETWEEN %s AND %s"
_BY_CHARGES = (
    f"SELECT s.day, sum(s.cost) FROM (SELECT c.*, {LOCAL}::date AS day FROM costs_charge c {WITH_ZONE} "  # noqa: S608
    "WHERE c.workspace_id = %s AND c.id >= %s) s WHERE s.day BETWEEN %s AND %s"
)


class Key(NamedTuple):
    """Where the sums by one dimension are; no parent means whichever."""

    axis: AxisName
    parent: str | None
    value: str


def of_budgets(
    budgets: Iterable[Budget], workspace_id: int, zone: ZoneInfo, first: date, last: date
) -> dict[int, Daily]:
    """Return the cost of each day that had any, by budget id: one query for all that have one dimension or none."""
    every = list(budgets)
    found = of_conditions([conditions_of(budget) for budget in every], workspace_id, zone, first, last)
    return {budget.pk: daily for budget, daily in zip(every, found, strict=True)}


def of_conditions(
    wanted: list[dict[str, int | str]], workspace_id: int, zone: ZoneInfo, first: date, last: date
) -> list[Daily]:
    """Return the cost of each day under each of the sets of conditions."""
    keys = [key_of(conditions) for conditions in wanted]
    by_axis = {place: key for place, key in enumerate(keys) if key}
    found: list[Daily] = [{} for _ in wanted]
    with connection.cursor() as cursor:
        if by_axis:
            columns = [list(column) for column in zip(*by_axis.values(), strict=True)]
            cursor.execute(_BY_AXIS, [list(by_axis), *columns, workspace_id, first, last])
            for place, day, cost in cursor.fetchall():
                found[place][day] = cost
        for place, conditions in enumerate(wanted):
            if place not in by_axis:
                cursor.execute(*_together(conditions, workspace_id, zone, first, last))
                found[place] = {day: cost for day, cost in cursor.fetchall() if cost is not None}
    return found


def key_of(conditions: Conditions) -> Key | None:
    """Return where sums by these conditions alone are kept, if they are."""
    names = tuple(name for name in CONDITIONS if name in conditions)
    axis = AXES.get(names)
    if axis is None:
        return None
    value, parent = (str(conditions[names[-1]]), str(conditions[names[0]])) if names else ("", "")
    return Key(axis, parent if len(names) == 2 else None, value)


def _together(
    conditions: Conditions, workspace_id: int, zone: ZoneInfo, first: date, last: date
) -> tuple[str, list[Any]]:
    """Return the query for conditions of several dimensions; of a customer only the charges know the rest."""
    where = "".join(f" AND {CONDITIONS[name]} = %s" for name in conditions)
    if "customer" in conditions:
        since = uuid7_floor(midnight(first, zone))
        return f"{_BY_CHARGES}{where} GROUP BY 1", [workspace_id, since, first, last, *conditions.values()]
    return f"{_BY_DAYS}{where} GROUP BY 1", [workspace_id, first, last, *conditions.values()]
