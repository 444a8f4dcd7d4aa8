"""How bytes reach a provider: no redirects, no endless or enormous answers, no private address behind a public name."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2

from apps.core import outgoing

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_SECONDS = 10.0
KEEP_CONNECTIONS = 64
PEER_KNOWN = "connection.connect_tcp.complete"


class AnswerTooLarge(Exception):
    """The provider sent more than we are willing to hold, or packed it so that we cannot tell."""


def http_client(*, may_be_private: bool, keep: int = KEEP_CONNECTIONS) -> httpx2.Client:
    """Return a pooled client. Every new connection's far end must be an address that we may call.

    Connections are not limited in number: waiting for one would eat the time that the provider was promised.
    """
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=max(keep, KEEP_CONNECTIONS))
    return httpx2.Client(
        transport=GuardedTransport(limits=limits, may_be_private=may_be_private),
        follow_redirects=False,
        trust_env=False,
        # A packed answer could unpack to any size; unpacked, what we count is what we hold.
        headers={"Accept-Encoding": "identity"},
    )


def time_limits(seconds: float) -> httpx2.Timeout:
    """Return limits under which a request takes about `seconds` at most, connecting included."""
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))


class GuardedTransport(httpx2.HTTPTransport):
    """The usual transport, with an end to every answer: in time (the read limit, in total) and in size."""

    def __init__(self, *, limits: httpx2.Limits, may_be_private: bool) -> None:
        super().__init__(limits=limits)
        self._may_be_private = may_be_private

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request. Raises AnswerTooLarge while the answer is read, and DomainError for a refused peer."""
        seconds = request.extensions.get("timeout", {}).get("read")
        deadline = time.monotonic() + seconds if seconds else None
        request.extensions = {**request.extensions, "trace": self._look_at_peer}
        response = super().handle_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise AnswerTooLarge("The answer is compressed, which we did not ask for.")
        assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101
        response.stream = BoundedStream(response.stream, deadline)
        return response

    def _look_at_peer(self, event: str, info: dict[str, Any]) -> None:
        """Check the address that a new connection really reached, before anything is sent over it."""
        if event == PEER_KNOWN:
            host, port = info["return_value"].get_extra_info("server_addr")[:2]
            outgoing.check_peer(host, port, may_be_private=self._may_be_private)


class BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, deadline: float | None) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._stream:
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise AnswerTooLarge(f"The answer is larger than {MAX_ANSWER_BYTES // 1024 // 1024} MB.")
            # The SDK's limit is per read: a provider that drips would hold us for ever.
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("The answer did not end in time.")
            yield part

    def close(self) -> None:
        self._stream.close()
