"""What a call costs: pure arithmetic over meters and price rows. Decimal only, nothing is ever guessed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Protocol, TypeVar

from apps.core.errors import DomainError
from apps.costs.models import Meter, Tier

PLACES, ZERO = Decimal("1E-12"), Decimal(0)
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
ORDER = tuple(Meter)
INPUTS = frozenset(meter for meter in Meter if meter.is_input)


class UsageError(DomainError):
    """The provider's counts contradict each other, so no price may be taken from them."""

    code = "usage-contradicts-itself"


class PriceRow(Protocol):
    """What pricing asks of a price: a row of the book or anything shaped like one."""

    @property
    def id(self) -> int: ...
    @property
    def meter(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def connection_id(self) -> int | None: ...
    @property
    def above_input_tokens(self) -> int: ...
    @property
    def unit_price(self) -> Decimal: ...
    @property
    def valid_from(self) -> datetime: ...
    @property
    def valid_to(self) -> datetime | None: ...


Row = TypeVar("Row", bound=PriceRow)


@dataclass(frozen=True)
class Priced:
    """A cost and the price rows behind it; `cost` is None when a meter that was used has no price.

    A doubt says why the cost is only the likeliest: whoever books it marks the charge as estimated.
    """

    cost: Decimal | None
    price_ids: tuple[int, ...]
    doubt: str = ""

    @property
    def unpriced(self) -> bool:
        return self.cost is None


@dataclass(frozen=True)
class Terms:
    """At what terms a request was served: the tier and region that the *response* named, and through what contract."""

    tier: str = ""
    region: str = ""
    connection_id: int | None = None

    @property
    def wanted_tier(self) -> Tier | None:
        """Return the tier that decides the price; None for a name that decides nothing ("auto", or one never seen)."""
        return TIERS.get(self.tier.strip().lower())

    @property
    def wanted_region(self) -> str:
        region = self.region.strip().lower()
        return "" if region in ANYWHERE else region


TIERS = {
    "": Tier.STANDARD,
    "default": Tier.STANDARD,
    "standard": Tier.STANDARD,
    "on_demand": Tier.STANDARD,
    **{tier.value: tier for tier in (Tier.BATCH, Tier.FLEX, Tier.PRIORITY, Tier.FAST)},
}
ANYWHERE = frozenset({"", "global", "not_available"})
LIST = Terms()
TIER_UNKNOWN = "The provider named a service tier that has no price of its own; the standard price was taken."
IMAGES_AS_TEXT = "The list has no price for images that are read; the price of text was taken."
REGION_UNKNOWN = "The provider named a region that has no price of its own; the price for any region was taken."


def cost_of(meters: Mapping[Meter, int], prices: Iterable[PriceRow], terms: Terms = LIST) -> Priced:
    """Price the meters with the rows in force: one product per meter, each rounded half-even at 12 places, then summed.

    A meter of zero needs no price. Raises UsageError for a negative meter.
    """
    used = used_of(meters)
    return cost_by(used, rows_for(used, prices, terms), terms)


def used_of(meters: Mapping[Meter, int]) -> dict[Meter, int]:
    """Return the meters that count something, in their order. Raises UsageError for a negative one."""
    used = {meter: meters[meter] for meter in ORDER if meters.get(meter)}
    negative = next((meter for meter, count in used.items() if count < 0), None)
    if negative:
        raise UsageError(f"The provider reports {used[negative]} {negative.label}.", meter=negative.value)
    return used


def cost_by(used: Mapping[Meter, int], rows: Mapping[Meter, PriceRow], terms: Terms) -> Priced:
    """Price meters, in their order, each with its row; unpriced when one has none."""
    if any(meter not in rows for meter in used):
        return Priced(None, ())
    cost = sum((amount_of(count, rows[meter].unit_price) for meter, count in used.items()), ZERO)
    doubt = _doubt([rows[meter] for meter in used], terms)
    if not doubt and Meter.IMAGE_INPUT in used and rows[Meter.IMAGE_INPUT].meter != Meter.IMAGE_INPUT:
        doubt = IMAGES_AS_TEXT
    return Priced(cost, tuple(dict.fromkeys([rows[meter].id for meter in used])), doubt)


def input_tokens_of(meters: Mapping[Meter, int]) -> int:
    """Return how long the input was, which steps of a price ask for."""
    return sum([count for meter, count in meters.items() if meter in INPUTS])


def rows_for(meters: Mapping[Meter, int], prices: Iterable[Row], terms: Terms = LIST) -> dict[Meter, Row]:
    """Return the row of each meter that fits best.

    First comes the tier, then the connection's own price, then the region; among those, of a long request, the highest
    step that it has passed, for all of its tokens. What has no price of its own at these terms takes the plainer one,
    and images that are read, where nobody prices them, that of text.
    """
    input_tokens = input_tokens_of(meters)
    tiers, regions = {Tier.STANDARD, terms.wanted_tier}, {"", terms.wanted_region}
    fitting = [
        row
        for row in prices
        if (row.above_input_tokens == 0 or input_tokens > row.above_input_tokens)
        and row.tier in tiers
        and row.region in regions
        and row.connection_id in (None, terms.connection_id)
    ]
    found = {Meter(row.meter): row for row in sorted(fitting, key=_fitness)}
    if Meter.IMAGE_INPUT not in found and Meter.INPUT in found:
        found[Meter.IMAGE_INPUT] = found[Meter.INPUT]
    return found


def _fitness(row: PriceRow) -> tuple[bool, bool, bool, int]:
    return row.tier != Tier.STANDARD, row.connection_id is not None, bool(row.region), row.above_input_tokens


def _doubt(rows: Sequence[PriceRow], terms: Terms) -> str:
    """Say what the provider named that no price of these rows knows. A provider may leave one meter as it was."""
    if not rows:
        return ""
    tier = terms.wanted_tier
    if tier is None or (tier != Tier.STANDARD and all(row.tier != tier for row in rows)):
        return TIER_UNKNOWN
    if terms.wanted_region and all(not row.region for row in rows):
        return REGION_UNKNOWN
    return ""


def amount_of(count: int, unit_price: Decimal) -> Decimal:
    """Return the count times the price, rounded half-even once at 12 places."""
    return EXACT.quantize(EXACT.multiply(count, unit_price), PLACES)


def in_force(prices: Iterable[Row], at: datetime) -> Sequence[Row]:
    """Keep the rows whose period [valid_from, valid_to) holds the moment."""
    return [row for row in prices if row.valid_from <= at and (row.valid_to is None or at < row.valid_to)]


def split_inclusive(  # noqa: PLR0913  a provider counts this many parts
    *,
    prompt: int,
    output: int,
    cached: int = 0,
    cache_write: int = 0,
    cache_write_1h: int = 0,
    audio_input: int = 0,
    audio_output: int = 0,
    audio_cached: int = 0,
    image_input: int = 0,
    image_output: int = 0,
    image_cached: int = 0,
) -> dict[Meter, int]:
    """Return disjoint meters from counts that include their parts (OpenAI's way: cache, audio and images are inside).

    What was cached of audio is inside both of `cached` and of `audio_input`, and so with images. Raises UsageError
    when the parts are more than the whole, or below zero.
    """
    heard, seen = audio_input - audio_cached, image_input - image_cached
    fresh = prompt - cached - cache_write - cache_write_1h - heard - seen
    text = output - audio_output - image_output
    meters = {
        Meter.INPUT: fresh,
        Meter.CACHE_READ: cached - audio_cached,
        Meter.CACHE_WRITE: cache_write,
        Meter.CACHE_WRITE_1H: cache_write_1h,
        Meter.OUTPUT: text,
    }
    rare = {
        Meter.AUDIO_INPUT: heard,
        Meter.AUDIO_OUTPUT: audio_output,
        Meter.AUDIO_CACHE_READ: audio_cached,
        Meter.IMAGE_INPUT: seen,
        Meter.IMAGE_OUTPUT: image_output,
    }
    meters |= {meter: count for meter, count in rare.items() if count}
    if fresh < 0:
        raise UsageError(f"Of {prompt} prompt tokens the provider says {prompt - fresh} are of one kind or another.")
    if min(prompt, output, *meters.values()) < 0:
        raise UsageError("The provider's counts of tokens contradict each other.")
    return meters
