"""The worked examples of public price lists, to the last digit, priced from the rows that seeding writes."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import DomainError
from apps.costs import pricing, seed
from apps.costs.models import Meter

AT = datetime(2026, 11, 15, tzinfo=UTC)
RULES = list(seed.public_prices())
for number, rule in enumerate(RULES, start=1):
    rule.id = number


def price(model, at=AT, **meters):
    rows = pricing.in_force([rule for rule in RULES if rule.model == model], at)
    return pricing.cost_of({Meter(name): count for name, count in meters.items()}, rows).cost


def openai(model, at=AT, **counts):
    meters = pricing.split_inclusive(**counts)
    return price(model, at, **{meter.value: count for meter, count in meters.items()})


def test_uncached_gpt_4o_costs_input_plus_output():
    assert openai("gpt-4o", prompt=1000, output=500) == Decimal("0.0075")


def test_cached_prompt_tokens_are_billed_once_at_the_cached_rate():
    assert openai("gpt-4o", prompt=2006, cached=1920, output=300) == Decimal("0.005615")


def test_reasoning_tokens_are_part_of_the_output_and_never_added():
    assert openai("gpt-5-nano", prompt=17, output=482) == Decimal("0.00019365")


def test_gpt_5_with_cache_at_the_standard_tier():
    assert openai("gpt-5", prompt=10_000, cached=8_000, output=2_000) == Decimal("0.0235")


@pytest.mark.parametrize(("prompt", "cost"), [(272_000, "0.245"), (272_001, "0.482505")])
def test_a_long_openai_request_is_priced_whole_at_the_higher_step(prompt, cost):
    assert openai("gpt-5.4", prompt=prompt, cached=200_000, output=1_000) == Decimal(cost)


def test_openai_cache_writes_have_their_own_rate():
    assert openai("gpt-6-sol", prompt=10_000, cached=6_000, cache_write=3_000, output=100) == Decimal("0.0117")


@pytest.mark.parametrize(
    ("at", "cost"),
    [(datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC), "50"), (datetime(2025, 6, 10, tzinfo=UTC), "10")],
)
def test_a_price_changes_at_its_moment(at, cost):
    assert openai("o3", at, prompt=1_000_000, output=1_000_000) == Decimal(cost)


def test_plain_sonnet():
    assert price("claude-sonnet-4-5", input=1000, output=500) == Decimal("0.0105")


def test_anthropic_cache_reads_and_both_kinds_of_cache_writes():
    meters = {"input": 21, "cache_write": 1000, "cache_write_1h": 2000, "cache_read": 188_086, "output": 393}
    assert price("claude-sonnet-4-5", **meters) == Decimal("0.0781338")


def test_anthropic_writes_without_a_split_count_as_five_minutes():
    assert price("claude-sonnet-4-5", input=21, cache_write=3000, cache_read=188_086, output=393) == Decimal(
        "0.0736338"
    )


def test_anthropic_input_does_not_hold_the_cache():
    assert price("claude-sonnet-4-5", input=5, cache_read=128_955, cache_write=1253, output=100) == Decimal(
        "0.04490025"
    )


@pytest.mark.parametrize(("cached", "cost"), [(199_000, "0.0777"), (199_001, "0.1479006")])
def test_a_long_anthropic_request_is_priced_whole_at_the_higher_step(cached, cost):
    assert price("claude-sonnet-4-5", input=1000, cache_read=cached, output=1000) == Decimal(cost)


def test_a_used_meter_without_a_price_is_unpriced_and_not_zero():
    found = pricing.cost_of({Meter.INPUT: 10, Meter.CACHE_WRITE: 1}, [r for r in RULES if r.model == "gpt-4o"])
    assert found.cost is None
    assert found.unpriced
    assert found.price_ids == ()


def test_an_unknown_model_is_unpriced():
    assert price("gpt-imaginary", input=1) is None


def test_nothing_used_costs_nothing_even_without_prices():
    assert pricing.cost_of({Meter.INPUT: 0, Meter.OUTPUT: 0}, []) == pricing.Priced(Decimal(0), ())


def test_more_cached_than_prompt_is_refused():
    with pytest.raises(pricing.UsageError) as refusal:
        pricing.split_inclusive(prompt=10, cached=11, output=1)
    assert refusal.value.code == "usage-contradicts-itself"
    assert isinstance(refusal.value, DomainError)


def test_a_negative_meter_is_refused():
    with pytest.raises(pricing.UsageError):
        pricing.cost_of({Meter.OUTPUT: -1}, RULES[:1])


def row(meter, unit_price, above=0, row_id=1, **terms):
    facts = {"tier": "standard", "region": "", "connection_id": None, "valid_from": AT, "valid_to": None, **terms}
    return SimpleNamespace(id=row_id, meter=meter, unit_price=unit_price, above_input_tokens=above, **facts)


@pytest.mark.parametrize(
    ("unit_price", "count", "cost"),
    [("0.000000000001", 1, "0.000000000001"), ("0.0000000000005", 1, "0"), ("0.0000000000015", 1, "0.000000000002")],
)
def test_each_meter_is_rounded_once_half_even_at_twelve_places(unit_price, count, cost):
    found = pricing.cost_of({Meter.INPUT: count}, [row(Meter.INPUT, Decimal(unit_price))])
    assert found.cost == Decimal(cost)


@given(st.dictionaries(st.sampled_from(list(Meter)), st.integers(0, 10**9)), st.integers(0, 10**12))
def test_the_cost_is_the_sum_of_its_meters(meters, picos):
    rows = [row(meter, Decimal(picos).scaleb(-12), row_id=place) for place, meter in enumerate(Meter)]
    found = pricing.cost_of(meters, rows)
    assert found.cost == sum(meters.values()) * Decimal(picos).scaleb(-12)
    assert len(found.price_ids) == sum(1 for count in meters.values() if count)
