"""Public price lists as dated rows, read from genai-prices and corrected where that is known to be wrong or silent."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices import data_snapshot, types

from apps.costs.models import Meter, Price, Tier

SINCE = datetime(2020, 1, 1, tzinfo=UTC)
PROVIDERS = ("openai", "anthropic")
MILLION, THOUSAND = Decimal(1_000_000), Decimal(1_000)
FIELDS = {
    Meter.INPUT: ("input_mtok", MILLION),
    Meter.CACHE_READ: ("cache_read_mtok", MILLION),
    Meter.CACHE_WRITE: ("cache_write_mtok", MILLION),
    Meter.CACHE_WRITE_1H: ("cache_write_1h_mtok", MILLION),
    Meter.OUTPUT: ("output_mtok", MILLION),
    Meter.AUDIO_INPUT: ("input_audio_mtok", MILLION),
    Meter.AUDIO_OUTPUT: ("output_audio_mtok", MILLION),
    Meter.AUDIO_CACHE_READ: ("cache_audio_read_mtok", MILLION),
    Meter.IMAGE_INPUT: ("input_image_mtok", MILLION),
    Meter.IMAGE_OUTPUT: ("output_image_mtok", MILLION),
    Meter.WEB_SEARCH: ("web_searches_kcount", THOUSAND),
    Meter.FILE_SEARCH: ("storage_searches_kcount", THOUSAND),
}
TIERS = {
    ("processing", "batch"): Tier.BATCH,
    ("service_tier", "flex"): Tier.FLEX,
    ("service_tier", "priority"): Tier.PRIORITY,
    ("service_tier", "fast"): Tier.FAST,
    ("speed", "fast"): Tier.FAST,
}
# Names that once meant a dearer model: until when, and what its base prices for a million were.
# https://openai.com/api/pricing in the summer of 2024; the alias moved to the August model on 2 October 2024.
ONCE = {
    ("openai", "gpt-4o"): (
        datetime(2024, 10, 2, tzinfo=UTC),
        {Meter.INPUT: Decimal(5), Meter.OUTPUT: Decimal(15)},
    )
}
# Where a promise of the region costs more, from Claude Opus 4.6 on: a tenth more for every token, not for tools.
UPLIFT = {"us": Decimal("1.1")}
UPLIFTED = re.compile(r"^claude-(opus-4-[6-9]|sonnet-4-[6-9]|(opus|sonnet|haiku|fable|mythos)-5)(-|$)")


@dataclass(frozen=True)
class Rate:
    """A unit price of a model from a moment on; none ends what was before it."""

    start: datetime
    unit_price: Decimal | None


Line = tuple[Meter, Tier, str, int]
Lines = dict[Line, list[Rate]]


def public_prices() -> Iterator[Price]:
    """Yield the rows of every exact name of the models; names that are only patterns are left out."""
    source = f"genai-prices {version('genai-prices')}"
    for provider in data_snapshot.get_snapshot().providers:
        if provider.id in PROVIDERS:
            for model in provider.models:
                lines = _with_regions(model.id, _lines(model))
                for name in sorted(_names(model)):
                    for line, rates in _as_once(provider.id, name, lines).items():
                        yield from _rows(provider.id, name, line, rates, source)


def _names(model: types.ModelInfo) -> set[str]:
    match: Any = model.match
    clauses = getattr(match, "or_", [match])
    aliases = {clause.equals for clause in clauses if isinstance(clause, types.ClauseEquals)}
    return {model.id, *aliases}


def _lines(model: types.ModelInfo) -> Lines:
    """Return each line of a model's prices: its rates by the moment from which they hold, oldest first."""
    lines: Lines = {}
    dated = _dated(model)
    for start, prices in dated:
        _add(lines, Tier.STANDARD, start, prices)
    newest, base = dated[-1]
    for variant in model.price_variants or ():
        ((name, value),) = variant.when.items()
        tier = TIERS.get((name, value))
        if tier:
            _add(lines, tier, _start_of_tier(tier, variant, newest, base), variant.prices)
    return lines


def _dated(model: types.ModelInfo) -> list[tuple[datetime, types.ModelPrice]]:
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


def _start_of_tier(tier: Tier, variant: types.PriceVariant, newest: datetime, base: types.ModelPrice) -> datetime:
    """Return from when a tier's price holds.

    The list dates a tier by when somebody looked it up. A batch has cost half since there are batches, so a price of
    half reaches back as far as the base price does; other tiers are left at the day that is known.
    """
    start = max(_start(variant.constraint), newest)
    if tier is Tier.BATCH and all(_is_half(variant.prices, base, name) for name in ("input_mtok", "output_mtok")):
        return newest
    return start


def _is_half(batch: types.ModelPrice, base: types.ModelPrice, name: str) -> bool:
    halves = [price / 2 for _, price in _steps(getattr(base, name))]
    return [price for _, price in _steps(getattr(batch, name))] == halves


def _add(lines: Lines, tier: Tier, start: datetime, prices: types.ModelPrice) -> None:
    """Append the rates that hold from `start` on; what the new prices do not name any more ends there."""
    found: dict[Line, Decimal | None] = {line: None for line in lines if line[1] == tier}
    for meter, (field, units) in FIELDS.items():
        for above, price in _steps(getattr(prices, field)):
            found[meter, tier, "", above] = price / units
    for line, unit_price in found.items():
        rates = lines.setdefault(line, [])
        if not rates or rates[-1].unit_price != unit_price:
            rates.append(Rate(start, unit_price))


def _steps(price: Any) -> list[tuple[int, Decimal]]:
    if price is None:
        return []
    if isinstance(price, types.TieredPrices):
        return [(0, price.base), *((tier.start, tier.price) for tier in price.tiers)]
    return [(0, price)]


def _with_regions(model: str, lines: Lines) -> Lines:
    """Add the lines of regions that cost more."""
    if not UPLIFTED.match(model):
        return lines
    more = {
        (meter, tier, region, above): [Rate(r.start, r.unit_price and r.unit_price * factor) for r in rates]
        for (meter, tier, _, above), rates in lines.items()
        for region, factor in UPLIFT.items()
        if not meter.is_fee
    }
    return {**lines, **more}


def _as_once(provider: str, name: str, lines: Lines) -> Lines:
    """Put what a name once cost before what it costs now."""
    if (provider, name) not in ONCE:
        return lines
    until, prices = ONCE[provider, name]
    moved = {line: [Rate(max(rate.start, until), rate.unit_price) for rate in rates] for line, rates in lines.items()}
    for meter, per_million in prices.items():
        for tier, share in ((Tier.STANDARD, 1), (Tier.BATCH, 2)):
            before = Rate(SINCE, per_million / MILLION / share)
            moved[meter, tier, "", 0] = [before, *moved.get((meter, tier, "", 0), [Rate(until, None)])]
    return moved


def _rows(provider: str, name: str, line: Line, rates: list[Rate], source: str) -> Iterator[Price]:
    meter, tier, region, above = line
    for number, rate in enumerate(rates):
        if rate.unit_price is not None:
            yield Price(
                provider=provider,
                model=name,
                meter=meter,
                tier=tier,
                region=region,
                above_input_tokens=above,
                unit_price=rate.unit_price,
                valid_from=rate.start,
                valid_to=rates[number + 1].start if number + 1 < len(rates) else None,
                source=source,
            )
