"""One request and its answer over ASGI: reading, sending, waiting while watching whether the caller is still there."""

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
MOST_BYTES = 32 * 1024 * 1024


class TooLargeError(ValueError):
    """The body is larger than a provider takes."""


class GoneError(Exception):
    """The caller has hung up."""


class Exchange:
    """The two directions of one request."""

    def __init__(self, scope: Message, receive: Receive, send: Send, request_id: str) -> None:
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = request_id
        self._client = scope.get("client")
        self._receive, self._send = receive, send
        self._gone: asyncio.Future[Message] | None = None

    def header(self, name: bytes) -> str:
        """Return a request header, empty when it is absent."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def api_key(self) -> str:
        """Return the key that the caller shows."""
        return self.header(b"x-api-key") or self.header(b"authorization").removeprefix("Bearer ").strip()

    async def body(self) -> bytes:
        """Read the whole body; raise TooLargeError or GoneError."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MOST_BYTES:
                raise TooLargeError(f"the body is larger than {MOST_BYTES} bytes")
            if not message.get("more_body"):
                return b"".join(parts)

    async def start(self, status: int, kind: bytes, headers: Iterable[Header] = (), length: int | None = None) -> None:
        """Send status and headers."""
        request_id = self.request_id.encode()
        sent = [(b"content-type", kind), (b"x-request-id", request_id), (b"request-id", request_id), *headers]
        if length is not None:
            sent.append((b"content-length", str(length).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": sent})

    async def put(self, data: bytes, *, last: bool = False) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    async def answer(self, status: int, data: object, headers: Iterable[Header] = ()) -> None:
        """Send a whole JSON answer; bytes go as they are."""
        whole = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
        await self.start(status, b"application/json", headers, len(whole))
        await self.put(whole, last=True)

    async def wait(self, seconds: float) -> None:
        """Let time pass; raise GoneError as soon as the caller hangs up."""
        if seconds <= 0:
            return
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._receive())
        done, _ = await asyncio.wait({self._gone}, timeout=seconds)
        if done:
            raise GoneError

    def close(self) -> None:
        """Stop watching the caller."""
        if self._gone is not None:
            self._gone.cancel()

    def cut_off(self) -> None:
        """Close the caller's connection without a word, as a failing network does."""
        if not self._client:
            return
        wanted = (self._client[0], int(self._client[1]))
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as found:
                if found.getpeername()[:2] == wanted:
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    found.shutdown(socket.SHUT_RDWR)
                    return
