"""A first price list: public prices from genai-prices as dated rows, and the practice provider's own."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from django.db import transaction
from genai_prices import data_snapshot, types

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.costs import pricing
from apps.costs.models import Meter, Price

SINCE = datetime(2020, 1, 1, tzinfo=UTC)
MILLION = Decimal(1_000_000)
PROVIDERS = ("openai", "anthropic")
FIELDS = {
    Meter.INPUT: "input_mtok",
    Meter.CACHE_READ: "cache_read_mtok",
    Meter.CACHE_WRITE: "cache_write_mtok",
    Meter.CACHE_WRITE_1H: "cache_write_1h_mtok",
    Meter.OUTPUT: "output_mtok",
}
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
    known = set(workspace.prices.values_list("provider", "model", "meter", "above_input_tokens"))
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


def _key(row: Price) -> tuple[str, str, str, int]:
    return row.provider, row.model, row.meter, row.above_input_tokens


def practice_prices() -> Iterator[Price]:
    for model, meters in PRACTICE.items():
        for meter, per_million in meters.items():
            yield _price("practice", model, meter, Decimal(per_million), source=PRACTICE_SOURCE)


def public_prices() -> Iterator[Price]:
    """Yield standard-rate rows under every exact name of the models; names that are only patterns are left out."""
    source = f"genai-prices {version('genai-prices')}"
    for provider in data_snapshot.get_snapshot().providers:
        if provider.id in PROVIDERS:
            for model in provider.models:
                for name in sorted(_names(model)):
                    yield from _rows(provider.id, name, model, source)


def _names(model: types.ModelInfo) -> set[str]:
    match: Any = model.match
    clauses = getattr(match, "or_", [match])
    aliases = {clause.equals for clause in clauses if isinstance(clause, types.ClauseEquals)}
    return {model.id, *aliases}


def _rows(provider: str, name: str, model: types.ModelInfo, source: str) -> Iterator[Price]:
    for meter, field in FIELDS.items():
        previous: dict[int, Price] = {}
        for start, prices in _dated(model):
            for above, per_million in _steps(getattr(prices, field)):
                before = previous.get(above)
                if before and before.unit_price == per_million / MILLION:
                    continue
                row = _price(provider, name, meter, per_million, source=source, above=above, start=start)
                if before:
                    before.valid_to = start
                    yield before
                previous[above] = row
        yield from previous.values()


def _dated(model: types.ModelInfo) -> list[tuple[datetime, types.ModelPrice]]:
    """Return the prices by the moment from which they hold, oldest first."""
    if isinstance(model.prices, types.ModelPrice):
        return [(SINCE, model.prices)]
    dated = [
        (_start(entry.constraint), entry.prices)
        for entry in model.prices
        if entry.constraint is None or isinstance(entry.constraint, types.StartDateConstraint)
    ]
    return sorted(dated, key=lambda entry: entry[0])


def _start(constraint: Any) -> datetime:
    day: date | None = getattr(constraint, "start_date", None)
    return datetime.combine(day, time(), tzinfo=UTC) if day else SINCE


def _steps(price: Any) -> list[tuple[int, Decimal]]:
    if price is None:
        return []
    if isinstance(price, types.TieredPrices):
        return [(0, price.base), *((tier.start, tier.price) for tier in price.tiers)]
    return [(0, price)]


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
