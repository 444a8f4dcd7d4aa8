"""How bytes reach a server of somebody else: no redirects, no endless answers, no private address behind a public name."""

import time
from collections.abc import AsyncIterator, Iterator

import httpx2

from apps.core import sockets

MAX_ANSWER_BYTES = 8 * 1024 * 1024
# A stream is not kept as it comes, and its wrapping is many times as long as its text.
MAX_STREAM_BYTES = 64 * 1024 * 1024
EVENT_STREAM = "text/event-stream"
CONNECT_SECONDS = 10.0
KEEP_CONNECTIONS = 64


class AnswerTooLarge(Exception):
    """The other side sent more than we are willing to hold, or packed it so that we cannot tell."""


class TimeLimits(httpx2.Timeout):
    """Limits under which a request and its answer take about `seconds` at most, connecting included."""

    def __init__(self, seconds: float) -> None:
        self._until = sockets.Until(seconds)
        super().__init__(self._until, connect=min(seconds, CONNECT_SECONDS))

    def bound_silence(self, seconds: float) -> None:
        """From now on wait no longer than this for the next bytes."""
        self._until.silence = seconds

    def end_within(self, seconds: float) -> None:
        """Take no longer than this from now on, all in all."""
        self._until.ends_at = min(self._until.ends_at, time.monotonic() + seconds)


def http_client(*, may_be_private: bool, keep: int = KEEP_CONNECTIONS) -> httpx2.Client:
    """Return a pooled client. Every new connection's far end must be an address that we may call."""
    return httpx2.Client(
        transport=GuardedTransport(may_be_private=may_be_private, keep=keep),
        follow_redirects=False,
        trust_env=False,
        headers=UNPACKED,
    )


def async_http_client(*, may_be_private: bool, keep: int = KEEP_CONNECTIONS) -> httpx2.AsyncClient:
    """Return the same for one event loop."""
    return httpx2.AsyncClient(
        transport=GuardedAsyncTransport(may_be_private=may_be_private, keep=keep),
        follow_redirects=False,
        trust_env=False,
        headers=UNPACKED,
    )


# A packed answer could unpack to any size; unpacked, what we count is what we hold.
UNPACKED = {"Accept-Encoding": "identity"}


class GuardedTransport(httpx2.HTTPTransport):
    """The usual transport over guarded sockets, with an end to every answer."""

    def __init__(self, *, may_be_private: bool, keep: int = KEEP_CONNECTIONS) -> None:
        self._pool = sockets.pool(may_be_private=may_be_private, keep=max(keep, KEEP_CONNECTIONS))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request. Raises AnswerTooLarge while the answer is read, and DomainError for a refused peer."""
        response = super().handle_request(request)
        if _is_packed(response):
            response.close()
            raise AnswerTooLarge(PACKED)
        assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101
        response.stream = BoundedStream(response.stream, _most_bytes(request, response))
        return response


class GuardedAsyncTransport(httpx2.AsyncHTTPTransport):
    """The same for one event loop."""

    def __init__(self, *, may_be_private: bool, keep: int = KEEP_CONNECTIONS) -> None:
        self._pool = sockets.async_pool(may_be_private=may_be_private, keep=max(keep, KEEP_CONNECTIONS))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request. Raises AnswerTooLarge while the answer is read, and DomainError for a refused peer."""
        response = await super().handle_async_request(request)
        if _is_packed(response):
            await response.aclose()
            raise AnswerTooLarge(PACKED)
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101
        response.stream = BoundedAsyncStream(response.stream, _most_bytes(request, response))
        return response


PACKED = "The answer is compressed, which we did not ask for."


def _is_packed(response: httpx2.Response) -> bool:
    return bool(response.headers.get("content-encoding", "identity") != "identity")


def _most_bytes(request: httpx2.Request, response: httpx2.Response) -> int:
    is_asked = request.headers.get("accept") == EVENT_STREAM and response.status_code == 200
    streams = is_asked and response.headers.get("content-type", EVENT_STREAM).startswith(EVENT_STREAM)
    return MAX_STREAM_BYTES if streams else MAX_ANSWER_BYTES


class Measure:
    """Counts an answer's bytes up to the most that we take."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most:
            raise AnswerTooLarge(f"The answer is larger than {self._most // 1024 // 1024} MB.")


class BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, most: int) -> None:
        self._stream = stream
        self._measure = Measure(most)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            self._measure.add(part)
            yield part

    def close(self) -> None:
        self._stream.close()


class BoundedAsyncStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._measure = Measure(most)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            self._measure.add(part)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
