"""Asking a provider in every way there is: in one piece or streamed, by threads or in an event loop."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from apps.core import secrets
from apps.llm import clients
from apps.llm.completion import Answer
from apps.llm.dialects import DIALECTS
from apps.llm.errors import ProviderError
from apps.llm.models import Connection
from tests.llm.conftest import KEY

OPENAI, ANTHROPIC = Connection.Kind.OPENAI, Connection.Kind.ANTHROPIC
WAYS = ["ask", "stream", "async ask", "async stream"]
STREAMS = ["stream", "async stream"]
TOOL = {"name": "find_order", "description": "Find an order", "parameters": {"type": "object", "properties": {}}}


def connection_to(url: str, kind: str = OPENAI, *, pk: int = 1, key: str = KEY) -> Connection:
    """Return a connection that no database knows; Anthropic's addresses end before the version."""
    base_url = url if kind == ANTHROPIC else f"{url}/v1"
    return Connection(pk=pk, kind=kind, name="Acme", base_url=base_url, encrypted_key=secrets.encrypt(key))


def body_for(kind: str, model: str = "practice-small", *, tools: bool = False, text: str = "Where is it?") -> Any:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 200}
    if tools and kind == ANTHROPIC:
        body["tools"] = [{"name": TOOL["name"], "description": "", "input_schema": PARAMETERS}]
        body["tool_choice"] = {"type": "any"}
    elif tools:
        body["tools"] = [{"type": "function", "function": TOOL | {"parameters": PARAMETERS}}]
        body["tool_choice"] = "required"
    return body


PARAMETERS = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "urgent": {"type": "boolean"}},
    "required": ["order", "urgent"],
}


@dataclass
class Outcome:
    """How asking ended, and what had come by then."""

    received: str = ""
    shown: str = ""
    events: int = 0
    answer: Answer | None = None
    error: ProviderError | None = None
    request_id: str = ""


def perform(way: str, connection: Connection, body: Any, *, timeout: float = 5.0, silence: float = 60.0) -> Outcome:
    """Ask in that way and return the outcome."""
    outcome = Outcome()
    streamed: dict[str, Any] = body | {"stream": True}
    if connection.kind != ANTHROPIC:
        streamed["stream_options"] = {"include_usage": True}
    with contextlib.suppress(ProviderError):
        try:
            if way == "ask":
                received, outcome.request_id = clients.client_of(connection).ask(body, timeout=timeout)
                outcome.answer = DIALECTS[connection.kind].read(received)
            elif way == "stream":
                _stream(outcome, connection, streamed, timeout, silence)
            else:
                asyncio.run(_in_loop(way, outcome, connection, body, streamed, timeout, silence))
        except ProviderError as error:
            outcome.error = error
            raise
    return outcome


def _stream(outcome: Outcome, connection: Connection, body: Any, timeout: float, silence: float) -> None:
    client = clients.client_of(connection)
    assembler = client.dialect.assembler()
    try:
        with client.stream(body, timeout=timeout, silence=silence) as stream:
            outcome.request_id = stream.request_id
            for event in stream:
                outcome.events += 1
                outcome.shown += "".join(delta.text for delta in assembler.feed(event))
        outcome.answer = assembler.answer()
    finally:
        outcome.received = assembler.received


async def _in_loop(
    way: str, outcome: Outcome, connection: Connection, body: Any, streamed: Any, timeout: float, silence: float
) -> None:
    client = clients.async_client_of(connection)
    if way == "async ask":
        received, outcome.request_id = await client.ask(body, timeout=timeout)
        outcome.answer = client.dialect.read(received)
        return
    assembler = client.dialect.assembler()
    try:
        async with await client.stream(streamed, timeout=timeout, silence=silence) as stream:
            outcome.request_id = stream.request_id
            async for event in stream:
                outcome.events += 1
                outcome.shown += "".join(delta.text for delta in assembler.feed(event))
        outcome.answer = assembler.answer()
    finally:
        outcome.received = assembler.received


class Rude:
    """A server of raw sockets that does to each caller what it is told to, and remembers what it was sent."""

    def __init__(self, manner: Callable[["Caller"], None]) -> None:
        self._manner = manner
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._reached: list[socket.socket] = []
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self.over.is_set():
                reached, _ = self._server.accept()
                self.connections += 1
                self._reached.append(reached)
                self._start(self._serve, reached)

    def _serve(self, reached: socket.socket) -> None:
        with contextlib.suppress(OSError), reached:
            self._manner(Caller(self, reached))

    def close(self) -> None:
        self.over.set()
        for open_socket in [self._server, *self._reached]:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(3)


class Caller:
    """One connection to the rude server."""

    def __init__(self, server: Rude, reached: socket.socket) -> None:
        self.server = server
        self.socket = reached
        self.sent = 0

    def request(self) -> dict[str, Any]:
        """Read one request and return its body. Raises OSError when there is none."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._more()
        head, _, body = head.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += self._more()
        self.server.requests.append(json.loads(body))
        return self.server.requests[-1]

    def _more(self) -> bytes:
        if not (data := self.socket.recv(65536)):
            raise OSError("gone")
        return data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.sent += len(data)

    def start(self, kind: str = "text/event-stream", *headers: str, status: str = "200 OK") -> None:
        """Begin an answer whose parts are sent as chunks."""
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Transfer-Encoding: chunked", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def answer(self, data: bytes, kind: str = "application/json", *headers: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(data)}", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode() + data)


@contextlib.contextmanager
def rude(manner: Callable[[Caller], None]) -> Iterator[Rude]:
    """Serve with those manners while the block runs."""
    server = Rude(manner)
    try:
        yield server
    finally:
        server.close()


def told_to(manner: Any, way: str, kind: str = OPENAI, **options: Any) -> Outcome:
    with rude(manner) as server:
        return perform(way, connection_to(server.url, kind), options.pop("body", body_for(kind)), **options)


def failure(manner: Any, way: str, kind: str = OPENAI, **options: Any) -> ProviderError:
    error = told_to(manner, way, kind, **options).error
    assert error is not None
    assert KEY not in f"{error!r} {error.message} {error.received}"
    return error


def streams(*parts: bytes, ends: bool = True) -> Any:
    """Return a manner: stream these parts, then end properly or hang up."""

    def manner(caller: Caller) -> None:
        caller.request()
        caller.start()
        for part in parts:
            caller.chunk(part)
        if ends:
            caller.end()

    return manner


def event(data: object, name: str = "") -> bytes:
    """Return a server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def said(kind: str, text: str) -> bytes:
    """Return the event that adds text."""
    if kind == ANTHROPIC:
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        return event(delta, "content_block_delta")
    return event({"model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def finished(kind: str) -> bytes:
    """Return the events that end a stream, with a usage of 5 and 3 tokens."""
    if kind == ANTHROPIC:
        usage = {"input_tokens": 5, "output_tokens": 3}
        told = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
        return event(told, "message_delta") + event({"type": "message_stop"}, "message_stop")
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}
    return event(last) + event(usage) + event("[DONE]")
