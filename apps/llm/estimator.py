"""What traffic would cost in a month on each of several models: pure sums, every price and assumption named."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from apps.costs.models import Meter, Tier
from apps.llm.rates import Rate, Rates

DAYS = Decimal("30.44")
ONE = Decimal(1)
ZERO = Decimal(0)


@dataclass(frozen=True)
class Traffic:
    """What is asked of a model. Shares are of 1: of the input read from the provider's cache, of the requests sent as
    a batch, and of the requests that our own kept answers serve."""

    requests_per_day: Decimal
    input_tokens: int
    output_tokens: int
    cached_share: Decimal = ZERO
    batch_share: Decimal = ZERO
    reused_share: Decimal = ZERO

    @property
    def requests_per_month(self) -> Decimal:
        return self.requests_per_day * DAYS


@dataclass(frozen=True)
class Part:
    """One addend: so many tokens of a meter at one price."""

    label: str
    tokens: Decimal
    rate: Rate
    amount: Decimal


@dataclass
class Estimate:
    """A model's month. `cost` is None when a price that it needs is not known: that is not zero."""

    name: str
    parts: list[Part] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unbatched: list[str] = field(default_factory=list)
    is_cheapest: bool = False
    requests: Decimal = ZERO
    saved_by_reuse: Decimal | None = None

    @property
    def cost(self) -> Decimal | None:
        return None if self.missing else sum((part.amount for part in self.parts), ZERO)

    @property
    def per_thousand(self) -> Decimal | None:
        """Return the mean over all requests, those that cost nothing among them."""
        return None if self.cost is None or not self.requests else self.cost / self.requests * 1000

    @property
    def rates(self) -> list[Rate]:
        """Return the prices that were used, each once."""
        return list(dict.fromkeys(part.rate for part in self.parts))


def of_models(traffic: Traffic, priced: Iterable[tuple[str, Rates]]) -> list[Estimate]:
    """Return one estimate for each model, the cheapest first and marked; those without a price last."""
    found = [estimate(name, traffic, rates) for name, rates in priced]
    found.sort(key=lambda one: (one.cost is None, one.cost or ZERO, one.name))
    if len(found) > 1 and found[0].cost is not None:
        for one in found:
            one.is_cheapest = one.cost == found[0].cost
    return found


def estimate(name: str, traffic: Traffic, rates: Rates) -> Estimate:
    """Return what the traffic costs in a month of 30.44 days at the rates."""
    found = Estimate(name, requests=traffic.requests_per_month)
    paid = traffic.requests_per_month * (ONE - traffic.reused_share)
    batched = paid * traffic.batch_share
    _add(found, traffic, rates, paid - batched, Tier.STANDARD)
    _add(found, traffic, rates, batched, Tier.BATCH)
    if found.unbatched:
        _say(found, f"No batch price is known for {', '.join(found.unbatched)}: counted in full.")
    _note_cache(found, traffic, rates)
    if found.cost is not None and traffic.reused_share and traffic.reused_share < ONE:
        found.saved_by_reuse = found.cost / (ONE - traffic.reused_share) * traffic.reused_share
    return found


def _add(found: Estimate, traffic: Traffic, rates: Rates, requests: Decimal, tier: Tier) -> None:
    if not requests:
        return
    total = Decimal(traffic.input_tokens)
    cached = total * traffic.cached_share
    wanted = (
        (Meter.INPUT, requests * (total - cached)),
        (Meter.CACHE_READ, requests * cached),
        (Meter.OUTPUT, requests * traffic.output_tokens),
    )
    for meter, tokens in wanted:
        if tokens:
            _add_meter(found, traffic, rates, meter, tokens, tier)


def _add_meter(found: Estimate, traffic: Traffic, rates: Rates, meter: Meter, tokens: Decimal, tier: Tier) -> None:
    rate = _rate(found, traffic, rates, meter, tier)
    if rate is None:
        word = str(meter.label)
        if word not in found.missing:
            found.missing.append(word)
        return
    tokens += sum((part.tokens for part in found.parts if part.rate == rate), ZERO)
    label = str(rate.meter.label).capitalize() + (", in batches" if rate.tier == Tier.BATCH else "")
    others = [part for part in found.parts if part.rate != rate]
    found.parts = [*others, Part(label, tokens, rate, tokens * rate.unit_price)]


def _rate(found: Estimate, traffic: Traffic, rates: Rates, meter: Meter, tier: Tier) -> Rate | None:
    """Return the price; where a discount is not known, the price without it, and say so."""
    own = rates.of(meter, tier=tier, input_tokens=traffic.input_tokens)
    if own is not None:
        return own
    if tier == Tier.BATCH:
        plain = _rate(found, traffic, rates, meter, Tier.STANDARD)
        if plain is not None:
            found.unbatched.append(str(meter.label))
        return plain
    if meter == Meter.CACHE_READ:
        plain = _rate(found, traffic, rates, Meter.INPUT, tier)
        if plain is not None:
            _say(found, "No price for cached input is known, so it counts as other input.")
        return plain
    return None


def _note_cache(found: Estimate, traffic: Traffic, rates: Rates) -> None:
    if traffic.cached_share and rates.of(Meter.CACHE_WRITE):
        _say(found, "This provider also charges for writing into its cache, which is not in the sum.")


def _say(found: Estimate, note: str) -> None:
    if note not in found.notes:
        found.notes.append(note)
