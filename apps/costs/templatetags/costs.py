from decimal import Decimal

from django import template

from apps.core import formats
from apps.costs import shares
from apps.costs.spend import Sums

register = template.Library()


@register.filter
def growth(share: Decimal | None) -> str:
    """Show a change as a signed percentage, and one of more than tenfold as a factor."""
    if share is None:
        return formats.NOTHING
    if share >= 10:
        return f"\N{MULTIPLICATION SIGN}{formats.number(share + 1, 0)}"
    shown = formats.percent(share, 1)
    return f"+{shown}" if share > 0 else shown


@register.filter
def share(part: Decimal | None, digits: int = 0) -> str:
    """Show a share of 1 as a percentage that is 0 or 100 only when the share is."""
    return shares.percent(part, digits)


@register.filter
def spent(sums: Sums, currency: str) -> str:
    """Show what calls cost and how many of them have no price: those are not free."""
    return _spent(sums, formats.money(sums.cost, currency))


@register.filter
def spent_exactly(sums: Sums, currency: str) -> str:
    """Show the same to the last digit."""
    return _spent(sums, formats.exact_money(sums.cost, currency))


def _spent(sums: Sums, amount: str) -> str:
    if sums.unpriced_calls <= 0:
        return amount
    if not sums.cost:
        return "unpriced" if sums.unpriced_calls == sums.calls else f"{sums.unpriced_calls:,} unpriced"
    return f"{amount} + {sums.unpriced_calls:,} unpriced"
