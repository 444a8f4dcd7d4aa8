"""What a month costs before and after a change of one prompt: pure sums, with the basis of each in words."""

from dataclasses import dataclass
from decimal import Decimal

DAYS = 30
# Fewer calls than this are an anecdote: then tokens are counted instead.
FEWEST_MEASURED = 5
ZERO = Decimal(0)


@dataclass(frozen=True)
class Traffic:
    """What a prompt's callers asked for in the last days: all versions together. `days` is how long it is known for."""

    calls: int = 0
    priced_calls: int = 0
    cost: Decimal = ZERO
    input_tokens: int = 0
    output_tokens: int = 0
    days: int = DAYS

    @property
    def per_month(self) -> Decimal:
        """Return the calls of 30 days, stretched when the prompt is younger."""
        return Decimal(self.calls) * DAYS / max(1, self.days)

    @property
    def cost_per_call(self) -> Decimal | None:
        return self.cost / self.priced_calls if self.priced_calls else None


@dataclass(frozen=True)
class Measured:
    """What a version cost in tests on its own model."""

    calls: int = 0
    cost: Decimal = ZERO

    @property
    def is_enough(self) -> bool:
        return self.calls >= FEWEST_MEASURED and self.cost > 0


@dataclass(frozen=True)
class Side:
    """A version, before or after: its model, the tokens its example takes, its prices per token, what tests cost."""

    model: str
    input_tokens: int
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    measured: Measured = Measured()

    @property
    def is_priced(self) -> bool:
        return self.input_price is not None and self.output_price is not None


@dataclass(frozen=True)
class ChangeForecast:
    """A prompt's month before and after; `problem` says what is not known, and then there are no sums."""

    traffic: Traffic
    per_call_before: Decimal | None
    per_call_after: Decimal | None
    basis: str
    problem: str = ""

    @property
    def before(self) -> Decimal:
        return (self.per_call_before or ZERO) * self.traffic.per_month

    @property
    def after(self) -> Decimal:
        return (self.per_call_after or ZERO) * self.traffic.per_month

    @property
    def increase(self) -> Decimal:
        return self.after - self.before


def of_change(traffic: Traffic, before: Side | None, after: Side) -> ChangeForecast:
    """Expect for the traffic of the last days what the candidate will cost.

    Where tests ran both versions, their ratio says it; else the change of the tokens that go in, at the list's prices,
    with answers as long as now. What has no price stays unknown: that is not zero.
    """
    if not traffic.calls:
        basis = f"Nobody asked for it in the last {DAYS} days, so it changes nothing yet."
        return ChangeForecast(traffic, None, None, basis)
    now = traffic.cost_per_call
    if now is None:
        return _unknown(traffic, now, "What its calls cost now has no price, so there is nothing to compare with.")
    if before and before.measured.is_enough and after.measured.is_enough:
        ratio = _mean(after.measured) / _mean(before.measured)
        tests = f"{before.measured.calls:,} test calls of what is live and {after.measured.calls:,} of the candidate"
        return ChangeForecast(traffic, now, now * ratio, f"Measured: {tests} on their models.{_age(traffic)}")
    return _counted(traffic, now, before, after)


def _mean(measured: Measured) -> Decimal:
    return measured.cost / measured.calls


def _counted(traffic: Traffic, now: Decimal, before: Side | None, after: Side) -> ChangeForecast:
    """Count the tokens of the example inputs; answers are taken to stay as long as they are."""
    if not after.is_priced:
        return _unknown(traffic, now, f"No price is known for {after.model or 'its model'}. Add one to the price list.")
    assert after.input_price is not None and after.output_price is not None  # noqa: S101, PT018  it is priced
    change = after.input_tokens - before.input_tokens if before else 0
    if before and before.model == after.model:
        then = max(ZERO, now + change * after.input_price)
        words = f"Counted: {change:+,} tokens a call on the example inputs, answers as long as now."
        return ChangeForecast(traffic, now, then, words.replace("-", "\N{MINUS SIGN}") + _age(traffic))
    goes_in = max(ZERO, Decimal(traffic.input_tokens) / traffic.calls + change)
    comes_out = Decimal(traffic.output_tokens) / traffic.calls
    then = goes_in * after.input_price + comes_out * after.output_price
    words = f"Counted: {goes_in:,.0f} tokens in and {comes_out:,.0f} out a call, at the list prices of {after.model}."
    return ChangeForecast(traffic, now, then, words + _age(traffic))


def _age(traffic: Traffic) -> str:
    if traffic.days >= DAYS:
        return ""
    return f" Its traffic is known for {traffic.days} day{'' if traffic.days == 1 else 's'}, taken to go on like that."


def _unknown(traffic: Traffic, now: Decimal | None, problem: str) -> ChangeForecast:
    return ChangeForecast(traffic, now, None, "", problem)


def percent_more(before: Decimal, after: Decimal) -> Decimal | None:
    """Return the increase in percent of what it was; None from nothing."""
    return (after - before) / before * 100 if before else None


def is_over(before: Decimal, after: Decimal, amount: Decimal | None, percent: Decimal | None) -> bool:
    """Tell whether an increase passes either limit. From nothing, any increase passes a limit in percent."""
    if after <= before:
        return False
    share = percent_more(before, after)
    over_amount = amount is not None and after - before > amount
    over_percent = percent is not None and (share is None or share > percent)
    return over_amount or over_percent
