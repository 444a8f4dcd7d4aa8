"""Questions to the books, answered from the rollups alone: never from the charges, never upward."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, Min, Q, QuerySet, Sum
from django.utils import timezone

from apps.costs.models import AxisName, Dimension, Purpose, SpendAxis, SpendDay

ZERO = Decimal(0)


@dataclass(frozen=True)
class Axis:
    """A way to group spend: the columns of a charge, its name, and the name of what has no value."""

    name: str
    label: str
    columns: tuple[str, ...]
    nobody: str
    kind: Dimension.Kind | None = None

    @property
    def sums(self) -> AxisName:
        """Return under what name the sums by day and this dimension alone are kept."""
        return AxisName(self.name)

    def value_of(self, parent: str, value: str) -> "Value":
        """Return what a row of those sums stands for, in the types that the columns have."""
        parts = (parent, value)[-len(self.columns) :]
        return tuple(int(p) if c.endswith("_id") else p for c, p in zip(self.columns, parts, strict=True))


AXES = {
    axis.name: axis
    for axis in (
        Axis("model", "Model", ("provider", "model"), "No model"),
        Axis("prompt", "Prompt", ("prompt_id",), "No prompt", Dimension.Kind.PROMPT),
        Axis("team", "Team", ("team_id",), "No team", Dimension.Kind.TEAM),
        Axis("purpose", "Purpose", ("purpose",), "No purpose"),
        Axis("environment", "Environment", ("environment",), "No environment"),
        Axis("version", "Version", ("prompt_id", "version_id"), "No version", Dimension.Kind.VERSION),
        Axis("key", "API key", ("api_key_id",), "No API key", Dimension.Kind.KEY),
        Axis("provider", "Provider", ("provider",), "No provider"),
        Axis("customer", "Customer", ("customer",), "No customer"),
        Axis("user", "Person", ("user_id",), "Nobody", Dimension.Kind.USER),
    )
}
# Customers and people may be as many as charges, so the sums by several dimensions together leave them out.
DAY_AXES = {name: axis for name, axis in AXES.items() if name not in ("customer", "user")}
Value = tuple[Any, ...]


@dataclass
class Sums:
    """What a group of calls came to, corrections included."""

    calls: int = 0
    unpriced_calls: int = 0
    cost: Decimal = ZERO
    failed_calls: int = 0
    estimated_cost: Decimal = ZERO
    saved: Decimal = ZERO

    def add(self, other: "Sums", sign: int = 1) -> None:
        for part in fields(Sums):
            setattr(self, part.name, getattr(self, part.name) + sign * getattr(other, part.name))

    @property
    def known_cost(self) -> Decimal | None:
        """Return the cost, or None when there were calls and none of them could be priced: that is not zero."""
        return None if self.calls and self.calls == self.unpriced_calls and not self.cost else self.cost

    @property
    def cost_per_call(self) -> Decimal | None:
        """Return the mean over the calls that have a price; None when there are none."""
        priced = self.calls - self.unpriced_calls
        return self.cost / priced if priced > 0 else None

    @property
    def estimated_share(self) -> Decimal:
        return self.estimated_cost / self.cost if self.cost else ZERO


SUMS = tuple(part.name for part in fields(Sums))


@dataclass(frozen=True)
class VersionSpend:
    calls: int
    cost: Decimal
    average_latency_ms: Decimal | None
    cost_per_call: Decimal | None


@dataclass
class PromptSpend:
    """A prompt's last days: calls, cost, and the cost of each day, oldest first."""

    calls: int = 0
    cost: Decimal = ZERO
    daily: list[Decimal] = field(default_factory=list)


@dataclass
class Proof(Sums):
    """A total, and how far it can be trusted."""

    unattributed_cost: Decimal = ZERO

    @property
    def unattributed_share(self) -> Decimal:
        return self.unattributed_cost / self.cost if self.cost else ZERO


def by_version(workspace_id: int, prompt_id: int, purpose: Purpose) -> dict[int, VersionSpend]:
    """Return what each version of a prompt has cost so far for one purpose, by version id, in one query.

    Purposes are never mixed: tests send other inputs than customers do.
    """
    rows = (
        SpendDay.objects.of(workspace_id)
        .filter(prompt_id=prompt_id, purpose=purpose)
        .exclude(version_id=0)
        .values("version_id")
        .annotate(
            n=Sum("calls"),
            unpriced=Sum("unpriced_calls"),
            timed=Sum("timed_calls"),
            ms=Sum("latency_ms"),
            sum=Sum("cost"),
        )
        # What was booked and wholly taken back is as if it had never been.
        .exclude(n=0, sum=0)
    )
    return {
        row["version_id"]: VersionSpend(
            calls=row["n"],
            cost=row["sum"],
            average_latency_ms=Decimal(row["ms"]) / row["timed"] if row["timed"] else None,
            cost_per_call=Sums(row["n"], row["unpriced"], row["sum"]).cost_per_call,
        )
        for row in rows
    }


_BY_PROMPT = """
SELECT s.prompt_id, here.today - s.day, sum(s.calls)::bigint, sum(s.cost)
FROM (SELECT (%s::timestamptz AT TIME ZONE time_zone)::date AS today FROM accounts_workspace WHERE id = %s) here
JOIN costs_spendday s ON s.workspace_id = %s AND s.prompt_id = ANY(%s::bigint[])
    AND s.day BETWEEN here.today - %s::int AND here.today
GROUP BY 1, 2
"""


