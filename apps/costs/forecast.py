"""Where the month will end if the days to come resemble the weeks before: pure arithmetic over daily costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

WEEKS = 4
FEWEST_DAYS = 14
# 80 % of a t distribution with the 21 degrees of freedom that four weeks minus seven means leave.
SPREAD = Decimal("1.323")


@dataclass(frozen=True)
class Forecast:
    """The expected total of a month, and the interval that holds 8 of 10 such months if days scatter as they did."""

    total: Decimal
    low: Decimal
    high: Decimal
    days_seen: int
    expected: dict[date, Decimal]
    day_margin: Decimal


def month_end(daily: Mapping[date, Decimal], *, first: date, today: date, last: date) -> Forecast | None:
    """Expect for each day to come the mean of its weekday over the last four full weeks; None with too little history.

    Today counts with what it has already cost when that is more than its mean.
    """
    seen = _history(daily, today)
    if len(seen) < FEWEST_DAYS:
        return None
    means = {weekday: _mean([cost for day, cost in seen.items() if day.weekday() == weekday]) for weekday in range(7)}
    spent = sum((cost for day, cost in daily.items() if first <= day <= today), Decimal(0))
    expected = {day: means[day.weekday()] for day in _days(today + timedelta(days=1), last)}
    rest_of_today = max(Decimal(0), means[today.weekday()] - daily.get(today, Decimal(0)))
    total = spent + rest_of_today + sum(expected.values(), Decimal(0))
    margin = _margin(seen, means, len(expected) + 1)
    return Forecast(total, max(spent, total - margin), total + margin, len(seen), expected, _margin(seen, means, 1))


def _history(daily: Mapping[date, Decimal], today: date) -> dict[date, Decimal]:
    """Return the last four weeks before today, quiet days as zero, from the first day that ever cost anything."""
    if not daily:
        return {}
    start = max(today - timedelta(weeks=WEEKS), min(daily))
    return {day: daily.get(day, Decimal(0)) for day in _days(start, today - timedelta(days=1))}


def _margin(seen: Mapping[date, Decimal], means: Mapping[int, Decimal], days: int) -> Decimal:
    squares = sum(((cost - means[day.weekday()]) ** 2 for day, cost in seen.items()), Decimal(0))
    freedom = max(1, len(seen) - 7)
    per_day = squares / freedom
    # Each mean is itself known from about four days only, which adds a quarter of the scatter.
    return SPREAD * (per_day * days * (1 + Decimal(7) / len(seen))).sqrt()


def _mean(costs: list[Decimal]) -> Decimal:
    return sum(costs, Decimal(0)) / len(costs) if costs else Decimal(0)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range(max(0, (last - first).days + 1))]
