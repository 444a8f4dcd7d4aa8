"""Servers that are compatible but know no stream options work all the same, and are asked in vain only once."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from apps.accounts.models import Workspace
from apps.llm import clients, inference
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Call
from tests import factories
from tests.llm.conftest import ask
from tests.llm.wire import OPENAI, STREAMS, Caller, body_for, connection_to, finished, perform, rude, said

every_stream = pytest.mark.parametrize("way", STREAMS)


EXTRA = b'{"error": {"message": "stream_options: extra fields not permitted"}}'


def picky(refused: Iterator[int], status: str = "400 Bad Request", words: bytes = EXTRA) -> Any:
    """Return the manner of a server that knows no stream options, for as many requests as there are numbers."""

    def manner(caller: Caller) -> None:
        while True:
            if "stream_options" in caller.request() and next(refused, None) is not None:
                caller.answer(words, status=status)
                continue
            caller.start()
            caller.chunk(said(OPENAI, "hello") + finished(OPENAI))
            caller.end()

    return manner


@pytest.mark.parametrize("status", ["400 Bad Request", "422 Unprocessable Entity"])
@pytest.mark.parametrize("words", [EXTRA, b'{"detail": [{"loc": ["body", "stream_options"]}]}', b""])
def test_a_compatible_server_without_stream_options_works_the_next_time_and_is_remembered(
    status: str, words: bytes
) -> None:
    with rude(picky(count(), status, words)) as server:
        connection = connection_to(server.url, "openai-compatible")
        refused, *later = [perform("stream", connection, body_for(OPENAI)) for _ in range(3)]
        offered = ["stream_options" in request for request in server.requests]
    assert refused.error
    assert (refused.error.kind, refused.error.permanent, refused.error.retry_after) == (ErrorKind.BAD_REQUEST, False, 0)
    assert ([outcome.shown for outcome in later], offered) == (["hello", "hello"], [True, False, False])


@pytest.mark.django_db(transaction=True)
def test_each_request_to_a_server_without_stream_options_is_an_attempt_of_its_own(workspace: Workspace) -> None:
    with rude(picky(count())) as server:
        connection = factories.make_connection(workspace, f"{server.url}/v1", kind="openai-compatible")
        with inference.stream(ask(factories.make_model(connection))) as answer:
            assert "".join(delta.text for delta in answer) == "hello"
        assert len(server.requests) == 2
    assert list(Call.objects.order_by("attempt").values_list("attempt", "state", "status")) == [
        (1, "failed", 400),
        (2, "answered", 200),
    ]


async def opened_twice(url: str) -> str:
    """Open a stream that is refused and then another, of the same client; return what that one said."""
    client = clients.async_client_of(connection_to(url, "openai-compatible"))
    body = body_for(OPENAI) | {"stream": True, "stream_options": {"include_usage": True}}
    with pytest.raises(ProviderError) as caught:
        await client.stream(body, timeout=5)
    assert not caught.value.permanent
    assembler = client.dialect.assembler()
    async with await client.stream(body, timeout=5) as stream:
        return "".join([delta.text async for event in stream for delta in assembler.feed(event)])


def test_a_compatible_server_without_stream_options_works_the_next_time_in_a_loop_too() -> None:
    with rude(picky(count())) as server:
        assert asyncio.run(opened_twice(server.url)) == "hello"
        assert ["stream_options" in request for request in server.requests] == [True, False]


@every_stream
def test_a_refusal_of_something_else_is_believed_at_once(way: str) -> None:
    with rude(picky(count(), words=b'{"error": {"message": "no such temperature"}}')) as server:
        error = perform(way, connection_to(server.url, "openai-compatible"), body_for(OPENAI)).error
        assert error
        assert (error.permanent, len(server.requests)) == (True, 1)


def test_a_server_that_refuses_the_same_without_stream_options_is_believed_then() -> None:
    def manner(caller: Caller) -> None:
        while True:
            caller.request()
            caller.answer(b"", status="400 Bad Request")

    with rude(manner) as server:
        connection = connection_to(server.url, "openai-compatible")
        errors = [perform("stream", connection, body_for(OPENAI)).error for _ in range(3)]
        offered = ["stream_options" in request for request in server.requests]
    assert [error.permanent for error in errors if error] == [False, True, False]
    assert offered == [True, False, True]


@every_stream
def test_openai_itself_is_not_asked_twice(way: str) -> None:
    with rude(picky(count())) as server:
        error = perform(way, connection_to(server.url), body_for(OPENAI)).error
        assert error
        assert (error.kind, len(server.requests)) == (ErrorKind.BAD_REQUEST, 1)


def test_a_compatible_server_that_took_stream_options_is_believed_when_it_refuses_later() -> None:
    def manner(caller: Caller) -> None:
        while True:
            if "broken" in caller.request()["model"]:
                caller.answer(b'{"error": {"message": "no such temperature"}}', status="400 Bad Request")
                continue
            caller.start()
            caller.chunk(said(OPENAI, "hello") + finished(OPENAI))
            caller.end()

    with rude(manner) as server:
        connection = connection_to(server.url, "openai-compatible")
        assert perform("stream", connection, body_for(OPENAI)).shown == "hello"
        error = perform("stream", connection, body_for(OPENAI, "broken")).error
        assert error
        assert (error.kind, len(server.requests)) == (ErrorKind.BAD_REQUEST, 2)
