"""Servers that mean harm, or that nobody looks after: every one of them is left in time, with a clear error."""

import resource
import time
from typing import Any

import pytest

from apps.llm.errors import ErrorKind
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
    perform,
    rude,
    said,
    streams,
    told_to,
)

every_way = pytest.mark.parametrize("way", WAYS)
every_stream = pytest.mark.parametrize("way", STREAMS)
both_dialects = pytest.mark.parametrize("kind", [OPENAI, ANTHROPIC])
BLOCK = b"x" * 65536


@pytest.mark.parametrize("way", ["ask", "async ask", "stream", "async stream"])
def test_ten_gigabytes_are_left_after_a_few_megabytes(way: str) -> None:
    sent = []

    def manner(caller: Caller) -> None:
        caller.request()
        kind = "text/event-stream" if "stream" in way else "application/json"
        caller.socket.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {10**10}\r\n\r\n".encode())
        try:
            for _ in range(10**10 // len(BLOCK)):
                caller.send(BLOCK)
        finally:
            sent.append(caller.sent)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error = failure(manner, way, timeout=30)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (error.kind, "larg" in error.message) == (ErrorKind.MALFORMED, True)
    assert sent[0] < 32 * 1024 * 1024
    assert grown < 64 * 1024


@every_way
@both_dialects
def test_a_byte_at_a_time_does_not_hold_us(way: str, kind: str) -> None:
    """Each byte comes in time; only a limit on the whole ends this."""

    def manner(caller: Caller) -> None:
        caller.request()
        caller.start("text/event-stream" if "stream" in way else "application/json")
        for byte in "data: " + "x" * 1000:
            caller.chunk(byte.encode())
            time.sleep(0.02)

    begun = time.monotonic()
    error = failure(manner, way, kind, timeout=0.5)
    assert error.kind == ErrorKind.TIMEOUT
    assert 0.4 < time.monotonic() - begun < 2


@every_way
def test_headers_that_never_end_do_not_hold_us(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not caller.server.over.wait(0.02):
            caller.send(b"x")

    begun = time.monotonic()
    assert failure(manner, way, timeout=0.5).kind == ErrorKind.TIMEOUT
    assert time.monotonic() - begun < 2


@every_way
def test_a_server_that_never_reads_does_not_hold_us(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.server.over.wait(10)

    begun = time.monotonic()
    error = failure(manner, way, timeout=0.5, body=body_for(OPENAI, text="x" * 20_000_000))
    assert error.kind == ErrorKind.TIMEOUT
    assert time.monotonic() - begun < 3


@every_stream
@both_dialects
@pytest.mark.parametrize("ends", [True, False], ids=["ended", "cut"])
def test_a_stream_without_its_end_is_an_error_after_what_came(way: str, kind: str, ends: bool) -> None:
    parts = [said(kind, word) for word in ("one ", "two ", "three")]
    outcome = told_to(streams(*parts, ends=ends), way, kind)
    assert outcome.error
    assert (outcome.error.kind, outcome.error.permanent) == (ErrorKind.CONNECTION, False)
    assert (outcome.shown, outcome.received, outcome.answer) == ("one two three", "one two three", None)


@every_stream
@both_dialects
def test_a_stream_cut_within_an_event_is_cut_not_garbage(way: str, kind: str) -> None:
    error = failure(streams(said(kind, "one"), said(kind, "two")[:-9]), way, kind)
    assert (error.kind, "before the answer was complete" in error.message) == (ErrorKind.CONNECTION, True)


@every_stream
@both_dialects
def test_an_answer_that_is_whole_is_kept_when_only_its_wrapping_is_cut(way: str, kind: str) -> None:
    last = finished(kind)
    end = last.index(b"\n\n") + 2
    outcome = told_to(streams(said(kind, "all of it"), last[:end], ends=False), way, kind)
    assert outcome.error is None
    assert outcome.answer
    assert (outcome.answer.text, outcome.answer.finish_reason) == ("all of it", "stop")


GARBAGE = [b"data: {]\n\n", b"data: [1, 2]\n\n", b"data: \xff\xfe\n\n", b"data: " + b"[" * 100_000 + b"\n\n"]


@every_stream
@both_dialects
@pytest.mark.parametrize("garbage", GARBAGE, ids=["broken", "list", "bytes", "deep"])
def test_garbage_in_a_stream_is_malformed(way: str, kind: str, garbage: bytes) -> None:
    outcome = told_to(streams(said(kind, "one"), garbage, finished(kind)), way, kind)
    assert outcome.error
    assert (outcome.error.kind, outcome.received) == (ErrorKind.MALFORMED, "one")


@every_stream
@both_dialects
def test_comments_pings_and_unknown_events_are_passed_over(way: str, kind: str) -> None:
    noise = [b": hello\n\n", event({"type": "ping"}, "ping"), event({"type": "new_kind", "x": 1}, "new_kind"), b"\n\n"]
    parts = [noise[0], said(kind, "a"), *noise, said(kind, "b"), finished(kind)]
    answer = told_to(streams(*parts), way, kind).answer
    assert answer
    assert answer.usage
    assert (answer.text, answer.usage.output) == ("ab", 3)


@every_stream
def test_a_stream_of_comments_alone_ends_with_its_time(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.start()
        while not caller.server.over.wait(0.02):
            caller.chunk(b": still here\n\n")

    begun = time.monotonic()
    assert failure(manner, way, timeout=0.5).kind == ErrorKind.TIMEOUT
    assert time.monotonic() - begun < 2


@every_stream
@both_dialects
def test_silence_in_mid_stream_ends_it_before_its_time(way: str, kind: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.start()
        caller.chunk(said(kind, "one"))
        caller.server.over.wait(10)

    begun = time.monotonic()
    outcome = told_to(manner, way, kind, timeout=30, silence=0.3)
    assert outcome.error
    assert (outcome.error.kind, outcome.received) == (ErrorKind.TIMEOUT, "one")
    assert time.monotonic() - begun < 2


@every_stream
@both_dialects
def test_a_long_thought_before_the_first_word_is_no_silence(way: str, kind: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        time.sleep(0.5)
        caller.start()
        caller.chunk(said(kind, "at last") + finished(kind))
        caller.end()

    assert told_to(manner, way, kind, silence=0.2).error is None


@every_stream
def test_a_server_that_stays_after_its_last_word_does_not_hold_us(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.start()
        caller.chunk(said(OPENAI, "done") + finished(OPENAI))
        caller.server.over.wait(10)

    begun = time.monotonic()
    outcome = told_to(manner, way, timeout=30)
    assert (outcome.error, outcome.shown) == (None, "done")
    assert time.monotonic() - begun < 2


def test_a_connection_is_used_again_after_a_stream() -> None:
    def manner(caller: Caller) -> None:
        while True:
            caller.request()
            caller.start()
            caller.chunk(said(OPENAI, "hello") + finished(OPENAI))
            caller.end()

    with rude(manner) as server:
        connection = connection_to(server.url)
        assert [perform("stream", connection, body_for(OPENAI)).shown for _ in range(3)] == ["hello"] * 3
        assert (server.connections, len(server.requests)) == (1, 3)


ERRORS = [
    (
        OPENAI,
        {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"},
        ErrorKind.RATE_LIMITED,
        False,
    ),
    (OPENAI, {"message": "pay", "type": "insufficient_quota"}, ErrorKind.RATE_LIMITED, True),
    (OPENAI, {"message": "odd", "type": "invalid_request_error", "code": None}, ErrorKind.BAD_REQUEST, True),
    (OPENAI, {"message": "bad key", "code": "invalid_api_key"}, ErrorKind.AUTHENTICATION, True),
    (OPENAI, {"message": "upstream", "code": 502}, ErrorKind.SERVER_ERROR, False),
    (OPENAI, {"message": "busy", "code": 503}, ErrorKind.OVERLOADED, False),
    (OPENAI, {"message": "what", "type": "new_kind"}, ErrorKind.SERVER_ERROR, False),
    (OPENAI, "just words", ErrorKind.SERVER_ERROR, False),
    (ANTHROPIC, {"type": "overloaded_error", "message": "Overloaded"}, ErrorKind.OVERLOADED, False),
    (ANTHROPIC, {"type": "api_error", "message": "oh"}, ErrorKind.SERVER_ERROR, False),
    (ANTHROPIC, {"type": "rate_limit_error", "message": "slow"}, ErrorKind.RATE_LIMITED, False),
    (ANTHROPIC, {"type": "invalid_request_error", "message": "no"}, ErrorKind.BAD_REQUEST, True),
]


@every_stream
@pytest.mark.parametrize(("kind", "told", "expected", "permanent"), ERRORS)
def test_an_error_in_mid_stream_says_what_it_is(
    way: str, kind: str, told: Any, expected: ErrorKind, permanent: bool
) -> None:
    sent = event({"type": "error", "error": told}, "error") if kind == ANTHROPIC else event({"error": told})
    outcome = told_to(streams(said(kind, "one"), sent), way, kind)
    assert outcome.error
    assert (outcome.error.kind, outcome.error.permanent, outcome.received) == (expected, permanent, "one")
    assert (outcome.error.http_status, outcome.error.is_refusal, outcome.error.reached) == (200, False, True)


@every_stream
def test_an_error_event_of_plain_words_is_an_error(way: str) -> None:
    error = failure(streams(event("the machine is on fire", "error")), way, ANTHROPIC)
    assert (error.kind, "on fire" in error.message) == (ErrorKind.SERVER_ERROR, True)


@every_way
@both_dialects
def test_a_redirect_to_a_private_address_is_not_followed(way: str, kind: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(b"", "text/plain", "Location: http://169.254.169.254/latest/", status="307 Temporary Redirect")

    error = failure(manner, way, kind)
    assert (error.http_status, error.permanent) == (307, True)
    assert "another address" in error.message


@every_way
def test_an_error_under_the_status_of_success_is_that_error(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(b'{"error": {"message": "Provider is busy", "code": 503}}')

    error = failure(manner, way)
    assert (error.kind, error.http_status, "busy" in error.message) == (ErrorKind.OVERLOADED, 200, True)


@every_stream
def test_a_whole_answer_instead_of_a_stream_says_so(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.answer(b'{"choices": [{"message": {"content": "hi"}}]}')

    error = failure(manner, way)
    assert (error.kind, error.permanent) == (ErrorKind.MALFORMED, True)
    assert "a stream was asked for" in error.message


@every_stream
def test_a_stream_that_is_announced_as_nothing_is_read(way: str) -> None:
    def manner(caller: Caller) -> None:
        caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n" + said(OPENAI, "hello") + finished(OPENAI))

    assert told_to(manner, way).shown == "hello"


@every_stream
def test_an_empty_stream_is_an_error(way: str) -> None:
    assert failure(streams(), way).kind == ErrorKind.CONNECTION
    assert failure(streams(event("[DONE]")), way).kind == ErrorKind.CONNECTION
