"""A first price list: public prices from genai-prices as dated rows, and the practice provider's own."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.costs import pricing
from apps.costs.models import Meter, Price
from apps.costs.public_prices import SINCE, public_prices

MILLION = Decimal(1_000_000)
TERMS = ("provider", "model", "meter", "tier", "region", "above_input_tokens")
PRACTICE_SOURCE = "Practice provider"
PRACTICE: dict[str, dict[Meter, str]] = {
    "practice-small": {Meter.INPUT: "0.15", Meter.CACHE_READ: "0.075", Meter.OUTPUT: "0.60"},
    "practice-large": {Meter.INPUT: "2.50", Meter.CACHE_READ: "1.25", Meter.OUTPUT: "10"},
    "practice-claude": {
        Meter.INPUT: "3",
        Meter.CACHE_READ: "0.30",
        Meter.CACHE_WRITE: "3.75",
        Meter.CACHE_WRITE_1H: "6",
        Meter.OUTPUT: "15",
    },
    "practice-embed": {Meter.INPUT: "0.02"},
}


@transaction.atomic
def seed_prices(*, workspace: Workspace, acting_user: User | None = None) -> int:
    """Add the rows of meters for which the workspace has no price yet; return how many. What is there stays."""
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    known = set(workspace.prices.filter(connection_id=None).values_list(*TERMS))
    rows = [row for row in (*practice_prices(), *public_prices()) if _key(row) not in known]
    for row in rows:
        row.workspace, row.approved_by = workspace, acting_user
    Price.objects.bulk_create(rows)
    pricing.forget()
    transaction.on_commit(pricing.forget)
    if rows:
        facts = {"rows": len(rows), "sources": sorted({row.source for row in rows})}
        audit.record(workspace=workspace, actor=acting_user, verb="seeded prices", target=workspace, after=facts)
    return len(rows)


def _key(row: Price) -> tuple[str | int, ...]:
    return tuple(getattr(row, name) for name in TERMS)


def practice_prices() -> Iterator[Price]:
    for model, meters in PRACTICE.items():
        for meter, per_million in meters.items():
            yield _price("practice", model, meter, Decimal(per_million), source=PRACTICE_SOURCE)


def _price(
    provider: str,
    model: str,
    meter: Meter,
    per_million: Decimal,
    *,
    source: str,
    above: int = 0,
    start: datetime = SINCE,
) -> Price:
    return Price(
        provider=provider,
        model=model,
        meter=meter,
        above_input_tokens=above,
        unit_price=per_million / MILLION,
        valid_from=start,
        source=source,
    )
