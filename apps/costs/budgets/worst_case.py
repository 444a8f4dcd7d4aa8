"""The most that a call can come to, from what it may use at most and the price list."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from itertools import product

from apps.costs import pricing
from apps.costs.models import Meter, Tier

# Nobody is served at these without asking.
ONLY_ASKED = frozenset({Tier.BATCH.value, Tier.FAST.value})
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
    tier: str | None = None,
    region: str | None = None,
) -> Decimal | None:
    """Return the dearest that the meters can be billed at; None when one of them has no price, so nothing bounds it.

    A call that does not ask for a tier or a region is served as the provider's account is set, which we do not know,
    and billed so: all of them are tried that the price list knows.
    """
    tiers, regions = pricing.terms_of(workspace_id=workspace_id, provider=provider, model=model, at=at)
    served = product(
        tiers - ONLY_ASKED | {""} if tier is None else {tier, ""}, regions | {""} if region is None else {region}
    )
    found: list[Decimal] = []
    for kind, (as_tier, in_region) in product(INPUT_AS if meters.get(Meter.INPUT) else (Meter.INPUT,), list(served)):
        priced = pricing.quote(
            workspace_id=workspace_id,
            provider=provider,
            model=model,
            at=at,
            meters=_billed_as(kind, meters),
            connection_id=connection_id,
            tier=as_tier,
            region=in_region,
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
