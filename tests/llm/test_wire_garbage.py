"""What is no answer is not taken for one, and a key that is repeated anywhere is shown nowhere."""

import asyncio
import json
from typing import Any

import pytest

from apps.core import transport
from apps.llm import clients
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.events import Events
from tests.llm.conftest import KEY
from tests.llm.wire import (
    ANTHROPIC,
    OPENAI,
    STREAMS,
    WAYS,
    Caller,
    body_for,
    connection_to,
    event,
    failure,
    finished,
    rude,
    said,
    streams,
    told_to,
)

every_way = pytest.mark.parametrize("way", WAYS)
every_stream = pytest.mark.parametrize("way", STREAMS)
both_dialects = pytest.mark.parametrize("kind", [OPENAI, ANTHROPIC])


@every_stream
def test_a_key_repeated_in_mid_stream_is_taken_out(way: str) -> None:
    error = failure(streams(event({"error": {"message": f"Your key {KEY} is bad", "code": "invalid_api_key"}})), way)
    assert "is bad" in error.message


def holds_some_of_the_key(error: ProviderError) -> bool:
    shown = f"{error!r} {error.message} {error.detail} {error.received} {error.request_id}"
    return any(KEY[at : at + 8] in shown for at in range(len(KEY) - 8))


@every_way
@pytest.mark.parametrize("status", ["401 Unauthorized", "200 OK"])
def test_a_repeated_key_leaves_no_piece_where_the_words_are_cut(way: str, status: str) -> None:
    told = {"error": {"message": "x" * 280 + KEY + " is bad", "code": "invalid_api_key"}}

    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(json.dumps(told).encode(), "application/json", f"x-request-id: {'y' * 100}{KEY}", status=status)

    error = failure(manner, way)
    assert (error.kind, error.request_id[:2], len(error.request_id)) == (ErrorKind.AUTHENTICATION, "yy", 103)
    assert not holds_some_of_the_key(error)


@every_stream
def test_a_key_repeated_in_mid_stream_leaves_no_piece(way: str) -> None:
    told = event({"error": {"message": "x" * 280 + KEY, "code": "invalid_api_key"}})
    assert not holds_some_of_the_key(failure(streams(said(OPENAI, "one"), told), way))


@every_way
def test_an_id_that_holds_the_key_does_not_show_it(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        if "stream" in way:
            caller.start("text/event-stream", f"x-request-id: {KEY}")
            caller.chunk(said(OPENAI, "hello") + finished(OPENAI))
            caller.end()
        else:
            caller.answer(b'{"choices": [{"message": {"content": "hi"}}]}', "application/json", f"x-request-id: {KEY}")

    outcome = told_to(manner, way)
    assert (outcome.error, outcome.request_id) == (None, "•••")


@every_way
@pytest.mark.parametrize("kind", ["text/html", "application/json", f"text/{'x' * 20}{KEY}"])
def test_a_key_repeated_in_garbage_is_taken_out(way: str, kind: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(b"{" + b"x" * (65536 - 20) + KEY.encode(), kind)

    error = failure(manner, way)
    assert error.kind == ErrorKind.MALFORMED
    assert not holds_some_of_the_key(error)


@every_way
@both_dialects
def test_a_web_page_instead_of_an_answer_is_malformed(way: str, kind: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(b"<html>Please sign in to the network</html>", "text/html; charset=utf-8")

    error = failure(manner, way, kind)
    assert (error.kind, "text/html" in error.message) == (ErrorKind.MALFORMED, True)
    assert (error.permanent, error.received) == (True, "")


@pytest.mark.parametrize("way", ["ask", "async ask"])
@pytest.mark.parametrize(
    ("sent", "kind", "is_permanent"),
    [
        (b"\xef\xbb\xbf\n <!DOCTYPE html><title>App</title>", "application/json", True),
        (b"<HTML>", "text/plain", True),
        (b"upstream is restarting", "text/plain", False),
        (b'[{"not": "an object"}]', "application/json", False),
        (b"", "application/json", False),
    ],
)
def test_what_no_model_wrote_is_not_counted_as_its_answer(way: str, sent: bytes, kind: str, is_permanent: bool) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(sent, kind)

    error = failure(manner, way)
    assert (error.kind, error.permanent, error.received) == (ErrorKind.MALFORMED, is_permanent, "")


@pytest.mark.parametrize("way", ["ask", "async ask"])
def test_what_came_of_an_answer_that_broke_off_is_kept_in_part(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(b'{"choices": [{"message": {"content": "' + "é".encode() * 100_000)

    error = failure(manner, way)
    assert (error.kind, error.permanent) == (ErrorKind.MALFORMED, False)
    assert error.received.startswith('{"choices"')
    assert 65_530 < len(error.received.encode()) <= 65_536


@every_stream
def test_a_page_instead_of_a_stream_is_not_read_for_longer_than_an_answer(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1024 * 1024)

    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(b"<html>" + b"x" * 2_000_000, "text/html")

    error = failure(manner, way)
    assert (error.permanent, "larger than 1 MB" in error.message) == (True, True)


class Stopped(BaseException):
    """Somebody stops the thread in the middle of a read."""


def test_a_stream_whose_reading_was_stopped_does_not_end_as_if_it_were_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Events, part: bytes) -> Any:
        raise Stopped

    with rude(streams(said(OPENAI, "one"), finished(OPENAI))) as server:
        client = clients.client_of(connection_to(server.url))
        with client.stream(body_for(OPENAI) | {"stream": True}, timeout=5) as stream:
            with monkeypatch.context() as patched:
                patched.setattr(Events, "feed", stop)
                with pytest.raises(Stopped):
                    next(stream)
            with pytest.raises(ProviderError) as caught:
                list(stream)
    assert (caught.value.kind, caught.value.permanent) == (ErrorKind.INTERRUPTED, False)


def test_a_stream_whose_reading_was_cancelled_does_not_end_as_if_it_were_whole() -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.start()
        caller.chunk(said(OPENAI, "one"))
        caller.server.over.wait(10)

    async def cancelled(url: str) -> ErrorKind:
        client = clients.async_client_of(connection_to(url))
        async with await client.stream(body_for(OPENAI) | {"stream": True}, timeout=5) as stream:
            assert await anext(stream)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.1)
            with pytest.raises(ProviderError) as caught:
                await anext(stream)
        return caught.value.kind

    with rude(manner) as server:
        assert asyncio.run(cancelled(server.url)) == ErrorKind.INTERRUPTED


def test_a_stream_that_came_to_its_end_stays_there() -> None:
    with rude(streams(said(OPENAI, "one"), finished(OPENAI))) as server:
        client = clients.client_of(connection_to(server.url))
        with client.stream(body_for(OPENAI) | {"stream": True}, timeout=5) as stream:
            assert len(list(stream)) == 3
            assert list(stream) == []
