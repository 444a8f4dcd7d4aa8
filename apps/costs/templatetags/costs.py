from decimal import Decimal

from django import template

from apps.core import formats

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
