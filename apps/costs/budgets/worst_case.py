"""The most that a call can come to, from what it may use at most and the price list."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from apps.costs import pricing
from apps.costs.models import Meter

# How a provider may bill what we only know as input: some write to their cache unasked, at a price of its own.
INPUT_AS = (Meter.INPUT, Meter.CACHE_READ, Meter.CACHE_WRITE)


def worst_case(  # noqa: PLR0913  a call has this many facts that decide its price
    *,
    workspace_id: int,
    provider: str,
    model: str,
    at: datetime,
    meters: Mapping[Meter, int],
    connection_id: int | None = None,
    tier: str = "",
    region: str = "",
) -> Decimal | None:
    """Return the dearest that the meters can be billed at; None when one of them has no price, so nothing bounds it."""
    found: list[Decimal] = []
    for kind in INPUT_AS if meters.get(Meter.INPUT) else (Meter.INPUT,):
        priced = pricing.quote(
            workspace_id=workspace_id,
            provider=provider,
            model=model,
            at=at,
            meters=_billed_as(kind, meters),
            connection_id=connection_id,
            tier=tier,
            region=region,
        )
        if priced.cost is None and kind == Meter.INPUT:
            return None
        if priced.cost is not None:
            found.append(priced.cost)
    return max(found)


def _billed_as(kind: Meter, meters: Mapping[Meter, int]) -> dict[Meter, int]:
    billed = dict(meters)
    billed[kind] = billed.pop(Meter.INPUT, 0) + billed.get(kind, 0)
    return billed
