"""Spend by any two dimensions together, from the smallest sums that know both; of too many, the latest days."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby, islice
from typing import Any

from django.db import connection

from apps.accounts.models import Workspace
from apps.core.ids import uuid7_floor
from apps.costs import filters, spend
from apps.costs.models import AxisName, SpendAxis
from apps.costs.spend import DAY_AXES, Axis, Sums, Value

ROWS, COLUMNS = 50, 10
# As many are added up in about a fifth of a second, on a busy machine.
MOST_SUMS, MOST_CHARGES = 250_000, 150_000
MONTH_COLUMNS = frozenset({"provider", "model", "team_id", "prompt_id"})
EXPORTED = 100_000
NAMED_AT_ONCE = 2_000
SHADES = 4

_MONTHS = (
    "SELECT {columns}, calls, unpriced_calls, cost FROM costs_spendmonth WHERE workspace_id = %s AND month = ANY(%s)"
)
_DAYS = "SELECT {columns}, calls, unpriced_calls, cost FROM costs_spendday WHERE workspace_id = %s AND day BETWEEN %s AND %s"
_CHARGES = (
    "SELECT {columns}, calls, CASE WHEN unpriced THEN calls ELSE 0 END AS unpriced_calls, coalesce(cost, 0) AS cost "
    "FROM costs_charge WHERE workspace_id = %s AND id >= %s AND id < %s"
)
_PAIRS = (
    "SELECT {names}, sum(calls)::bigint AS calls, sum(unpriced_calls)::bigint AS unpriced_calls, sum(cost) AS cost "
    "FROM ({source}) s GROUP BY {columns}"
)
_TABLE = """
WITH g AS MATERIALIZED ({pairs}),
a AS (SELECT a0, a1, row_number() OVER (ORDER BY sum(cost) DESC, sum(calls) DESC, a0, a1) AS n FROM g GROUP BY a0, a1),
b AS (SELECT b0, b1, row_number() OVER (ORDER BY sum(cost) DESC, sum(calls) DESC, b0, b1) AS n FROM g GROUP BY b0, b1)
SELECT least(a.n, {rows} + 1), least(b.n, {width} + 1),
    CASE WHEN a.n <= {rows} THEN a0 END, CASE WHEN a.n <= {rows} THEN a1 END,
    CASE WHEN b.n <= {width} THEN b0 END, CASE WHEN b.n <= {width} THEN b1 END,
    sum(calls)::bigint, sum(unpriced_calls)::bigint, sum(cost), (SELECT count(*) FROM a), (SELECT count(*) FROM b)
FROM g JOIN a USING (a0, a1) JOIN b USING (b0, b1) GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Question:
    """Two dimensions and a range of days, both ends included; `asked_first` is where it was asked to begin."""

    rows: Axis
    columns: Axis
    first: date
    last: date
    asked_first: date
    from_charges: bool

    @property
    def is_shortened(self) -> bool:
        return self.first > self.asked_first

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.rows.columns, *self.columns.columns)))


@dataclass
class Cell:
    """What one pair of values came to. `shade` tells how much of the dearest cell that is, from 0 to SHADES."""

    sums: Sums
    query: str = ""
    shade: int = 0


@dataclass
class Line:
    label: str
    query: str
    total: Sums = field(default_factory=Sums)
    cells: list[Cell | None] = field(default_factory=list)


@dataclass
class Table:
    """The pairs as a table: a line for each value of the first dimension, a column for each of the second."""

    question: Question
    lines: list[Line]
    columns: list[Line]
    total: Sums


