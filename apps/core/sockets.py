"""Sockets that look at whom they reached before they send a word, and that end in time however slowly bytes come."""

import ssl
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore2
import httpx2

from apps.core import outgoing

WRITE_STEP = 64 * 1024
# A new connection costs the first byte two round trips or more; servers keep idle ones for a minute or longer.
KEEP_SECONDS = 30.0
Option = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Until(float):
    """A limit for each read and write that is also one for all of them: a drip of bytes does not begin it anew."""

    ends_at: float
    silence: float

    def __new__(cls, seconds: float) -> "Until":
        made = super().__new__(cls, seconds)
        made.silence = seconds
        made.ends_at = time.monotonic() + seconds
        return made


def _left(limit: float | None, error: type[Exception]) -> float | None:
    """Return the seconds that the next step may take. Raises `error` when there are none."""
    if not isinstance(limit, Until):
        return limit
    seconds = min(limit.silence, limit.ends_at - time.monotonic())
    if seconds <= 0:
        raise error("The time for this request is over.")
    return seconds


@cache
def _trust() -> ssl.SSLContext:
    """Return whom we trust: reading it takes as long as a request, so all pools share it."""
    return httpx2.create_ssl_context()


def pool(*, may_be_private: bool, keep: int) -> httpcore2.ConnectionPool:
    """Return a pool of guarded connections.

    They are not limited in number: waiting for one would eat the time that the other side was promised.
    """
    return httpcore2.ConnectionPool(
        ssl_context=_trust(),
        max_connections=None,
        max_keepalive_connections=keep,
        keepalive_expiry=KEEP_SECONDS,
        network_backend=Backend(may_be_private=may_be_private),
    )


def async_pool(*, may_be_private: bool, keep: int) -> httpcore2.AsyncConnectionPool:
    """Return the same for one event loop."""
    return httpcore2.AsyncConnectionPool(
        ssl_context=_trust(),
        max_connections=None,
        max_keepalive_connections=keep,
        keepalive_expiry=KEEP_SECONDS,
        network_backend=AsyncBackend(may_be_private=may_be_private),
    )


class Backend(httpcore2.NetworkBackend):
    def __init__(self, *, may_be_private: bool) -> None:
        self._inner = httpcore2.SyncBackend()
        self._may_be_private = may_be_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Option] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect, and leave at once if we reached somebody whom we do not call. Raises DomainError then."""
        stream = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            outgoing.check_peer(*stream.get_extra_info("server_addr")[:2], may_be_private=self._may_be_private)
        except BaseException:
            stream.close()
            raise
        return Stream(stream)


class Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write in steps, so that a server that hardly reads does not hold us for ever."""
        for at in range(0, len(buffer), WRITE_STEP):
            self._inner.write(buffer[at : at + WRITE_STEP], _left(timeout, httpcore2.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))


class AsyncBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, *, may_be_private: bool) -> None:
        self._inner = httpcore2.AnyIOBackend()
        self._may_be_private = may_be_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Option] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect, and leave at once if we reached somebody whom we do not call. Raises DomainError then."""
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            outgoing.check_peer(*stream.get_extra_info("server_addr")[:2], may_be_private=self._may_be_private)
        except BaseException:
            await stream.aclose()
            raise
        return AsyncStream(stream)


class AsyncStream(httpcore2.AsyncNetworkStream):
    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))