def by_prompt(workspace_id: int, prompt_ids: Iterable[int], days: int = 7) -> dict[int, PromptSpend]:
    """Return what the prompts cost in the last `days` days of the workspace, today included, in one query."""
    ids = list(prompt_ids)
    spent = {prompt_id: PromptSpend(daily=[ZERO] * days) for prompt_id in ids}
    with connection.cursor() as cursor:
        cursor.execute(_BY_PROMPT, [timezone.now(), workspace_id, workspace_id, ids, days - 1])
        for prompt_id, ago, calls, cost in cursor.fetchall():
            prompt = spent[prompt_id]
            prompt.calls += calls
            prompt.cost += cost
            prompt.daily[days - 1 - ago] += cost
    return spent


def by_day(workspace_id: int, first: date, last: date) -> tuple[dict[date, Sums], dict[date, Decimal]]:
    """Return the sums of every day of [first, last] and what no team had of each, in one query of a row or two a day."""
    total = Q(axis=AxisName.ALL) | Q(axis=AxisName.TEAM, value="0")
    rows = SpendAxis.objects.filter(total, workspace_id=workspace_id).within(first, last)
    days: dict[date, Sums] = {}
    nobodys: dict[date, Decimal] = {}
    for axis, day, *sums in rows.values_list("axis", "day", *SUMS):
        found = Sums(*sums)
        if axis == AxisName.ALL:
            days[day] = found
        else:
            nobodys[day] = found.cost
    return days, nobodys


def proof(workspace_id: int, first: date, last: date) -> Proof:
    """Return the exact total of the days [first, last] and how far it can be trusted."""
    days, nobodys = by_day(workspace_id, first, last)
    found = Proof(unattributed_cost=sum(nobodys.values(), ZERO))
    for sums in days.values():
        found.add(sums)
    return found


def sums_of(rows: QuerySet[Any]) -> Sums:
    """Return the exact total of rollup rows."""
    found = rows.aggregate(**{f"sum_{name}": Sum(name, default=0) for name in SUMS})
    return Sums(*(found[f"sum_{name}"] for name in SUMS))


def names(
    workspace_id: int, kinds: Collection[Dimension.Kind], ids: Collection[int] | None = None
) -> dict[tuple[str, int], str]:
    """Return the newest names by (kind, id), in one query."""
    rows = Dimension.objects.filter(workspace_id=workspace_id, kind__in=kinds)
    if ids is not None:
        rows = rows.filter(value_id__in=ids)
    return {(kind, value_id): name for kind, value_id, name in rows.values_list("kind", "value_id", "name")}


def name_values(workspace_id: int, axis: Axis, values: Collection[Value]) -> dict[Value, str]:
    """Return the words for each value of an axis."""
    kinds = {axis.kind} if axis.kind else set()
    if axis.name == "version":
        kinds.add(Dimension.Kind.PROMPT)
    ids = {part for value in values for part in value if isinstance(part, int)}
    known = names(workspace_id, [kind for kind in kinds if kind], ids) if kinds and ids else {}
    return {value: _words(axis, value, known) for value in values}


def _words(axis: Axis, value: Value, known: dict[tuple[str, int], str]) -> str:
    if not value[-1]:
        return axis.nobody
    if axis.kind is None:
        return str(Purpose(value[0]).label) if axis.name == "purpose" else str(value[-1])
    name = known.get((axis.kind, value[-1]), f"{axis.label} {value[-1]}")
    if axis.name != "version":
        return name
    return f"{known.get((Dimension.Kind.PROMPT, value[0]), 'Prompt')} {name}"


def first_day(workspace_id: int) -> date | None:
    """Return the first day that the books hold."""
    rows = SpendAxis.objects.of(workspace_id, AxisName.ALL)
    first: date | None = rows.aggregate(first=Min("day"))["first"]
    return first


def days_of(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def grouped(workspace_id: int, axes: Collection[Axis], first: date, last: date) -> list[dict[str, Any]]:
    """Return plain rows (one per combination of the axes' values) with calls, tokens and cost, dearest first."""
    columns = [column for axis in axes for column in axis.columns]
    rows = SpendDay.objects.of(workspace_id).within(first, last).values(*dict.fromkeys(columns))
    return list(
        rows.annotate(
            n=Sum("calls"),
            unpriced=Sum("unpriced_calls"),
            tokens_in=Sum(F("input_tokens") + F("cache_read_tokens") + F("cache_write_tokens")),
            tokens_out=Sum("output_tokens"),
            sum=Sum("cost"),
        ).order_by("-sum", *dict.fromkeys(columns))
    )


def name_conditions(workspace_id: int, chosen: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return a filter's conditions: the column, what is asked for in words, and of which name."""
    by_column = {axis.columns[-1]: axis for axis in AXES.values()}
    kinds = {axis.kind for column, axis in by_column.items() if chosen.get(column) and axis.kind}
    ids = [chosen[column] for column, axis in by_column.items() if axis.kind and chosen.get(column)]
    known = names(workspace_id, kinds, ids) if kinds else {}
    found = []
    for column, value in chosen.items():
        axis = by_column.get(column)
        label = axis.label if axis else column.capitalize()
        found.append((column, label, _condition(axis, value, known)))
    return found


def _condition(axis: Axis | None, value: Any, known: dict[tuple[str, int], str]) -> str:
    if axis is None:
        return str(value)
    if not value or value == "-":
        return axis.nobody
    if axis.kind is None:
        return str(Purpose(value).label) if axis.name == "purpose" else str(value)
    return known.get((str(axis.kind), value), f"number {value}")
