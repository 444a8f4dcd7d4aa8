"""Worked examples of what providers bill, to the last digit, priced from the rows that seeding writes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.costs import amounts, pricing, seed
from apps.costs.amounts import Terms
from apps.costs.model_names import GUESSED
from apps.costs.models import Meter, Tier

AT = datetime(2026, 11, 15, tzinfo=UTC)
RULES = list(seed.public_prices())
for number, rule in enumerate(RULES, start=1):
    rule.id = number


def priced(model, meters, at=AT, **terms):
    rows = amounts.in_force([rule for rule in RULES if rule.model == model], at)
    return amounts.cost_of({Meter(name): count for name, count in meters.items()}, rows, Terms(**terms))


def openai(model, at=AT, tier="", **counts):
    return priced(model, amounts.split_inclusive(**counts), at, tier=tier)


GPT_5 = {"prompt": 10_000, "cached": 8_000, "output": 2_000}
OPENAI = {
    "plain input and output": ("gpt-4o", {"prompt": 1000, "output": 500}, "", "0.0075"),
    "cached tokens once, at their rate": ("gpt-4o", {"prompt": 2006, "cached": 1920, "output": 300}, "", "0.005615"),
    "reasoning is inside the output": ("gpt-5-nano", {"prompt": 17, "output": 482}, "", "0.00019365"),
    "the standard tier by its name in answers": ("gpt-5", GPT_5, "default", "0.0235"),
    "batch": ("gpt-5", GPT_5, "batch", "0.01175"),
    "flex": ("gpt-5", GPT_5, "flex", "0.01175"),
    "priority": ("gpt-5", GPT_5, "priority", "0.047"),
    "batch without a cached rate of its own": (
        "gpt-4o",
        {"prompt": 10_000, "cached": 8_000, "output": 2_000},
        "batch",
        "0.0225",
    ),
    "audio in and out at its own rates": (
        "gpt-audio",
        {"prompt": 1200, "audio_input": 1000, "output": 900, "audio_output": 700},
        "",
        "0.0793",
    ),
    "the longest request at the base price": (
        "gpt-5.4",
        {"prompt": 272_000, "cached": 200_000, "output": 1000},
        "",
        "0.245",
    ),
    "one token more, all of it dearer": (
        "gpt-5.4",
        {"prompt": 272_001, "cached": 200_000, "output": 1000},
        "",
        "0.482505",
    ),
    "cache writes": ("gpt-6-sol", {"prompt": 10_000, "cached": 6000, "cache_write": 3000, "output": 100}, "", "0.0117"),
}


@pytest.mark.parametrize(("model", "counts", "tier", "cost"), OPENAI.values(), ids=OPENAI)
def test_openai(model, counts, tier, cost):
    found = openai(model, tier=tier, **counts)
    assert (found.cost, found.doubt) == (Decimal(cost), "")


SONNET, OPUS = "claude-sonnet-4-5", "claude-opus-5"
WRITES = {"input": 21, "cache_read": 188_086, "output": 393}
ANTHROPIC = {
    "plain input and output": (SONNET, {"input": 1000, "output": 500}, {}, "0.0105"),
    "both kinds of cache writes": (SONNET, {**WRITES, "cache_write": 1000, "cache_write_1h": 2000}, {}, "0.0781338"),
    "writes without a split are of five minutes": (SONNET, {**WRITES, "cache_write": 3000}, {}, "0.0736338"),
    "the cache is beside the input": (
        SONNET,
        {"input": 5, "cache_read": 128_955, "cache_write": 1253, "output": 100},
        {},
        "0.04490025",
    ),
    "a web search is a fee": (
        SONNET,
        {"input": 105, "cache_write": 7345, "cache_read": 7123, "output": 6039, "web_search": 1},
        {},
        "0.13058065",
    ),
    "batch halves the cache too": (
        SONNET,
        {"input": 10_000, "cache_read": 50_000, "output": 2000},
        {"tier": "batch"},
        "0.0375",
    ),
    "the longest request at the base price": (
        SONNET,
        {"input": 1000, "cache_read": 199_000, "output": 1000},
        {},
        "0.0777",
    ),
    "one token more, all of it dearer": (
        SONNET,
        {"input": 1000, "cache_read": 199_001, "output": 1000},
        {},
        "0.1479006",
    ),
    "fast": (OPUS, {"input": 10_000, "cache_read": 40_000, "output": 1000}, {"tier": "fast"}, "0.19"),
    "kept in the region": (OPUS, {"input": 10_000, "output": 1000}, {"region": "us"}, "0.0825"),
    "anywhere": (OPUS, {"input": 10_000, "output": 1000}, {"region": "global"}, "0.075"),
    "kept in the region, in a batch": (
        OPUS,
        {"input": 10_000, "output": 1000},
        {"region": "us", "tier": "batch"},
        "0.04125",
    ),
    "a search costs the same everywhere": (OPUS, {"web_search": 3}, {"region": "us"}, "0.03"),
}


@pytest.mark.parametrize(("model", "meters", "terms", "cost"), ANTHROPIC.values(), ids=ANTHROPIC)
def test_anthropic(model, meters, terms, cost):
    assert priced(model, meters, **terms).cost == Decimal(cost)


@pytest.mark.parametrize("tier", ["auto", "scale", "gold"])
def test_a_tier_that_decides_no_price_is_priced_as_standard_and_doubted(tier):
    found = openai("gpt-5", tier=tier, **GPT_5)
    assert (found.cost, found.doubt) == (Decimal("0.0235"), amounts.TIER_UNKNOWN)


def test_a_tier_that_the_model_has_no_price_for_is_doubted():
    assert priced(SONNET, {"input": 1000}, tier="flex").doubt == amounts.TIER_UNKNOWN


def test_a_region_that_the_model_has_no_price_for_is_doubted():
    assert priced(SONNET, {"input": 1000}, region="us").doubt == amounts.REGION_UNKNOWN


def test_batches_cost_half_before_anybody_looked_it_up():
    found = openai("gpt-5", datetime(2026, 9, 1, tzinfo=UTC), "batch", **GPT_5)
    assert (found.cost, found.doubt) == (Decimal("0.01175"), "")


def test_a_tier_whose_history_nobody_knows_is_doubted_there():
    assert openai("gpt-5", datetime(2026, 9, 1, tzinfo=UTC), "flex", **GPT_5).doubt == amounts.TIER_UNKNOWN


@pytest.mark.parametrize(
    ("model", "at", "cost"),
    [
        ("o3", datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC), "50"),
        ("o3", datetime(2025, 6, 10, tzinfo=UTC), "10"),
        ("gpt-4o", datetime(2024, 8, 1, tzinfo=UTC), "20"),
        ("gpt-4o", datetime(2024, 10, 2, tzinfo=UTC), "12.5"),
        ("gpt-4o-2024-08-06", datetime(2024, 8, 7, tzinfo=UTC), "12.5"),
    ],
)
def test_a_million_in_and_out_costs_what_it_did_then(model, at, cost):
    assert openai(model, at, prompt=1_000_000, output=1_000_000).cost == Decimal(cost)


def test_a_step_that_was_given_up_ends_with_its_list():
    long = {"input": 250_000, "output": 1000}
    before = priced("claude-opus-4-6", long, datetime(2026, 2, 20, tzinfo=UTC)).cost
    after = priced("claude-opus-4-6", long).cost
    assert before > after == Decimal("1.275")


@pytest.mark.parametrize("counts", [{"prompt": 10, "cached": 11}, {"prompt": 10, "audio_input": 11}, {"prompt": -1}])
def test_counts_that_contradict_each_other_are_refused(counts):
    with pytest.raises(pricing.UsageError):
        amounts.split_inclusive(output=5, **counts)


def test_more_audio_than_output_is_refused():
    with pytest.raises(pricing.UsageError):
        amounts.split_inclusive(prompt=10, output=5, audio_output=6)


def test_an_unknown_model_is_unpriced_and_not_free():
    assert openai("gpt-imaginary", prompt=1, output=1).cost is None


@pytest.mark.django_db
def test_a_dated_name_of_anthropics_has_the_price_of_its_family(workspace):
    seed.seed_prices(workspace=workspace)
    asked = {"workspace_id": workspace.pk, "at": AT, "meters": {Meter.INPUT: 1000}}
    dated = pricing.quote(provider="anthropic", model="claude-sonnet-4-5-20250929", **asked)
    assert (dated.cost, dated.doubt) == (Decimal("0.003"), "")
    guessed = pricing.quote(provider="openai", model="gpt-4o-2099-01-01", **asked)
    assert (guessed.cost, guessed.doubt) == (Decimal("0.0025"), GUESSED)
    assert pricing.quote(provider="openai", model="gpt-4o-unheard-of", **asked).unpriced


def own(model, price, **terms):
    from types import SimpleNamespace

    facts = {"tier": Tier.STANDARD, "region": "", "connection_id": None, "above_input_tokens": 0, **terms}
    return SimpleNamespace(
        id=len(RULES) + 1, model=model, meter="input", unit_price=Decimal(price), valid_from=AT, valid_to=None, **facts
    )


def test_a_negotiated_price_holds_for_its_connection_alone():
    rows = [rule for rule in RULES if rule.model == "gpt-4o"] + [own("gpt-4o", "0.000002", connection_id=7)]
    through = [amounts.cost_of({Meter.INPUT: 1000}, rows, Terms(connection_id=c)).cost for c in (7, 8, None)]
    assert through == [Decimal("0.002"), Decimal("0.0025"), Decimal("0.0025")]


def test_a_negotiated_price_of_input_leaves_cached_tokens_at_the_list():
    rows = amounts.in_force([rule for rule in RULES if rule.model == "gpt-4o"], AT)
    rows = [*rows, own("gpt-4o", "0.000002", connection_id=7)]
    found = amounts.cost_of({Meter.INPUT: 1000, Meter.CACHE_READ: 1000}, rows, Terms(connection_id=7))
    assert found.cost == Decimal("0.00325")