def ask(workspace: Workspace, rows: Axis, columns: Axis, first: date, last: date) -> Question:
    """Return the question as far as it can be answered at once: the latest days of the range, when it holds too much."""
    from_charges = not {rows.name, columns.name} <= set(DAY_AXES)
    whole = Question(rows, columns, first, last, first, from_charges)
    if from_charges:
        return _since(whole, _days_within(workspace.pk, first, last))
    days = [day for day in spend.days_of(first, last) if not _is_in(_months(whole), day)]
    if days and (rows_held := _estimate(workspace.pk, days[0], days[-1])) > MOST_SUMS:
        return _since(whole, max(1, len(days) * MOST_SUMS // rows_held))
    return whole


def _since(question: Question, days: int) -> Question:
    first = max(question.first, question.last - timedelta(days=days - 1))
    return Question(question.rows, question.columns, first, question.last, question.asked_first, question.from_charges)


def _days_within(workspace_id: int, first: date, last: date) -> int:
    """Return of how many days, the latest first, the charges can be added up at once; at least of one."""
    rows = SpendAxis.objects.of(workspace_id, AxisName.ALL).within(first, last).order_by("-day")
    calls = 0
    for day, number in rows.values_list("day", "calls"):
        calls += number
        if calls > MOST_CHARGES:
            return max(1, (last - day).days)
    return (last - first).days + 1


def _estimate(workspace_id: int, first: date, last: date) -> int:
    """Return about how many sums the days hold, as the planner has it: counting them would take as long as adding."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {_DAYS.format(columns='day')}", [workspace_id, first, last])
        (plan,) = cursor.fetchone()
    return int(plan[0]["Plan"]["Plan Rows"])


def _months(question: Question) -> list[date]:
    """Return the whole months of the range, when months know both dimensions."""
    if not set(question.names) <= MONTH_COLUMNS:
        return []
    months, month = [], question.first.replace(day=1)
    while month <= question.last:
        following = (month + timedelta(days=32)).replace(day=1)
        if month >= question.first and following - timedelta(days=1) <= question.last:
            months.append(month)
        month = following
    return months


def _is_in(months: Sequence[date], day: date) -> bool:
    return day.replace(day=1) in months


def _source(workspace: Workspace, question: Question) -> tuple[str, list[Any]]:
    """Return the rows that add up to the answer: whole months from the sums by month, the days around them by day."""
    columns = ", ".join(question.names)
    if question.from_charges:
        plain = ", ".join(f"coalesce({name}, 0) AS {name}" if name.endswith("_id") else name for name in question.names)
        ends = (question.first, question.last + timedelta(days=1))
        moments = [uuid7_floor(filters.midnight(day, workspace.zone)) for day in ends]
        return _CHARGES.format(columns=plain), [workspace.pk, *moments]
    months = _months(question)
    if not months:
        return _DAYS.format(columns=columns), [workspace.pk, question.first, question.last]
    after = (months[-1] + timedelta(days=32)).replace(day=1)
    parts = [_MONTHS, _DAYS, _DAYS]
    values = [workspace.pk, months, workspace.pk, question.first, months[0] - timedelta(days=1)]
    return " UNION ALL ".join(part.format(columns=columns) for part in parts), [
        *values,
        workspace.pk,
        after,
        question.last,
    ]


def _pairs(workspace: Workspace, question: Question) -> tuple[str, list[Any]]:
    source, values = _source(workspace, question)
    named = [*_named("a", question.rows), *_named("b", question.columns)]
    return _PAIRS.format(names=", ".join(named), source=source, columns=", ".join(question.names)), values


def _named(letter: str, axis: Axis) -> list[str]:
    parent = f"{axis.columns[0]}::text" if len(axis.columns) == 2 else "''::text"
    return [f"{parent} AS {letter}0", f"{axis.columns[-1]}::text AS {letter}1"]


def table(workspace: Workspace, question: Question) -> Table:
    """Add up the pairs: the dearest values of each dimension by name, the others together."""
    pairs, values = _pairs(workspace, question)
    with connection.cursor() as cursor:
        cursor.execute(_TABLE.format(pairs=pairs, rows=ROWS, width=COLUMNS), values)
        found = cursor.fetchall()
    lines = _heads(workspace.pk, question, question.rows, [(row[0], row[2], row[3], row[9]) for row in found], ROWS)
    heads = _heads(
        workspace.pk, question, question.columns, [(row[1], row[4], row[5], row[10]) for row in found], COLUMNS
    )
    whole = Table(question, [line for line, _ in lines.values()], [head for head, _ in heads.values()], Sums())
    places = {number: place for place, number in enumerate(heads)}
    for line in whole.lines:
        line.cells = [None] * len(heads)
    for row in found:
        sums = Sums(row[6], row[7], row[8])
        (line, value), (head, other) = lines[row[0]], heads[row[1]]
        query = _query(question, value, other) if value and other else ""
        line.cells[places[row[1]]] = Cell(sums, query)
        for total in (line.total, head.total, whole.total):
            total.add(sums)
    _shade([cell for line in whole.lines for cell in line.cells if cell])
    return whole


def _heads(
    workspace_id: int, question: Question, axis: Axis, keys: list[tuple[int, str | None, str | None, int]], most: int
) -> dict[int, tuple[Line, Value | None]]:
    """Return the lines of one dimension by their place, each with its value; the last may be that of all the others."""
    named = {n: axis.value_of(parent or "", value or "") for n, parent, value, _ in sorted(keys, key=str) if n <= most}
    words = spend.name_values(workspace_id, axis, list(named.values()))
    found: dict[int, tuple[Line, Value | None]] = {}
    for number, _, _, count in sorted(keys, key=lambda key: key[0]):
        if number in named:
            value = named[number]
            query = filters.query_for(question.first, question.last, axis.columns, value)
            found.setdefault(number, (Line(words[value], query), value))
        else:
            left = count - most
            found.setdefault(number, (Line(f"{left:,} other" + ("s" if left > 1 else ""), ""), None))
    return found


def _query(question: Question, value: Value, other: Value) -> str:
    columns = question.rows.columns + question.columns.columns
    return filters.query_for(question.first, question.last, columns, value + other)


def _shade(cells: list[Cell]) -> None:
    most = max((cell.sums.cost for cell in cells), default=Decimal(0))
    for cell in cells:
        if most > 0 and cell.sums.cost > 0:
            cell.shade = 1 + min(SHADES - 1, int(cell.sums.cost / most * SHADES))


def pairs(workspace: Workspace, question: Question) -> Iterator[tuple[str, str, Value, Value, Sums]]:
    """Yield every pair by name and value with what it came to, the dearest first."""
    sql, values = _pairs(workspace, question)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY cost DESC, calls DESC, 1, 2, 3, 4 LIMIT {EXPORTED}", values)
        rows = cursor.fetchall()
    for _, chunk in groupby(enumerate(rows), key=lambda pair: pair[0] // NAMED_AT_ONCE):
        yield from _named_pairs(workspace.pk, question, [row for _, row in islice(chunk, NAMED_AT_ONCE)])


def _named_pairs(
    workspace_id: int, question: Question, rows: list[tuple[Any, ...]]
) -> Iterator[tuple[str, str, Value, Value, Sums]]:
    values = [(question.rows.value_of(*row[:2]), question.columns.value_of(*row[2:4])) for row in rows]
    ours = spend.name_values(workspace_id, question.rows, [pair[0] for pair in values])
    theirs = spend.name_values(workspace_id, question.columns, [pair[1] for pair in values])
    for (value, other), row in zip(values, rows, strict=True):
        yield ours[value], theirs[other], value, other, Sums(*row[4:7])
