"""Answers used again: who may have them, what makes two requests the same, and what a hit costs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.costs.models import Charge
from apps.llm import cache, inference, policies
from apps.llm.errors import ProviderError
from apps.llm.models import BodyPolicy, CachedAnswer, Call, Model
from tests import factories
from tests.llm.conftest import ask, priced

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def reuse(workspace: Any) -> None:
    BodyPolicy.objects.create(workspace=workspace, reuse_hours=24)
    policies.forget()


def asked(model: Model, **fields: Any) -> Any:
    return inference.complete(ask(model, reuse=True, **fields))


def test_the_same_again_costs_nothing_and_shows_what_that_saved(model: Model) -> None:
    first, again = asked(model), asked(model)
    assert (again.text, again.finish_reason, again.reused) == (first.text, first.finish_reason, True)
    assert (again.cost, again.saved, first.saved) == (Decimal(0), first.cost, None)
    charges = [(charge.cost, charge.saved) for charge in Charge.objects.order_by("id")]
    assert charges == [(first.cost, 0), (0, first.cost)]
    call = Call.objects.get(pk=again.call_id)
    assert (call.state, call.reused_id, call.body.text) == ("answered", first.call_id, first.text)


def test_no_provider_is_asked_for_a_kept_answer(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(model)
    monkeypatch.setattr("apps.llm.clients.Client.ask", lambda *_, **__: pytest.fail("asked"))
    assert asked(model).reused


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [{"role": "user", "content": "Where is my parcel?"}]},
        {"parameters": {"temperature": 0.5}},
        {"tools": [{"name": "look", "parameters": {"type": "object", "properties": {}}}]},
        {"output_schema": {"type": "object", "properties": {}}},
        {"repeat": 1},
    ],
    ids=lambda other: next(iter(other)),
)
def test_whatever_matters_makes_it_another_request(model: Model, other: dict[str, Any]) -> None:
    asked(model)
    assert not asked(model, **other).reused


def test_another_model_is_asked_anew(model: Model) -> None:
    asked(model)
    assert not asked(priced(factories.make_model(model.connection, "practice-large"))).reused


def test_who_asks_does_not_matter(model: Model) -> None:
    asked(model)
    request = ask(model, reuse=True)
    other = replace(request, attribution=replace(request.attribution, user_name="Ana", version_id=4), party="run:9")
    assert inference.complete(other).reused


def test_prompts_do_not_share_answers(model: Model) -> None:
    asked(model)
    request = ask(model, reuse=True)
    assert not inference.complete(replace(request, attribution=replace(request.attribution, prompt_id=4))).reused


def test_another_workspace_never_sees_an_answer(model: Model, provider: str) -> None:
    asked(model)
    other = factories.make_workspace("other")
    BodyPolicy.objects.create(workspace=other, reuse_hours=24)
    stranger = priced(factories.make_model(factories.make_connection(other, f"{provider}/v1")))
    stranger.connection.pk = model.connection_id  # even if the rest of the fingerprint were the same
    assert cache.key_of(ask(stranger), {}) == cache.key_of(ask(model), {})
    assert cache.find(ask(stranger), cache.key_of(ask(model), {}), timezone.now()) is None


def test_only_who_asks_for_it_gets_a_kept_answer(model: Model) -> None:
    asked(model)
    assert not inference.complete(ask(model)).reused


def test_a_workspace_that_reuses_nothing_keeps_nothing(model: Model) -> None:
    BodyPolicy.objects.update(reuse_hours=0)
    policies.forget()
    asked(model)
    assert not CachedAnswer.objects.exists()


@pytest.mark.parametrize("kept", ["hashed", "none"])
def test_what_is_not_kept_cannot_be_used_again(model: Model, kept: str) -> None:
    BodyPolicy.objects.update(kept=kept)
    policies.forget()
    asked(model)
    assert not asked(model).reused
    assert not CachedAnswer.objects.exists()


def test_an_answer_serves_no_longer_than_the_workspace_says(model: Model) -> None:
    asked(model)
    kept = CachedAnswer.objects.get()
    assert kept.expires_at - kept.created_at == timedelta(hours=24)
    CachedAnswer.objects.update(expires_at=timezone.now())
    assert not asked(model).reused


def test_failures_are_never_kept(model: Model, set_provider: Callable[..., None]) -> None:
    set_provider(fault_500_next=1)
    with pytest.raises(ProviderError):
        asked(model, max_attempts=1)
    assert not CachedAnswer.objects.exists()
    assert not asked(model).reused


def test_a_prompts_answers_can_be_forgotten(model: Model) -> None:
    request = ask(model, reuse=True)
    inference.complete(replace(request, attribution=replace(request.attribution, prompt_id=4)))
    asked(model, repeat=1)
    assert cache.purge(workspace=model.workspace, prompt_id=4) == 1
    assert asked(model, repeat=1).reused
    assert not asked(model).reused


def test_a_kept_tool_call_streams_as_a_tool_call(model: Model) -> None:
    tools = [{"name": "find_order", "parameters": {"type": "object", "properties": {"number": {"type": "string"}}}}]
    first = asked(model, tools=tools)
    assert first.tool_calls
    with inference.stream(ask(model, reuse=True, tools=tools)) as answer:
        pieces = list(answer)
    assert [piece.tool_name for piece in pieces if piece.tool_call is not None] == [first.tool_calls[0].name]


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr("apps.llm.attempts.cache.keep", full)
    assert asked(model).text
    assert Call.objects.get().state == "answered"


def test_a_kept_answer_streams_in_one_piece(model: Model) -> None:
    first = asked(model)
    with inference.stream(ask(model, reuse=True)) as answer:
        said = "".join(delta.text for delta in answer)
    assert (said, answer.completion.reused) == (first.text, True)  # type: ignore[union-attr]
