"""The month as finance reads it: four numbers, a chart by day, and a table by one dimension."""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from apps.accounts.models import Workspace
from apps.core import charts, formats
from apps.core.errors import DomainError
from apps.costs import filters, forecast, spend
from apps.costs.models import SpendDay
from apps.costs.spend import AXES, Axis, Sums, Value

ROWS = 100


class UnknownMonth(DomainError):
    """The address names a month that no calendar has."""


@dataclass(frozen=True)
class Span:
    """A month as far as it has come, the same days of the month before, and where it stands in the calendar."""

    first: date
    last: date
    today: date

    @property
    def is_running(self) -> bool:
        return self.first <= self.today < self.last

    @property
    def until(self) -> date:
        """The last day that counts so far."""
        return min(self.last, self.today) if self.first <= self.today else self.last

    @property
    def previous_first(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def previous_until(self) -> date:
        """The same day of the month before, or its end when this month is over (or that one is shorter)."""
        end = self.first - timedelta(days=1)
        return min(end, self.previous_first + (self.until - self.first)) if self.is_running else end

    @property
    def next_first(self) -> date | None:
        following = self.last + timedelta(days=1)
        return following if following <= self.today else None


@dataclass
class Row:
    """One value of the dimension: what it cost, and how that compares."""

    label: str
    value: Value
    query: str
    sums: Sums
    previous: Sums
    share: Decimal = spend.ZERO
    daily: list[Decimal] = field(default_factory=list)

    @property
    def spark(self) -> charts.Figure:
        return charts.sparkline(self.daily, label=f"Cost by day of {self.label}")

    @property
    def change(self) -> Decimal | None:
        """Return the growth over the same days of last month, as a share; None when there was nothing then."""
        return change(self.sums.cost, self.previous.cost)


@dataclass
class Month:
    """Everything the page shows."""

    span: Span
    axis: Axis
    proof: spend.Proof
    previous: Sums
    rows: list[Row]
    others: Row | None
    forecast: forecast.Forecast | None
    days: list[date]
    first_day: date | None
    query: str
    previous_query: str

    @property
    def change(self) -> Decimal | None:
        return change(self.proof.cost, self.previous.cost)

    @property
    def is_over(self) -> bool:
        return self.span.last <= self.span.today

    @property
    def cost_per_day(self) -> Decimal:
        return self.proof.cost / len(self.days)

    @property
    def summary(self) -> str:
        """Say in a sentence where the money went."""
        if not self.rows or not self.proof.cost:
            return ""
        top = self.rows[0]
        return f"{top.label} accounts for {formats.percent(top.share)} of it."


def change(now: Decimal, before: Decimal) -> Decimal | None:
    return (now - before) / before if before else None


def span_of(text: str, today: date) -> Span:
    """Return the month written as 2026-11, or the present one for nothing. Raises UnknownMonth."""
    try:
        first = date.fromisoformat(f"{text}-01") if text else today.replace(day=1)
    except ValueError:
        raise UnknownMonth("Write the month like 2026-11.") from None
    if not 2000 <= first.year <= 2200:
        raise UnknownMonth("The books hold the years 2000 to 2200.")
    return Span(first, first.replace(day=monthrange(first.year, first.month)[1]), today)


def of(workspace: Workspace, span: Span, axis: Axis = AXES["model"]) -> Month:
    """Read the month from the rollups, in four queries whatever its size."""
    rows = spend.by_day(workspace.pk, axis, span.previous_first, span.last)
    groups = [_row(axis, value, days, span) for value, days in rows.items()]
    total = sum((row.sums.cost for row in groups), spend.ZERO)
    for row in groups:
        row.share = row.sums.cost / total if total else spend.ZERO
    groups.sort(key=lambda row: (-row.sums.cost, -row.previous.cost, str(row.value)))
    shown, rest = groups[:ROWS], groups[ROWS:]
    words = spend.name_values(workspace.pk, axis, [row.value for row in shown])
    for row in shown:
        row.label = words[row.value]
    return Month(
        span=span,
        axis=axis,
        proof=spend.proof(SpendDay.objects.of(workspace.pk).within(span.first, span.until)),
        previous=_total(row.previous for row in groups),
        rows=shown,
        others=_others(rest, span) if rest else None,
        forecast=_forecast(rows.values(), span) if span.is_running else None,
        days=spend.days_of(span.first, span.last),
        first_day=spend.first_day(workspace.pk),
        query=filters.query_for(span.first, span.until, (), ()),
        previous_query=filters.query_for(span.previous_first, span.previous_until, (), ()),
    )


def _row(axis: Axis, value: Value, days: dict[date, Sums], span: Span) -> Row:
    return Row(
        label="",
        value=value,
        query=filters.query_for(span.first, span.until, axis.columns, value),
        sums=_total(sums for day, sums in days.items() if span.first <= day <= span.until),
        previous=_total(sums for day, sums in days.items() if span.previous_first <= day <= span.previous_until),
        daily=[days[day].cost if day in days else spend.ZERO for day in spend.days_of(span.first, span.until)],
    )


def _others(rest: list[Row], span: Span) -> Row:
    daily = [sum(costs, spend.ZERO) for costs in zip(*(row.daily for row in rest), strict=True)]
    return Row(
        label=f"{len(rest)} others",
        value=(),
        query="",
        sums=_total(row.sums for row in rest),
        previous=_total(row.previous for row in rest),
        share=sum((row.share for row in rest), spend.ZERO),
        daily=daily,
    )


def _total(parts: Iterable[Sums]) -> Sums:
    total = Sums()
    for part in parts:
        total.add(part)
    return total


def _forecast(groups: Iterable[dict[date, Sums]], span: Span) -> forecast.Forecast | None:
    daily: dict[date, Decimal] = {}
    for days in groups:
        for day, sums in days.items():
            daily[day] = daily.get(day, spend.ZERO) + sums.cost
    return forecast.month_end(daily, first=span.first, today=span.today, last=span.last)
