"""What a call costs: pure arithmetic over meters and price rows. Decimal only, nothing is ever guessed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Protocol

from apps.core.errors import DomainError
from apps.costs.models import Meter

PLACES = Decimal("1E-12")


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
    def above_input_tokens(self) -> int: ...
    @property
    def unit_price(self) -> Decimal: ...
    @property
    def valid_from(self) -> datetime: ...
    @property
    def valid_to(self) -> datetime | None: ...


@dataclass(frozen=True)
class Priced:
    """A cost and the price rows behind it; `cost` is None when a meter that was used has no price."""

    cost: Decimal | None
    price_ids: tuple[int, ...]

    @property
    def unpriced(self) -> bool:
        return self.cost is None


def cost_of(meters: Mapping[Meter, int], prices: Iterable[PriceRow]) -> Priced:
    """Price the meters with the rows in force: one product per meter, each rounded half-even at 12 places, then summed.

    A meter of zero needs no price. Raises UsageError for a negative meter.
    """
    used = {Meter(meter): count for meter, count in meters.items() if count}
    negative = next((meter for meter, count in used.items() if count < 0), None)
    if negative:
        raise UsageError(f"The provider reports {used[negative]} {negative.label}.", meter=negative.value)
    rows = _rows_for(prices, sum(count for meter, count in used.items() if meter != Meter.OUTPUT))
    if any(meter not in rows for meter in used):
        return Priced(None, ())
    ordered = [meter for meter in Meter if meter in used]
    cost = sum((amount_of(used[meter], rows[meter].unit_price) for meter in ordered), Decimal(0))
    return Priced(cost, tuple(rows[meter].id for meter in ordered))


def _rows_for(prices: Iterable[PriceRow], input_tokens: int) -> dict[Meter, PriceRow]:
    """Return the row of each meter: of a long request the highest step that it has passed, for all of its tokens."""
    fitting = [row for row in prices if row.above_input_tokens == 0 or input_tokens > row.above_input_tokens]
    return {Meter(row.meter): row for row in sorted(fitting, key=lambda row: row.above_input_tokens)}


def amount_of(count: int, unit_price: Decimal) -> Decimal:
    """Return the count times the price, rounded half-even once at 12 places."""
    with localcontext(prec=60):
        return (count * unit_price).quantize(PLACES, rounding=ROUND_HALF_EVEN)


def in_force(prices: Iterable[PriceRow], at: datetime) -> Sequence[PriceRow]:
    """Keep the rows whose period [valid_from, valid_to) holds the moment."""
    return [row for row in prices if row.valid_from <= at and (row.valid_to is None or at < row.valid_to)]


def split_inclusive(
    *, prompt: int, output: int, cached: int = 0, cache_write: int = 0, cache_write_1h: int = 0
) -> dict[Meter, int]:
    """Return disjoint meters from counts whose prompt total includes what the cache gave (OpenAI's way of counting).

    Raises UsageError when the parts are more than the whole, or below zero.
    """
    fresh = prompt - cached - cache_write - cache_write_1h
    if min(prompt, output, cached, cache_write, cache_write_1h) < 0 or fresh < 0:
        raise UsageError(
            f"Of {prompt} prompt tokens the provider says {prompt - fresh} came from its cache.", prompt=prompt
        )
    return {
        Meter.INPUT: fresh,
        Meter.CACHE_READ: cached,
        Meter.CACHE_WRITE: cache_write,
        Meter.CACHE_WRITE_1H: cache_write_1h,
        Meter.OUTPUT: output,
    }
