"""How far a budget's period has come, and where it will end if the days go on as they did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from apps.accounts.models import Workspace
from apps.costs import filters, forecast
from apps.costs.budgets import daily, periods
from apps.costs.budgets.daily import Daily
from apps.costs.budgets.known import conditions_of
from apps.costs.models import Budget, BudgetPeriod

ZERO = Decimal(0)
HISTORY = timedelta(weeks=forecast.WEEKS)
FEWEST_DAYS = 3
NEARLY = Decimal("0.8")
STATES = {
    "used-up": ("bad", "Used up", "circle-x"),
    "heading-over": ("warn", "Heading over", "trending-up"),
    "nearly-used-up": ("warn", "Nearly used up", "alert-triangle"),
    "within": ("good", "Within", "circle-check"),
}


@dataclass
class Burn:
    """A period of a budget in numbers. `projected` is None while it is too early to tell, and of one that is over."""

    budget: Budget
    starts_on: date
    ends_on: date
    limit: Decimal
    spent: Decimal = ZERO
    reserved: Decimal = ZERO
    refused: int = 0
    projected: Decimal | None = None
    days: Daily = field(default_factory=dict)

    @property
    def last_day(self) -> date:
        return self.ends_on - timedelta(days=1)

    @property
    def charges_query(self) -> str:
        """Return the query string of the charges behind what is spent."""
        conditions = conditions_of(self.budget)
        return filters.query_for(self.starts_on, self.last_day, tuple(conditions), tuple(conditions.values()))

    @property
    def left(self) -> Decimal:
        return max(ZERO, self.limit - self.spent - self.reserved)

    @property
    def over(self) -> Decimal:
        return max(ZERO, self.spent - self.limit)

    @property
    def share(self) -> Decimal:
        """Return what was spent as a share of the limit; all of it where the limit is nothing."""
        return self.spent / self.limit if self.limit else Decimal(1)

    @property
    def projected_share(self) -> Decimal | None:
        if self.projected is None:
            return None
        return self.projected / self.limit if self.limit else Decimal(1)

    @property
    def state(self) -> str:
        """Return what people should think of it, as a key of STATES."""
        if self.spent >= self.limit:
            return "used-up"
        if self.projected is not None and self.projected > self.limit:
            return "heading-over"
        return "nearly-used-up" if self.share >= NEARLY else "within"

    @property
    def tone(self) -> str:
        return STATES[self.state][0]

    @property
    def state_words(self) -> str:
        return STATES[self.state][1]

    @property
    def state_icon(self) -> str:
        return STATES[self.state][2]

    @property
    def bar(self) -> dict[str, str]:
        """Return where the parts of the bar begin and end, in percent of its width: spent, held, and the expected end.

        The bar is as long as the limit, or as what was spent or is expected where that is more.
        """
        whole = max(self.limit, self.spent + self.reserved, self.projected or ZERO) or Decimal(1)
        places = {
            "spent": self.spent,
            "reserved": self.reserved,
            "limit": self.limit,
            "projected": self.projected if self.projected is not None else ZERO,
        }
        return {name: f"{max(ZERO, amount) / whole * 100:.2f}" for name, amount in places.items()}


def of(workspace: Workspace, budgets: Sequence[Budget], now: datetime) -> dict[int, Burn]:
    """Return the running period of each budget, by its id; a few queries, however many budgets there are."""
    if not budgets:
        return {}
    today = periods.day_of(now, workspace.zone)
    found = {budget.pk: _blank(budget, *periods.bounds(budget.period, today)) for budget in budgets}
    rows = BudgetPeriod.objects.filter(budget__in=list(found), starts_on__lte=today, ends_on__gt=today)
    for row in rows:
        _fill(found[row.budget_id], row)
    history = daily.of_budgets(budgets, workspace.pk, workspace.zone, today - HISTORY, today)
    for burn in found.values():
        burn.days = history[burn.budget.pk]
        burn.projected = projected(burn, today)
    return found


def of_period(row: BudgetPeriod) -> Burn:
    """Return one period that is over, as it ended."""
    burn = _blank(row.budget, row.starts_on, row.ends_on)
    _fill(burn, row)
    return burn


def _blank(budget: Budget, starts_on: date, ends_on: date) -> Burn:
    return Burn(budget, starts_on, ends_on, budget.limit_amount)


def _fill(burn: Burn, row: BudgetPeriod) -> None:
    burn.limit, burn.spent, burn.reserved, burn.refused = row.limit_amount, row.spent, row.reserved, row.refused


def projected(burn: Burn, today: date) -> Decimal | None:
    """Return what the period will come to.

    Each day to come is expected to cost the mean of its weekday over the last four weeks. With less than two weeks of
    history it is the mean of the period's days so far instead; before there are three of them nothing is said.
    """
    rest = forecast.month_end(burn.days, first=today, today=today, last=burn.last_day)
    if rest is not None:
        return burn.spent - burn.days.get(today, ZERO) + rest.total
    gone = (today - burn.starts_on).days
    if gone < FEWEST_DAYS:
        return None
    until_today = burn.spent - burn.days.get(today, ZERO)
    return max(burn.spent, until_today / gone * (burn.ends_on - burn.starts_on).days)
