"""What reported calls cost: a provider's own usage objects, and whose price counts."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.costs.models import Charge
from tests import factories
from tests.costs.ingesting import NOON, item, price_of, send


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


def the_charge() -> Charge:
    return Charge.objects.get()


def test_openais_usage_is_taken_apart(secret: str) -> None:
    usage = {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    send(secret, item(meters=None, dialect="openai", usage=usage))
    charge = the_charge()
    assert (charge.input_tokens, charge.cache_read_tokens, charge.reasoning_tokens) == (86, 1920, 12)
    assert charge.cost == Decimal("0.005615")


def test_the_responses_api_is_read_too(secret: str) -> None:
    usage = {"input_tokens": 2006, "output_tokens": 300, "input_tokens_details": {"cached_tokens": 1920}}
    send(secret, item(meters=None, dialect="openai", usage=usage))
    assert the_charge().cost == Decimal("0.005615")


def test_anthropics_input_leaves_the_cache_out(secret: str, workspace: Workspace) -> None:
    prices = {"input": "3", "cache_read": "0.3", "cache_write": "3.75", "cache_write_1h": "6", "output": "15"}
    price_of(workspace, "claude-sonnet-4-5", "anthropic", **prices)
    usage = {
        "input_tokens": 21,
        "cache_read_input_tokens": 188086,
        "cache_creation_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
        "output_tokens": 393,
        "service_tier": "standard",
    }
    send(secret, item(meters=None, provider="anthropic", model="claude-sonnet-4-5", dialect="anthropic", usage=usage))
    assert the_charge().cost == Decimal("0.0781338")


@pytest.mark.parametrize(
    ("dialect", "usage", "reason"),
    [
        (
            "openai",
            {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}},
            "usage-contradicts-itself",
        ),
        ("openai", {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 12}, "sum-differs"),
        ("openai", {"completion_tokens": 1}, "no-usage"),
        (
            "anthropic",
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 4},
            },
            "sum-differs",
        ),
        ("anthropic", {"input_tokens": "1", "output_tokens": 1}, "not-a-count"),
    ],
)
def test_usage_that_contradicts_itself_is_never_priced(
    dialect: str, usage: dict[str, Any], reason: str, secret: str
) -> None:
    row = send(secret, item(meters=None, dialect=dialect, usage=usage)).json()["results"][0]
    assert row["reason"] == reason
    assert not Charge.objects.exists()


def test_a_cost_that_was_sent_does_not_replace_our_price(secret: str) -> None:
    send(secret, item(cost="99.5"))
    assert (the_charge().cost, the_charge().tags) == (Decimal("0.0075"), {"reported_cost": "99.5"})


def test_a_cost_is_booked_as_it_is_where_the_sender_says_so(secret: str) -> None:
    send(secret, item(model="house-model", cost="0.000000000001", trust_cost=True))
    assert (the_charge().cost, the_charge().price_ids) == (Decimal("0.000000000001"), [])


def test_a_model_without_price_is_unpriced_and_never_free(secret: str) -> None:
    assert send(secret, item(model="gpt-99")).json()["accepted"] == 1
    assert (the_charge().cost, the_charge().unpriced) == (None, True)


def test_a_dated_name_takes_the_price_of_its_model_and_says_that_it_is_estimated(secret: str) -> None:
    send(secret, item(model="gpt-4o-2026-03-01"))
    charge = the_charge()
    assert (charge.model, charge.cost, charge.estimated) == ("gpt-4o", Decimal("0.0075"), True)
    assert charge.tags == {"reported_model": "gpt-4o-2026-03-01"}


def test_the_provider_may_stand_before_the_model(secret: str) -> None:
    send(secret, item(provider=None, model="openai/gpt-4o"))
    assert (the_charge().provider, the_charge().model, the_charge().estimated) == ("openai", "gpt-4o", False)


def test_a_model_that_one_provider_alone_has_needs_no_provider(secret: str) -> None:
    send(secret, item(provider=None))
    assert the_charge().provider == "openai"


def test_a_price_that_changes_is_taken_by_the_time_of_the_call(secret: str, workspace: Workspace) -> None:
    workspace.prices.filter(meter="input").update(valid_to=NOON)
    price = workspace.prices.get(meter="input")
    price.pk, price.unit_price, price.valid_from, price.valid_to = None, Decimal("0.000005"), NOON, None
    price.save()
    before = (NOON - timedelta(milliseconds=1)).isoformat()
    send(secret, item("1", at=before), item("2"))
    assert list(Charge.objects.order_by("id").values_list("cost", flat=True)) == [Decimal("0.0075"), Decimal("0.01")]
