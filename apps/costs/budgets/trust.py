"""How far what a budget has spent can be trusted: calls under it without a price, and what is estimated."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from apps.core.ids import uuid7_floor
from apps.costs.budgets.burn import Burn
from apps.costs.budgets.daily import Key, key_of
from apps.costs.budgets.known import conditions_of
from apps.costs.filters import midnight
from apps.costs.ledger_sql import CONDITIONS, LOCAL, WITH_ZONE
from apps.costs.spend import ZERO, Sums

_SUMS = "sum(s.calls)::bigint, sum(s.unpriced_calls)::bigint, sum(s.cost), sum(s.estimated_cost)"
_BY_AXIS = f"""
SELECT k.place, {_SUMS}
FROM unnest(%s::int[], %s::date[], %s::date[], %s::text[], %s::text[], %s::text[])
    AS k (place, first, last, axis, parent, value)
JOIN costs_spendaxis s ON s.workspace_id = %s AND s.axis = k.axis AND s.value = k.value
    AND (k.parent IS NULL OR s.parent = k.parent) AND s.day BETWEEN k.first AND k.last
GROUP BY 1
"""  # noqa: S608  constants
_BY_DAYS = f"SELECT {_SUMS} FROM costs_spendday s WHERE s.workspace_id = %s AND s.day BETWEEN %s AND %s"  # noqa: S608
_BY_CHARGES = (
    f"SELECT {_SUMS} FROM (SELECT c.*, CASE WHEN c.unpriced THEN c.calls ELSE 0 END AS unpriced_calls, "  # noqa: S608
    f"CASE WHEN c.estimated THEN c.cost END AS estimated_cost, {LOCAL}::date AS day FROM costs_charge c {WITH_ZONE} "
    "WHERE c.workspace_id = %s AND c.id >= %s) s WHERE s.day BETWEEN %s AND %s"
)


def of(burns: Iterable[Burn], workspace_id: int, zone: ZoneInfo) -> dict[int, Sums]:
    """Return what stands behind each period by its budget's id: one query for all that have one dimension or none."""
    every = list(burns)
    keys = {place: key for place, burn in enumerate(every) if (key := key_of(conditions_of(burn.budget)))}
    found = {burn.budget.pk: Sums() for burn in every}
    with connection.cursor() as cursor:
        if keys:
            cursor.execute(_BY_AXIS, [*_columns(every, keys), workspace_id])
            for place, *sums in cursor.fetchall():
                found[every[place].budget.pk] = _sums(sums)
        for place, burn in enumerate(every):
            if place not in keys:
                cursor.execute(*_together(burn, workspace_id, zone))
                found[burn.budget.pk] = _sums(cursor.fetchone())
    return found


def _columns(every: list[Burn], keys: dict[int, Key]) -> list[list[Any]]:
    firsts, lasts = [every[place].starts_on for place in keys], [every[place].last_day for place in keys]
    return [list(keys), firsts, lasts, *(list(column) for column in zip(*keys.values(), strict=True))]


def _together(burn: Burn, workspace_id: int, zone: ZoneInfo) -> tuple[str, list[Any]]:
    conditions = conditions_of(burn.budget)
    where = "".join(f" AND {CONDITIONS[name]} = %s" for name in conditions)
    days: list[Any] = [burn.starts_on, burn.last_day, *conditions.values()]
    if "customer" in conditions:
        return f"{_BY_CHARGES}{where}", [workspace_id, uuid7_floor(midnight(burn.starts_on, zone)), *days]
    return f"{_BY_DAYS}{where}", [workspace_id, *days]


def _sums(row: Iterable[Any]) -> Sums:
    calls, unpriced, cost, estimated = row
    return Sums(calls=calls or 0, unpriced_calls=unpriced or 0, cost=cost or ZERO, estimated_cost=estimated or ZERO)
