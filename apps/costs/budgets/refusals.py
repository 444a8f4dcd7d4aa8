"""Why a call was refused, in words for the person who has to do something about it."""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from apps.core import formats
from apps.core.errors import DomainError
from apps.costs.budgets import periods
from apps.costs.budgets.known import Cover, Facts, HardBudget

ZERO = Decimal(0)


class OverBudget(DomainError):
    """A hard budget has no room for the call. Asking again will not help, so clients are told not to."""

    status = 402
    code = "over-budget"
    should_retry = False
    headers: ClassVar[dict[str, str]] = {"x-should-retry": "false"}


class Unbounded(OverBudget):
    """A hard budget covers the call, and nothing says what the call can cost at most."""

    code = "cost-unbounded"


class Full(NamedTuple):
    """The period with the least room: what is left when all that is held turns out to be needed."""

    period_id: int
    ends_on: date
    limit: Decimal
    room: Decimal

    @property
    def left(self) -> Decimal:
        """Return the room; a limit that was lowered leaves none."""
        return max(ZERO, self.room)


def over(cover: Cover, full: Full, amount: Decimal) -> OverBudget:
    """Return the error for a call that a budget has no room for."""
    budget = cover.budgets[full.period_id]
    left, limit, most = (formats.money(sum_, cover.currency) for sum_ in (full.left, full.limit, amount))
    return OverBudget(
        f"The budget “{budget.name}” has {left} of {limit} left until {full.ends_on.day} {full.ends_on:%B %Y}, and this "
        f"call could cost {most}. {_ask(budget)}",
        **_facts(cover, full),
        could_cost=format(amount, "f"),
    )


def unbounded(cover: Cover, full: Full, facts: Facts) -> Unbounded:
    """Return the error for a call that fits in no budget because it has no price or no end."""
    budget = cover.budgets[full.period_id]
    return Unbounded(
        f"The budget “{budget.name}” covers this call, but nothing says what {facts.model} of {facts.provider} can cost "
        f"at most: add its prices, and limit the length of the answer. {_ask(budget)}",
        **_facts(cover, full),
    )


def _ask(budget: HardBudget) -> str:
    return f"Its owner is {budget.owner}." if budget.owner else "Nobody owns it: ask finance."


def _facts(cover: Cover, full: Full) -> dict[str, Any]:
    budget = cover.budgets[full.period_id]
    return {
        "budget": budget.name,
        "owner": budget.owner,
        "limit": format(full.limit, "f"),
        "left": format(full.left, "f"),
        "renews_at": periods.renews_at(full.ends_on, cover.zone).isoformat(),
    }
