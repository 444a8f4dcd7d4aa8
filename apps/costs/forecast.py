"""Where the month will end if the days to come resemble the weeks before: pure arithmetic over daily costs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

WEEKS = 4
FEWEST_DAYS = 14
# 80 % of a t distribution, by its degrees of freedom: the days seen less the seven means, 7 for two weeks to 21 for four.
_OF_FREEDOM = (1415, 1397, 1383, 1372, 1363, 1356, 1350, 1345, 1341, 1337, 1333, 1330, 1328, 1325, 1323)
SPREAD = {freedom: Decimal(spread) / 1000 for freedom, spread in enumerate(_OF_FREEDOM, start=7)}


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
    margin = _margin(seen, means, [today, *expected])
    return Forecast(
        total, max(spent, total - margin), total + margin, len(seen), expected, _margin(seen, means, [today])
    )


def _history(daily: Mapping[date, Decimal], today: date) -> dict[date, Decimal]:
    """Return the last four weeks before today, quiet days as zero, from the first day that ever cost anything."""
    if not daily:
        return {}
    start = max(today - timedelta(weeks=WEEKS), min(daily))
    return {day: daily.get(day, Decimal(0)) for day in _days(start, today - timedelta(days=1))}


def _margin(seen: Mapping[date, Decimal], means: Mapping[int, Decimal], days: Sequence[date]) -> Decimal:
    """Return how far the sum of these days may lie from the sum of their means."""
    squares = sum(((cost - means[day.weekday()]) ** 2 for day, cost in seen.items()), Decimal(0))
    freedom = len(seen) - 7
    known, wanted = (Counter(day.weekday() for day in some) for some in (seen, days))
    # Each day scatters for itself; the error of a weekday's mean is the same for all of its days, so it adds up.
    scatter = sum((count + Decimal(count**2) / known[weekday] for weekday, count in wanted.items()), Decimal(0))
    return SPREAD[min(freedom, max(SPREAD))] * (squares / freedom * scatter).sqrt()


def _mean(costs: list[Decimal]) -> Decimal:
    return sum(costs, Decimal(0)) / len(costs) if costs else Decimal(0)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range(max(0, (last - first).days + 1))]
