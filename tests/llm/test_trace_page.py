"""The page of one call: what it shows, what it explains, and what it never runs."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.llm import policies
from apps.llm.models import BodyPolicy, Call, Model
from apps.llm.traces import contents, waterfall
from tests import factories
from tests.llm.call_rows import charge, make_body, make_call

ClientOf = Callable[[User], Client]
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def url(name: str, workspace: Workspace, call: Call) -> str:
    return reverse(name, args=[workspace.slug, call.pk])


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.fixture
def call(model: Model) -> Call:
    call = make_call(model, text="It left <b>today</b>.")
    charge(call)
    return call


def test_the_trace_shows_question_answer_and_cost_as_text(
    workspace: Workspace, call: Call, paula: User, client_of: ClientOf
) -> None:
    shown = text(client_of(paula).get(url("call_detail", workspace, call)))
    assert "Where is my order?" in shown
    assert "It left &lt;b&gt;today&lt;/b&gt;." in shown
    assert "$0.00004" in shown  # 20 tokens at a millionth and 5 at four
    assert "$4.00 a million, test" in shown
    assert "<b>today" not in shown


def test_the_trace_draws_every_attempt_and_the_waits_between(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    first = make_call(model, NOW, state=Call.State.FAILED, error_kind="overloaded", latency_ms=1000)
    second = make_call(
        model, NOW + timedelta(seconds=3), attempt=2, first_attempt_id=first.pk, latency_ms=1000, first_token_ms=500
    )
    bars = waterfall.bars_of([first, second], NOW + timedelta(seconds=9))
    assert [(bar.left, bar.width, bar.first_token, bar.waited_ms) for bar in bars] == [
        (0.0, 25.0, None, None),
        (75.0, 25.0, 87.5, 2000),
    ]
    shown = text(client_of(paula).get(url("call_detail", workspace, second)))
    assert "2 attempts" in shown
    assert "overloaded" in shown
    assert url("call_detail", workspace, first) in shown
    assert 'x1="87.5%"' in shown


def test_a_call_in_flight_has_a_bar_that_still_grows(model: Model) -> None:
    call = make_call(model, NOW, state=Call.State.SENT)
    (bar,) = waterfall.bars_of([call], NOW + timedelta(seconds=2))
    assert (bar.took_ms, bar.is_running, bar.words) == (2000, True, "Attempt 1: so far 2\u00a0s")


def test_fingerprints_stand_for_texts_and_count_who_asked_the_same(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    calls = [make_call(model, body=None) for _ in range(3)]
    for call in calls:
        make_body(call, kept=BodyPolicy.Kept.HASHED, request_hash="ab" * 32, answer_hash="cd" * 32)
    shown = text(client_of(paula).get(url("call_detail", workspace, calls[0])))
    assert "ab" * 32 in shown
    assert "cd" * 32 in shown
    assert "2 other calls asked exactly the same" in shown


@pytest.mark.parametrize(
    ("kept", "days", "age", "words"),
    [
        ("none", None, 0, "keeps no texts of calls"),
        ("full", 30, 31, "kept for 30 days, and this call is older"),
        ("full", None, 31, "were not kept"),
    ],
)
def test_missing_texts_are_explained(
    kept: str, days: int | None, age: int, words: str, workspace: Workspace, model: Model, paula: User,
    client_of: ClientOf,
) -> None:  # fmt: skip
    BodyPolicy.objects.create(workspace=workspace, kept=kept, days=days)
    policies.forget()
    call = make_call(model, timezone.now() - timedelta(days=age), body=None)
    assert words in text(client_of(paula).get(url("call_detail", workspace, call)))


def test_a_reused_answer_names_the_call_that_bought_it_and_the_saving(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    bought = make_call(model, NOW)
    call = make_call(model, reused_id=bought.pk, cost=Decimal(0), usage={"input": 0, "output": 0})
    charge(call, saved=Decimal("0.25"), free=True)
    shown = text(client_of(paula).get(url("call_detail", workspace, call)))
    assert url("call_detail", workspace, bought) in shown
    assert "It would have cost <strong>$0.25</strong>" in shown


def test_estimated_and_unpriced_charges_are_explained(
    workspace: Workspace, connection: Any, model: Model, paula: User, client_of: ClientOf
) -> None:
    estimated, unpriced = make_call(model), make_call(factories.make_model(connection, "dear"), cost=None)
    charge(estimated, estimated=True)
    charge(unpriced)
    client = client_of(paula)
    assert "Estimated: the provider did not say" in text(client.get(url("call_detail", workspace, estimated)))
    assert "Unpriced: no price was in force" in text(client.get(url("call_detail", workspace, unpriced)))


def test_the_calls_beside_it_are_of_the_same_version(
    workspace: Workspace, model: Model, paula: User, client_of: ClientOf
) -> None:
    fields = [(1, 10), (1, 11), (1, 10), (2, 20), (1, 10)]
    calls = [make_call(model, NOW + timedelta(seconds=n), prompt_id=p, version_id=v) for n, (p, v) in enumerate(fields)]
    trace = client_of(paula).get(url("call_detail", workspace, calls[2])).context["trace"]
    assert (trace.older, trace.newer) == (calls[0], calls[4])


def test_the_file_holds_all_that_is_kept(workspace: Workspace, call: Call, paula: User, client_of: ClientOf) -> None:
    response = client_of(paula).get(url("call_json", workspace, call))
    assert response["Content-Disposition"] == f'attachment; filename="call-{call.pk}.json"'
    found = json.loads(response.content)
    assert found["request"]["messages"][1]["content"] == "Where is my order?"
    assert found["text"] == "It left <b>today</b>."
    assert Decimal(found["cost"]) == Decimal("0.00004")


def test_json_is_laid_out_and_everything_else_stays_as_it_came() -> None:
    assert contents.passage('{"a":[1,"ü"]}').pretty == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}'
    for plain in ("42", "{not json}", "[" * 50_000, '{"a": NaN', ""):
        assert contents.passage(plain).pretty == ""
    assert contents.passage("x" * 100_000).is_cut


def test_messages_of_every_shape_are_shown() -> None:
    request = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": '{"x":1}'}}]},
            {"role": "tool", "content": "done"},
            "not a message",
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}, 3],
    }
    shown = contents.messages_of(request)
    assert [[part.text for part in message.parts][:1] for message in shown] == [["Look"], [], ["done"]]
    assert [(name, passage.pretty) for name, passage in shown[1].tools] == [("f", '{\n  "x": 1\n}')]
    assert [name for name, _ in contents.tools_offered(request)] == ["f"]
    assert contents.messages_of({"texts": ["a", "b"]})[1].parts[0].text == "b"
