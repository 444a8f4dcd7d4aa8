"""The month as finance reads it: four numbers, a chart by day, and a table by one dimension."""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from apps.accounts.models import Workspace
from apps.core import charts
from apps.core.errors import DomainError
from apps.costs import filters, forecast, ranking, shares, spend
from apps.costs.ranking import Ranked
from apps.costs.spend import AXES, Axis, Proof, Sums, Value

ROWS, MOVERS = 50, 5
# A value counts as a mover when it moved the month by this share of it.
WORTH_SAYING = Decimal("0.005")


class UnknownMonth(DomainError):
    """The address names a month that no calendar has."""


@dataclass(frozen=True)
class Span:
    """A month as far as it has come, its complete days and the same of the month before, and its place in the calendar."""

    first: date
    last: date
    today: date

    @property
    def is_running(self) -> bool:
        return self.first <= self.today <= self.last

    @property
    def until(self) -> date:
        """The last day that counts so far."""
        return min(self.last, self.today) if self.first <= self.today else self.last

    @property
    def previous_first(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def compared_until(self) -> date:
        """The last day that is set against one of the month before: today is not over, so it counts on neither side.

        On the first of a month that is the day before it: there is nothing to compare.
        """
        return self.today - timedelta(days=1) if self.is_running else self.until

    @property
    def is_compared(self) -> bool:
        return self.compared_until >= self.first

    @property
    def previous_until(self) -> date:
        """The day before that stands for the last complete one, or that month's end when this one is over or longer."""
        end = self.first - timedelta(days=1)
        return min(end, self.previous_first + (self.compared_until - self.first)) if self.is_running else end

    @property
    def previous_last(self) -> date:
        return self.first - timedelta(days=1)

    @property
    def is_cut_short(self) -> bool:
        """Tell whether the month before has fewer days than this one has come to."""
        return self.is_running and self.previous_until - self.previous_first < self.compared_until - self.first

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
    compared: Decimal
    previous: Sums
    share: Decimal = spend.ZERO
    daily: list[Decimal] = field(default_factory=list)

    @property
    def spark(self) -> charts.Figure:
        return charts.sparkline(self.daily, label=f"Cost by day of {self.label}")

    @property
    def change(self) -> Decimal | None:
        """Return the growth of the complete days over the same of last month; None when there was nothing then."""
        return change(self.compared, self.previous.cost)

    @property
    def difference(self) -> Decimal:
        return self.compared - self.previous.cost


@dataclass
class Month:
    """Everything the page shows."""

    span: Span
    axis: Axis
    proof: Proof
    compared: Sums
    previous: Sums
    previous_whole: Sums
    rows: list[Row]
    others: Row | None
    movers: list[Row]
    forecast: forecast.Forecast | None
    days: list[date]
    daily: list[Decimal]
    previous_daily: list[Decimal]
    first_day: date | None

    @property
    def change(self) -> Decimal | None:
        return change(self.compared.cost, self.previous.cost)

    @property
    def is_over(self) -> bool:
        return self.span.last < self.span.today

    @property
    def cost_per_day(self) -> Decimal:
        return self.proof.cost / len(self.days)

    @property
    def summary(self) -> str:
        """Say in a sentence where the money went."""
        if not self.rows or not self.proof.cost:
            return ""
        top = self.rows[0]
        if top.label == self.axis.nobody:
            return f"{shares.percent(top.share)} of it is of {top.label[0].lower()}{top.label[1:]}."
        return f"{top.label} accounts for {shares.percent(top.share)} of it."

    @property
    def query(self) -> str:
        return filters.query_for(self.span.first, self.span.until, (), ())

    @property
    def previous_query(self) -> str:
        return filters.query_for(self.span.previous_first, self.span.previous_until, (), ())

    @property
    def previous_whole_query(self) -> str:
        return filters.query_for(self.span.previous_first, self.span.previous_last, (), ())

    @property
    def unattributed_query(self) -> str:
        return filters.query_for(self.span.first, self.span.until, ("team_id",), (0,))

    @property
    def only(self) -> dict[str, str]:
        """Return the query strings of the charges behind the line of proof."""
        return {flag: filters.query_for(self.span.first, self.span.until, (), (), flag) for flag in filters.FLAGS}


def change(now: Decimal, before: Decimal) -> Decimal | None:
    return (now - before) / before if before > 0 else None


def span_of(text: str, today: date) -> Span:
    """Return the month written as 2026-11, or the present one for nothing. Raises UnknownMonth."""
    try:
        first = date.fromisoformat(f"{text}-01") if text else today.replace(day=1)
    except ValueError:
        raise UnknownMonth("Write the month like 2026-11.") from None
    if not 2000 <= first.year <= 2200:
        raise UnknownMonth("The books hold the years 2000 to 2200.")
    return Span(first, first.replace(day=monthrange(first.year, first.month)[1]), today)


def months_of(first_day: date | None, span: Span) -> list[date]:
    """Return the months that can be chosen, newest first: from the first that cost anything to the present one."""
    month = max(span.first, span.today.replace(day=1))
    oldest = min(first_day or month, span.first).replace(day=1)
    found = [month]
    while month > oldest:
        month = (month - timedelta(days=1)).replace(day=1)
        found.append(month)
    return found


def of(workspace: Workspace, span: Span, axis: Axis = AXES["model"]) -> Month:
    """Read the month from the sums by day, in five queries whatever its size."""
    days, nobodys = spend.by_day(workspace.pk, span.previous_first, span.last)
    proof = Proof(unattributed_cost=sum((nobodys.get(day, spend.ZERO) for day in _reached(span)), spend.ZERO))
    proof.add(_total(days, span.first, span.until))
    found = ranking.ranked(workspace.pk, axis, span, rows=ROWS, movers=MOVERS)
    shown = [one for one in found if one.place <= ROWS]
    rows = _rows(workspace.pk, axis, span, found)
    daily = [days[day].cost if day in days else spend.ZERO for day in _reached(span)]
    compared = _total(days, span.first, span.compared_until)
    previous = _total(days, span.previous_first, span.previous_until)
    month = Month(
        span=span,
        axis=axis,
        proof=proof,
        compared=compared,
        previous=previous,
        previous_whole=_total(days, span.previous_first, span.previous_last),
        rows=[rows[one.key] for one in shown],
        others=None,
        movers=[rows[one.key] for one in sorted(found, key=lambda one: one.move) if _is_mover(one, compared, previous)],
        forecast=_forecast(days, span) if span.is_running else None,
        days=spend.days_of(span.first, span.last),
        daily=daily,
        previous_daily=[
            days[day].cost if day in days else spend.ZERO
            for day in spend.days_of(span.previous_first, span.previous_last)
        ],
        first_day=spend.first_day(workspace.pk),
    )
    if found and found[0].of > len(shown):
        month.others = _others(month, found[0].of - len(shown))
    for row in [*month.rows, *([month.others] if month.others else [])]:
        row.share = row.sums.cost / proof.cost if proof.cost else spend.ZERO
    return month


def _reached(span: Span) -> list[date]:
    return spend.days_of(span.first, span.until)


def _is_mover(one: Ranked, now: Sums, before: Sums) -> bool:
    return one.move <= MOVERS and abs(one.difference) > WORTH_SAYING * max(now.cost, before.cost)


def _rows(workspace_id: int, axis: Axis, span: Span, found: list[Ranked]) -> dict[ranking.Key, Row]:
    words = spend.name_values(workspace_id, axis, [one.value for one in found])
    daily = ranking.daily(workspace_id, axis, [one.key for one in found], span.first, span.until) if found else {}
    return {
        one.key: Row(
            label=words[one.value],
            value=one.value,
            query=filters.query_for(span.first, span.until, axis.columns, one.value),
            sums=one.sums,
            compared=one.compared,
            previous=one.previous,
            daily=daily[one.key],
        )
        for one in found
    }


def _others(month: Month, count: int) -> Row:
    """Return what is left of the total, day by day."""
    sums, previous, daily = Sums(), Sums(), list(month.daily)
    compared = month.compared.cost - sum((row.compared for row in month.rows), spend.ZERO)
    sums.add(month.proof)
    previous.add(month.previous)
    for row in month.rows:
        sums.add(row.sums, -1)
        previous.add(row.previous, -1)
        daily = [rest - cost for rest, cost in zip(daily, row.daily, strict=True)]
    label = f"{count:,} other" + ("s" if count > 1 else "")
    return Row(label=label, value=(), query="", sums=sums, compared=compared, previous=previous, daily=daily)


def _total(days: dict[date, Sums], first: date, last: date) -> Sums:
    total = Sums()
    for day, sums in days.items():
        if first <= day <= last:
            total.add(sums)
    return total


def _forecast(days: dict[date, Sums], span: Span) -> forecast.Forecast | None:
    daily = {day: sums.cost for day, sums in days.items()}
    return forecast.month_end(daily, first=span.first, today=span.today, last=span.last)
