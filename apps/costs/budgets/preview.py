"""What a budget would have meant in the past: whether its limit would have been reached, and on what day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from apps.accounts.models import Workspace
from apps.costs.budgets import daily, periods
from apps.costs.budgets.daily import Daily
from apps.costs.models import Budget

ZERO = Decimal(0)
# How many periods that are over are looked at: enough to see what is usual.
LOOKED_AT = {Budget.Period.DAY: 14, Budget.Period.WEEK: 4, Budget.Period.MONTH: 2}


@dataclass(frozen=True)
class Past:
    """A period that is over (or running): what it came to, and the day on which the limit would have been reached."""

    starts_on: date
    ends_on: date
    total: Decimal
    reached_on: date | None
    is_running: bool

    @property
    def last_day(self) -> date:
        return self.ends_on - timedelta(days=1)


def of(
    workspace: Workspace, conditions: Mapping[str, int | str], period: str, limit: Decimal, now: datetime
) -> list[Past]:
    """Return the running period and those before it, newest first."""
    today = periods.day_of(now, workspace.zone)
    spans = [periods.bounds(period, today)]
    for _ in range(LOOKED_AT.get(Budget.Period(period), 1)):
        spans.append(periods.before(period, spans[-1][0]))
    (costs,) = daily.of_conditions([dict(conditions)], workspace.pk, workspace.zone, spans[-1][0], today)
    return [_past(costs, starts_on, ends_on, limit, today) for starts_on, ends_on in spans]


def _past(costs: Daily, starts_on: date, ends_on: date, limit: Decimal, today: date) -> Past:
    days = sorted(day for day in costs if starts_on <= day < ends_on)
    total, reached_on = ZERO, None
    for day in days:
        total += costs[day]
        if reached_on is None and total > limit:
            reached_on = day
    return Past(starts_on, ends_on, total, reached_on, starts_on <= today < ends_on)
