"""Audio, images and tools: taken apart from the provider's counts, priced, and in the sums of tokens and tool uses."""

from decimal import Decimal
from typing import Any

import pytest

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.costs import amounts
from apps.costs.models import Charge, Quarantined, SpendAxis, SpendDay, SpendHour, SpendMonth
from apps.costs.verification import verify
from tests import factories
from tests.costs.ingesting import item, price_of, send

PRICES = {
    "input": "1",
    "cache_read": "0.5",
    "output": "4",
    "audio_input": "10",
    "audio_output": "20",
    "audio_cache_read": "2",
    "image_input": "5",
    "image_output": "40",
    "web_search": "10000",
    "file_search": "2500",
    "code_session": "30000",
}


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace, **PRICES)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


def test_every_meter_is_priced_and_in_the_sums_that_count_its_kind(secret: str, workspace: Workspace) -> None:
    counts = {name: 2**place for place, name in enumerate(PRICES)}
    tools = sum(counts[name] for name in ("web_search", "file_search", "code_session"))
    tokens = sum(counts.values()) - tools
    send(secret, item(meters=counts, total_tokens=tokens))
    charge, day = Charge.objects.get(), SpendDay.objects.get()
    assert charge.cost == sum(Decimal(PRICES[name]) * count for name, count in counts.items()) / 1_000_000
    for row in (day, SpendMonth.objects.get()):
        assert row.audio_tokens == sum(counts[f"audio_{kind}"] for kind in ("input", "output", "cache_read"))
        assert row.image_tokens == counts["image_input"] + counts["image_output"]
        assert row.tool_uses == tools
    assert SpendHour.objects.get().tokens == tokens
    assert set(SpendAxis.objects.values_list("tokens", flat=True)) == {tokens}
    assert all(not total.differences for total in verify([workspace]))


def test_a_spoken_conversation_is_taken_apart_with_its_cache(secret: str) -> None:
    usage = {
        "input_tokens": 1000,
        "output_tokens": 300,
        "total_tokens": 1300,
        "input_token_details": {
            "text_tokens": 400,
            "audio_tokens": 500,
            "image_tokens": 100,
            "cached_tokens": 350,
            "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 200, "image_tokens": 50},
        },
        "output_token_details": {"text_tokens": 100, "audio_tokens": 200},
    }
    send(secret, item(meters=None, dialect="openai", usage=usage))
    found = {meter.value: count for meter, count in Charge.objects.get().meters.items()}
    assert found == {
        "input": 300,
        "cache_read": 150,
        "audio_input": 300,
        "audio_cache_read": 200,
        "image_input": 50,
        "output": 100,
        "audio_output": 200,
    }
    assert sum(found.values()) == 1300


@pytest.mark.parametrize(
    "parts",
    [
        {"audio_tokens": 10, "cached_tokens": 5, "cached_tokens_details": {"audio_tokens": 6}},
        {"image_tokens": 101},
        {"audio_tokens": 4, "cached_tokens": 5, "cached_tokens_details": {"audio_tokens": 5}},
    ],
)
def test_parts_that_contradict_each_other_are_set_aside(parts: dict[str, Any], secret: str) -> None:
    usage = {"input_tokens": 100, "output_tokens": 1, "input_tokens_details": parts}
    send(secret, item(meters=None, dialect="openai", usage=usage))
    kept = Quarantined.objects.get()
    assert kept.reason == "usage-contradicts-itself"
    assert kept.payload["usage"] == usage


def test_tools_may_be_counted_beside_a_usage_object_and_tokens_may_not(secret: str) -> None:
    usage = {"input_tokens": 100, "output_tokens": 10}
    send(secret, item("1", dialect="openai", usage=usage, meters={"web_search": 2}))
    assert Charge.objects.get().cost == Decimal("0.02014")
    send(secret, item("2", dialect="openai", usage=usage, meters={"input": 100}))
    assert Quarantined.objects.get().reason == "counted-twice"


def test_images_without_a_price_take_that_of_text_and_are_doubted(workspace: Workspace) -> None:
    price_of(workspace)
    rows = list(workspace.prices.all())
    found = amounts.cost_of({amounts.Meter.INPUT: 1000, amounts.Meter.IMAGE_INPUT: 1000}, rows)
    assert (found.cost, found.doubt) == (Decimal("0.005"), amounts.IMAGES_AS_TEXT)
    assert amounts.cost_of({amounts.Meter.IMAGE_OUTPUT: 1}, rows).unpriced
