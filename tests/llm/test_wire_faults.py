"""Whatever the practice provider does on demand ends in an answer or in one clear error, in every way of asking."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from apps.core import transport
from apps.llm import clients
from apps.llm.errors import ErrorKind, ProviderError
from tests.llm.conftest import KEY
from tests.llm.wire import ANTHROPIC, OPENAI, STREAMS, WAYS, Outcome, body_for, connection_to, perform

KINDS = [OPENAI, ANTHROPIC]
REFUSALS = {
    "400": (ErrorKind.BAD_REQUEST, True, None),
    "401": (ErrorKind.AUTHENTICATION, True, None),
    "404": (ErrorKind.NOT_FOUND, True, None),
    "429": (ErrorKind.RATE_LIMITED, False, 0.02),
    "500": (ErrorKind.SERVER_ERROR, False, None),
    "503": (ErrorKind.OVERLOADED, False, 0.02),
    "529": (ErrorKind.OVERLOADED, False, 0.02),
}
BREAKS = {
    "reset": ErrorKind.CONNECTION,
    "drop_stream": ErrorKind.CONNECTION,
    "cut_stream": ErrorKind.CONNECTION,
    "malformed": ErrorKind.MALFORMED,
    "hang": ErrorKind.TIMEOUT,
    "hang_stream": ErrorKind.TIMEOUT,
}
every_way = pytest.mark.parametrize("way", WAYS)
every_stream = pytest.mark.parametrize("way", STREAMS)
both_dialects = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def quick(set_provider: Callable[..., None]) -> None:
    set_provider(drip_ms=5, huge_mb=2)


def outcome(url: str, kind: str, way: str, fault: str, *, timeout: float = 5.0, tools: bool = False) -> Outcome:
    body = body_for(kind, f"practice-small!{fault}" if fault else "practice-small", tools=tools)
    return perform(way, connection_to(url, kind), body, timeout=timeout)


def failure(*args: Any, **options: Any) -> ProviderError:
    error = outcome(*args, **options).error
    assert error is not None
    assert KEY not in f"{error!r} {error} {error.message} {error.received}"
    assert error.__cause__ is None
    return error


@every_way
@both_dialects
def test_an_answer_comes_whole_with_its_usage_and_its_id(provider: str, kind: str, way: str) -> None:
    done = outcome(provider, kind, way, "")
    assert done.error is None
    assert done.answer
    assert done.answer.usage
    assert done.answer.usage.input > 0
    assert done.answer.usage.output > 0
    assert (done.answer.finish_reason, done.answer.answered_by) == ("stop", "practice-small")
    assert done.answer.service_tier in {"default", "standard"}
    assert done.request_id.startswith("req_")


@pytest.mark.parametrize("way", ["stream", "async ask", "async stream"])
@both_dialects
def test_every_way_gets_the_same_answer(provider: str, kind: str, way: str) -> None:
    first, other = outcome(provider, kind, "ask", ""), outcome(provider, kind, way, "")
    assert other.answer == first.answer
    assert first.answer
    assert other.shown in {"", first.answer.text}


@every_way
@both_dialects
@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_says_its_kind_and_whether_to_come_back(provider: str, kind: str, way: str, fault: str) -> None:
    error = failure(provider, kind, way, fault)
    assert (error.kind, error.permanent, error.retry_after) == REFUSALS[fault]
    assert (error.http_status, error.is_refusal, error.request_id[:4]) == (int(fault), True, "req_")


@every_way
@both_dialects
@pytest.mark.parametrize("fault", BREAKS)
def test_what_breaks_on_the_way_may_be_tried_again(provider: str, kind: str, way: str, fault: str) -> None:
    error = failure(provider, kind, way, fault, timeout=2.0 if fault.startswith("hang") else 5.0)
    assert (error.kind, error.permanent, error.reached, error.is_refusal) == (BREAKS[fault], False, True, False)


@every_stream
@both_dialects
@pytest.mark.parametrize("fault", ["cut_stream", "hang_stream", "error_stream", "drop_stream"])
def test_what_came_before_the_break_is_known(provider: str, kind: str, way: str, fault: str) -> None:
    done = outcome(provider, kind, way, fault, timeout=0.4 if fault == "hang_stream" else 5.0)
    assert done.error
    assert done.answer is None
    assert done.shown == done.received
    assert len(done.received.split()) >= 3


@every_way
@both_dialects
def test_an_error_after_success_was_claimed_is_an_error(provider: str, kind: str, way: str) -> None:
    error = failure(provider, kind, way, "error_stream")
    overloaded = kind == ANTHROPIC and way in STREAMS
    assert error.kind == (ErrorKind.OVERLOADED if overloaded else ErrorKind.SERVER_ERROR)
    assert (error.permanent, error.http_status, error.is_refusal) == (False, 200, False)
    assert error.request_id.startswith("req_")


@every_way
@both_dialects
@pytest.mark.parametrize("fault", ["no_usage", "wrong_usage"])
def test_a_usage_that_is_missing_or_makes_no_sense_is_none(provider: str, kind: str, way: str, fault: str) -> None:
    done = outcome(provider, kind, way, fault)
    assert done.answer
    assert done.answer.text
    assert done.answer.usage is None


@every_way
@both_dialects
def test_a_finish_reason_that_nobody_knows_is_kept(provider: str, kind: str, way: str) -> None:
    answer = outcome(provider, kind, way, "strange_end").answer
    assert answer
    assert answer.finish_reason == "lost_in_thought"


@every_way
@both_dialects
def test_a_model_that_nobody_asked_for_is_named(provider: str, kind: str, way: str) -> None:
    answer = outcome(provider, kind, way, "other_model").answer
    assert answer
    assert answer.answered_by == "practice-unheard-of"


@every_way
@both_dialects
def test_a_tool_call_comes_whole(provider: str, kind: str, way: str) -> None:
    answer = outcome(provider, kind, way, "", tools=True).answer
    assert answer
    [call] = answer.tool_calls
    assert (call.name, set(json.loads(call.arguments)), bool(call.id)) == ("find_order", {"order", "urgent"}, True)
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize(("kind", "way"), [(OPENAI, way) for way in WAYS] + [(ANTHROPIC, way) for way in STREAMS])
def test_tool_arguments_that_are_no_json_stay_text(provider: str, kind: str, way: str) -> None:
    answer = outcome(provider, kind, way, "bad_arguments", tools=True).answer
    assert answer
    [call] = answer.tool_calls
    assert call.arguments.startswith("{")
    with pytest.raises(ValueError, match="line 1"):
        json.loads(call.arguments)


@every_way
@both_dialects
def test_a_huge_answer_is_left_in_the_middle(
    provider: str, kind: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1024 * 1024)
    monkeypatch.setattr(transport, "MAX_STREAM_BYTES", 1024 * 1024)
    error = failure(provider, kind, way, "huge")
    assert (error.kind, error.permanent) == (ErrorKind.MALFORMED, True)
    assert "larger than 1 MB" in error.message


@every_way
@both_dialects
def test_a_slow_answer_that_keeps_coming_arrives(provider: str, kind: str, way: str) -> None:
    answer = outcome(provider, kind, way, "slow").answer
    assert answer
    assert answer.usage


@every_way
@both_dialects
def test_a_slow_answer_does_not_outlast_its_time(
    provider: str, kind: str, way: str, set_provider: Callable[..., None]
) -> None:
    set_provider(drip_ms=100)
    assert failure(provider, kind, way, "slow", timeout=0.35).kind == ErrorKind.TIMEOUT


@every_way
@both_dialects
def test_a_revoked_key_is_a_permanent_error(provider: str, kind: str, way: str) -> None:
    connection = connection_to(provider, kind, key="sk-revoked-0123456789")
    error = perform(way, connection, body_for(kind)).error
    assert error
    assert (error.kind, error.permanent) == (ErrorKind.AUTHENTICATION, True)


@every_way
@both_dialects
def test_an_unknown_model_is_a_permanent_error(provider: str, kind: str, way: str) -> None:
    error = perform(way, connection_to(provider, kind), body_for(kind, "no-such-model")).error
    assert error
    assert (error.kind, error.permanent) == (ErrorKind.NOT_FOUND, True)


@both_dialects
def test_a_stream_left_early_hangs_up_and_the_client_goes_on(
    provider: str, kind: str, set_provider: Callable[..., None]
) -> None:
    set_provider(token_ms=5)
    client = clients.client_of(connection_to(provider, kind))
    with client.stream(body_for(kind) | {"stream": True}, timeout=5) as stream:
        assert next(iter(stream))
    assert client.ask(body_for(kind), timeout=5)[1]


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_texts_become_vectors_in_their_order(provider: str, encoding: str) -> None:
    client = clients.client_of(connection_to(provider))
    body = {"model": "practice-embed", "input": ["late parcel", "red kettle", "late parcel"]}
    assert client.dialect.read_embeddings
    received, ident = client.embed(body | {"encoding_format": encoding, "dimensions": 16}, timeout=5)
    found = client.dialect.read_embeddings(received, 3)
    assert found.vectors[0] == found.vectors[2] != found.vectors[1]
    assert [len(vector) for vector in found.vectors] == [16, 16, 16]
    assert found.usage
    assert (found.usage.input > 0, found.usage.output, ident[:4]) == (True, 0, "req_")


@pytest.mark.parametrize("fault", REFUSALS)
def test_embeddings_are_refused_like_everything_else(provider: str, fault: str) -> None:
    client = clients.client_of(connection_to(provider))
    with pytest.raises(ProviderError) as caught:
        client.embed({"model": f"practice-embed!{fault}", "input": ["a"]}, timeout=5)
    assert (caught.value.kind, caught.value.permanent, caught.value.retry_after) == REFUSALS[fault]


def test_a_provider_without_embeddings_says_so(provider: str) -> None:
    with pytest.raises(clients.NoEmbeddings, match="Choose a model of another connection"):
        clients.client_of(connection_to(provider, ANTHROPIC)).embed({}, timeout=5)
