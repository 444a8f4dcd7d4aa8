"""Another provider than our own, written by others: what we believe about the wire is not our own invention."""

from collections.abc import Iterator

import pytest

from apps.llm import clients
from apps.llm.errors import ErrorKind
from tests.llm.provider_client import control, provider_named
from tests.llm.wire import ANTHROPIC, OPENAI, STREAMS, WAYS, Outcome, body_for, connection_to, perform

every_way = pytest.mark.parametrize("way", WAYS)
both_dialects = pytest.mark.parametrize("kind", [OPENAI, ANTHROPIC])
CALM = {
    "latency_ms": 0,
    "chunk_ms": 0,
    "fault_429_every": 0,
    "fault_500_every": 0,
    "fault_hang_every": 0,
    "fault_drop_stream_every": 0,
    "always_usage": False,
}


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with provider_named("second") as url:
        yield url


@pytest.fixture
def second(served: str) -> str:
    control(served, "config", CALM)
    control(served, "reset", {})
    return served


def outcome(url: str, kind: str, way: str, *, timeout: float = 5.0, tools: bool = False) -> Outcome:
    return perform(way, connection_to(url, kind), body_for(kind, "mock-small", tools=tools), timeout=timeout)


@every_way
@both_dialects
def test_an_answer_comes_whole_with_its_usage(second: str, kind: str, way: str) -> None:
    done = outcome(second, kind, way)
    assert done.answer
    assert done.answer.usage
    assert (done.answer.finish_reason, done.answer.answered_by) == ("stop", "mock-small")
    assert done.answer.usage.input > 0
    assert done.shown in {"", done.answer.text}


@every_way
@both_dialects
def test_tool_calls_come_whole(second: str, kind: str, way: str) -> None:
    done = outcome(second, kind, way, tools=True)
    assert done.answer
    assert [call.name for call in done.answer.tool_calls] == ["find_order"]
    assert done.answer.finish_reason == "tool_calls"


@every_way
@both_dialects
def test_a_limit_is_kept_with_its_wait(second: str, kind: str, way: str) -> None:
    control(second, "config", {"fault_429_every": 1, "retry_after": 0.5})
    error = outcome(second, kind, way).error
    assert error
    assert (error.kind, error.permanent, error.retry_after) == (ErrorKind.RATE_LIMITED, False, 0.5)


@every_way
@both_dialects
def test_a_failure_on_their_side_may_be_tried_again(second: str, kind: str, way: str) -> None:
    control(second, "config", {"fault_500_every": 1})
    error = outcome(second, kind, way).error
    assert error
    assert (error.kind, error.permanent, error.http_status) == (ErrorKind.SERVER_ERROR, False, 500)


@every_way
@both_dialects
def test_a_call_that_hangs_ends_in_time(second: str, kind: str, way: str) -> None:
    control(second, "config", {"fault_hang_every": 1, "hang_s": 1})
    error = outcome(second, kind, way, timeout=0.3).error
    assert error
    assert error.kind == ErrorKind.TIMEOUT


@pytest.mark.parametrize("way", STREAMS)
@both_dialects
def test_a_stream_that_is_dropped_is_an_error_after_what_came(second: str, kind: str, way: str) -> None:
    control(second, "config", {"fault_drop_stream_every": 1})
    done = outcome(second, kind, way)
    assert done.error
    assert (done.error.kind, done.error.permanent) == (ErrorKind.CONNECTION, False)
    assert len(done.received.split()) >= 2


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_texts_become_vectors(second: str, encoding: str) -> None:
    client = clients.client_of(connection_to(second))
    body = {"model": "text-embedding-3-small", "input": ["one", "two"], "encoding_format": encoding, "dimensions": 32}
    assert client.dialect.read_embeddings
    found = client.dialect.read_embeddings(client.embed(body, timeout=5)[0], 2)
    assert [len(vector) for vector in found.vectors] == [32, 32]
    assert found.usage


def test_its_models_are_listed(second: str) -> None:
    assert "mock-small" in clients.client_of(connection_to(second)).models()
