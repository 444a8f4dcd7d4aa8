"""The values of one dimension by what they cost in a month, and how that compares: two queries, whatever their number."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from django.db import connection

from apps.costs import spend
from apps.costs.spend import SUMS, Axis, Sums, Value

Key = tuple[str, str]


class Days(Protocol):
    """A stretch of days, how far it is compared, and the one that it is set against; each end included."""

    @property
    def first(self) -> date: ...
    @property
    def until(self) -> date: ...
    @property
    def compared_until(self) -> date: ...
    @property
    def previous_first(self) -> date: ...
    @property
    def previous_until(self) -> date: ...


@dataclass(frozen=True)
class Ranked:
    """A value, its sums in both stretches, its cost as far as they are compared, its place by cost and its place by how much the cost changed."""

    value: Value
    key: Key
    sums: Sums
    compared: Decimal
    previous: Sums
    place: int
    move: int
    of: int

    @property
    def difference(self) -> Decimal:
        return self.compared - self.previous.cost


_PART = ", ".join(
    f"coalesce(sum({name}) FILTER (WHERE day BETWEEN %({start})s AND %({end})s), 0) AS {alias}{name}"
    for start, end, alias in (("first", "until", ""), ("previous_first", "previous_until", "p_"))
    for name in SUMS
)
_RANKED = f"""
WITH s AS (
    SELECT parent, value, {_PART},
        coalesce(sum(cost) FILTER (WHERE day BETWEEN %(first)s AND %(compared_until)s), 0) AS compared
    FROM costs_spendaxis
    WHERE workspace_id = %(workspace)s AND axis = %(axis)s AND day BETWEEN %(previous_first)s AND %(until)s
    GROUP BY parent, value
), r AS (
    SELECT s.*, row_number() OVER (ORDER BY cost DESC, p_cost DESC, value, parent) AS place,
        row_number() OVER (ORDER BY abs(compared - p_cost) DESC, cost DESC, value, parent) AS move, count(*) OVER () AS n
    FROM s WHERE calls <> 0 OR p_calls <> 0 OR cost <> 0 OR p_cost <> 0
)
SELECT parent, value, place, move, n, compared, {", ".join(SUMS)}, {", ".join(f"p_{name}" for name in SUMS)}
FROM r WHERE place <= %(rows)s OR move <= %(movers)s ORDER BY place
"""  # noqa: S608  constants
_DAILY = """
SELECT s.parent, s.value, s.day, s.cost FROM unnest(%s::text[], %s::text[]) AS k (parent, value)
JOIN costs_spendaxis s ON s.workspace_id = %s AND s.axis = %s AND s.day BETWEEN %s AND %s
    AND s.parent = k.parent AND s.value = k.value
"""


def ranked(workspace_id: int, axis: Axis, days: Days, *, rows: int, movers: int = 0) -> list[Ranked]:
    """Return the dearest values and those that changed most, by place."""
    values = {
        name: getattr(days, name) for name in ("first", "until", "compared_until", "previous_first", "previous_until")
    }
    values |= {"workspace": workspace_id, "axis": axis.sums.value, "rows": rows, "movers": movers}
    with connection.cursor() as cursor:
        cursor.execute(_RANKED, values)
        return [_ranked(axis, row) for row in cursor.fetchall()]


def _ranked(axis: Axis, row: tuple[Any, ...]) -> Ranked:
    parent, value, place, move, of, compared, *sums = row
    half = len(SUMS)
    return Ranked(
        axis.value_of(parent, value), (parent, value), Sums(*sums[:half]), compared, Sums(*sums[half:]), place, move, of
    )


def daily(workspace_id: int, axis: Axis, keys: list[Key], first: date, last: date) -> dict[Key, list[Decimal]]:
    """Return the cost of each day of [first, last] for these values."""
    length = (last - first).days + 1
    found = {key: [spend.ZERO] * length for key in keys}
    parents, values = [key[0] for key in keys], [key[1] for key in keys]
    with connection.cursor() as cursor:
        cursor.execute(_DAILY, [parents, values, workspace_id, axis.sums.value, first, last])
        for parent, value, day, cost in cursor.fetchall():
            found[parent, value][(day - first).days] = cost
    return found
