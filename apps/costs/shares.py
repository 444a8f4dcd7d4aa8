"""Shares in words that rounding does not turn into nothing or into all."""

from decimal import Decimal

from apps.core import formats


def percent(share: Decimal | None, digits: int = 0) -> str:
    """Return a share as a percentage; what is nearly nothing or nearly all is said to be just that."""
    if share is None:
        return formats.percent(None)
    step = Decimal(1).scaleb(-2 - digits)
    if 0 < share < step / 2:
        return f"<{formats.percent(step, digits)}"
    if 1 - step / 2 <= share < 1:
        return f">{formats.percent(1 - step, digits)}"
    return formats.percent(share, digits)
