"""How prices are written by people: for a million tokens, or for a thousand uses of a tool."""

from decimal import Decimal

from apps.costs.models import Meter, Price, PriceProposalLine, Tier

MILLION, THOUSAND = Decimal(1_000_000), Decimal(1_000)
LARGE = 3
# As people write them: many times the dearest and the cheapest price that any public list has.
DEAREST, CHEAPEST = Decimal(5_000), Decimal("0.0005")


def units_of(meter: str) -> Decimal:
    """Return for how many a price of this meter is written."""
    return THOUSAND if Meter(meter).is_fee else MILLION


def unit_words(meter: str) -> str:
    return "per 1,000" if Meter(meter).is_fee else "per million"


def shown(meter: str, unit_price: Decimal) -> Decimal:
    """Return a unit price as people write it."""
    return unit_price * units_of(meter)


def factor(old: Decimal | None, new: Decimal) -> Decimal | None:
    """Return how many times the old price the new one is; None where there was no price or it was free."""
    return new / old if old else None


def alarm(old: Decimal | None, new: Decimal) -> str:
    """Say why a change is so large that the list is more likely wrong than the world; nothing when it is not."""
    if new == 0:
        return "" if old == 0 else "It would be free."
    if old == 0:
        return "It was free."
    if old is not None and not old <= new * LARGE:
        return "Less than a third of the price before."
    if old is not None and not new <= old * LARGE:
        return "More than three times the price before."
    return ""


def implausible(meter: str, price: Decimal) -> str:
    """Say why a first price is more likely written for another number of tokens; nothing when it is not."""
    amount = shown(meter, price)
    if amount > DEAREST:
        return f"{amount:,.2f} {unit_words(meter)} is dearer than anything that is sold."
    if 0 < amount < CHEAPEST and not Meter(meter).is_fee:
        return f"{amount:f} {unit_words(meter)} is cheaper than anything that is sold."
    return ""


def terms_words(row: Price | PriceProposalLine, connection: str = "") -> str:
    """Say at what terms a price holds; nothing for the plain list price."""
    parts = [Tier(row.tier).label] if row.tier != Tier.STANDARD else []
    if row.region:
        parts.append(f"region {row.region}")
    if row.connection_id is not None:
        parts.append(connection or f"connection {row.connection_id}")
    if row.above_input_tokens:
        parts.append(f"requests above {row.above_input_tokens:,} input tokens")
    return ", ".join(parts)
