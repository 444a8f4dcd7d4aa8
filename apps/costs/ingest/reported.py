"""What a sender says that a call cost, held against our own list before it is believed."""

from decimal import Decimal

from apps.costs.amounts import Priced
from apps.costs.ingest.refusals import Refused

# Ten times apart is no discount any more but another unit: cents for dollars, a thousand tokens for a million.
FAR = 10


def check(cost: Decimal, listed: Priced) -> None:
    """Raise Refused where a cost is so far from the list that one of the two is more likely wrong than meant.

    Where the list has no price there is nothing to hold it against.
    """
    if not listed.cost:
        return
    if cost > listed.cost * FAR or cost * FAR < listed.cost:
        far = "nothing" if not cost else f"{max(cost / listed.cost, listed.cost / cost):,.0f} times apart"
        raise Refused(
            "cost-surprising",
            f"It says that it cost {cost:f}; by our price list it is {listed.cost:f} ({far}). "
            "Say which of the two is right.",
        )
