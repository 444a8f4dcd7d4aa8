"""Answers that took several requests on the provider's side: each at its own model's price."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User, Workspace
from apps.accounts.rights import Scope
from apps.costs.models import Charge, Quarantined
from apps.costs.verification import verify
from tests import factories
from tests.costs.ingesting import item, price_of, send

SONNET, OPUS = "claude-sonnet-4-5", "claude-opus-5"


@pytest.fixture
def secret(workspace: Workspace) -> str:
    price_of(workspace, SONNET, "anthropic", input="3", cache_read="0.3", cache_write="3.75", output="15")
    price_of(workspace, OPUS, "anthropic", input="5", cache_read="0.5", cache_write="6.25", output="25")
    price_of(workspace, "advisor", "anthropic", web_search="10000", input="5", output="25")
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[1]


def counts(given: int, answered: int, **more: Any) -> dict[str, Any]:
    nothing = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {**nothing, "input_tokens": given, "output_tokens": answered, **more}


def reported(*iterations: dict[str, Any], whole: dict[str, Any], model: str = SONNET, **values: Any) -> dict[str, Any]:
    usage = {**whole, "iterations": list(iterations)}
    return item(meters=None, provider="anthropic", model=model, dialect="anthropic", usage=usage, **values)


def booked() -> dict[str, list[Decimal | None]]:
    found: dict[str, list[Decimal | None]] = {}
    for charge in Charge.objects.order_by("source_id"):
        found.setdefault(charge.model, []).append(charge.cost)
    return found


def test_a_compaction_is_billed_although_the_whole_leaves_it_out(secret: str, workspace: Workspace) -> None:
    entries = [counts(1000, 200, type="compaction"), counts(500, 100, type="message")]
    send(secret, reported(*entries, whole=counts(500, 100)))
    assert booked() == {SONNET: [Decimal("0.006"), Decimal("0.003")]}
    assert all(not total.differences for total in verify([workspace]))


def test_an_advisor_is_billed_at_its_own_models_price(secret: str) -> None:
    entries = [counts(500, 100, type="message"), counts(1000, 100, type="advisor_message", model=OPUS)]
    send(secret, reported(*entries, whole=counts(500, 100)))
    assert booked() == {SONNET: [Decimal("0.003")], OPUS: [Decimal("0.0075")]}


@pytest.mark.parametrize("whole", [counts(500, 100), counts(1000, 100)], ids=["what served", "all of it"])
def test_a_fallback_bills_what_served_and_not_what_declined(whole: dict[str, Any], secret: str) -> None:
    entries = [counts(500, 0, type="message", model=OPUS), counts(500, 100, type="fallback_message", model=SONNET)]
    send(secret, reported(*entries, whole=whole, model=SONNET))
    assert booked() == {SONNET: [Decimal("0.003")]}


def test_iterations_that_do_not_add_up_are_set_aside_and_kept_whole(secret: str, fay: User) -> None:
    entries = [counts(400, 100, type="message"), counts(1000, 100, type="advisor_message", model=OPUS)]
    row = send(secret, reported(*entries, whole=counts(500, 100))).json()["results"][0]
    assert row["reason"] == "sum-differs"
    kept = Quarantined.objects.get()
    assert kept.payload["usage"]["iterations"] == entries
    client = Client()
    client.force_login(fay)
    form = {"provider": "anthropic", "model": SONNET, "dialect": "anthropic", "customer": "c-1"}
    assert client.post(f"/w/acme/spend/ingest/{kept.pk}/", form).status_code == 422


def test_a_server_tool_loop_is_billed_request_by_request_with_its_searches_once(secret: str) -> None:
    entries = [counts(100, 10, type="message"), counts(200, 20, type="message")]
    whole = counts(300, 30, server_tool_use={"web_search_requests": 0})
    send(secret, reported(*entries, whole=whole))
    assert sum(cost or 0 for cost in booked()[SONNET]) == Decimal("0.00135")


def test_a_single_iteration_is_the_answer_itself(secret: str) -> None:
    send(secret, reported(counts(500, 100, type="message"), whole=counts(500, 100)))
    assert booked() == {SONNET: [Decimal("0.003")]}


def test_a_repeat_books_none_of_the_requests_again(secret: str) -> None:
    entries = [counts(500, 100, type="message"), counts(1000, 100, type="advisor_message", model=OPUS)]
    answers = [send(secret, reported(*entries, whole=counts(500, 100))).json() for _ in range(2)]
    assert [answer["accepted"] for answer in answers] == [1, 0]
    assert Charge.objects.count() == 2


@pytest.mark.parametrize("entry", [{"type": "poem"}, "text", {"type": "advisor_message", **counts(1, 1)}])
def test_an_iteration_that_nobody_knows_is_set_aside(entry: Any, secret: str) -> None:
    row = send(secret, reported(entry, whole=counts(500, 100))).json()["results"][0]
    assert row["reason"] == "iterations"
    assert "text" not in str(Quarantined.objects.get().payload["usage"]["iterations"])


def test_thoughts_are_inside_the_output_of_the_requests(secret: str) -> None:
    entries = [counts(100, 10, type="message"), counts(200, 20, type="message")]
    whole = counts(300, 30, output_tokens_details={"thinking_tokens": 15})
    send(secret, reported(*entries, whole=whole))
    assert list(Charge.objects.order_by("source_id").values_list("reasoning_tokens", flat=True)) == [10, 5]
