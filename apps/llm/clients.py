"""The SDK clients, one for each connection and key, and what their exceptions mean."""

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai

from apps.core import outgoing
from apps.core.errors import DomainError
from apps.llm import failures, transport
from apps.llm.dialects import DIALECTS, Dialect, reading
from apps.llm.errors import ProviderError
from apps.llm.models import Connection

MAX_CLIENTS = 128
# What the SDKs' methods insist on; the body that is really sent replaces it.
PLACEHOLDERS: dict[str, dict[str, Any]] = {
    Connection.Kind.OPENAI: {"model": "", "messages": []},
    Connection.Kind.COMPATIBLE: {"model": "", "messages": []},
    Connection.Kind.ANTHROPIC: {"model": "", "messages": [], "max_tokens": 1},
}
SDK_ERRORS = (openai.APIError, anthropic.APIError)
Mark = tuple[int, str, str, bytes]


class Client:
    """A provider's SDK with its retries off. It alone holds the plain key, and never shows it."""

    def __init__(self, connection: Connection) -> None:
        outgoing.check_url(connection.base_url)
        self.dialect: Dialect = DIALECTS[connection.kind]
        self.name = connection.name
        self._key = connection.key()
        http = transport.http_client(
            may_be_private=outgoing.is_allowed(connection.base_url), keep=connection.max_concurrency
        )
        self._create, self._list = _methods(connection, self._key, http)
        self._placeholders = PLACEHOLDERS[connection.kind]

    def __repr__(self) -> str:
        return f"<Client of {self.name}>"

    def ask(self, body: dict[str, Any], *, timeout: float, bench_key: str = "") -> tuple[dict[str, Any], str]:
        """Send one request; return the answer's body and the provider's id for it. Raises ProviderError.

        What we send goes in as the SDK's extra body: a prompt's parameters cannot become headers or SDK options,
        and the SDK does not walk through every message to convert what is in its final form already.
        """
        options = {"timeout": transport.time_limits(timeout), "extra_body": body}
        if bench_key:
            options["extra_headers"] = {"x-bench-key": bench_key}
        return self._perform(lambda: self._create(**self._placeholders, **options))

    def models(self, *, timeout: float = 10.0) -> list[str]:
        """Return the names of the models that the provider offers to this key. Raises ProviderError."""
        body, _ = self._perform(lambda: self._list(timeout=transport.time_limits(timeout)))
        names = [reading.text(reading.mapping(entry).get("id")) for entry in reading.sequence(body.get("data"))]
        return [name for name in names if name]

    def _perform(self, send: Callable[[], Any]) -> tuple[dict[str, Any], str]:
        try:
            response = send().http_response
        except (*SDK_ERRORS, httpx2.RequestError, transport.AnswerTooLarge, DomainError) as error:
            # Not chained: a provider may repeat the key in its message, and a traceback would print it.
            raise self._without_key(failures.of(error, self.name)) from None
        request_id = reading.text(response.headers.get("x-request-id") or response.headers.get("request-id"))[:120]
        return _body(response.content, request_id), request_id

    def _without_key(self, error: ProviderError) -> ProviderError:
        if self._key:
            error.message = error.message.replace(self._key, "•••")
            error.args = (error.message,)
        return error


def _methods(connection: Connection, key: str, http: httpx2.Client) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the SDK's methods that ask a model and list models, as raw responses."""
    if connection.kind == Connection.Kind.ANTHROPIC:
        base_url = connection.base_url.rstrip("/").removesuffix("/v1")
        claude = anthropic.Anthropic(api_key=key, base_url=base_url, max_retries=0, http_client=http)
        return claude.messages.with_raw_response.create, claude.models.with_raw_response.list
    # An empty key is an omitted one, and would be looked for in the environment.
    gpt = openai.OpenAI(api_key=key or "none", base_url=connection.base_url, max_retries=0, http_client=http)
    return gpt.chat.completions.with_raw_response.create, gpt.models.with_raw_response.list


def _body(content: bytes, request_id: str) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    error = reading.malformed("it is not JSON" if body is None else "it is not an object")
    error.received = content.decode(errors="replace")
    error.request_id = request_id
    raise error


_lock = threading.Lock()
_clients: OrderedDict[Mark, Client] = OrderedDict()


def client_of(connection: Connection) -> Client:
    """Return the connection's client, made once for its key and address.

    The stored, encrypted key tells keys apart, so that a call need not decrypt it. Raises DomainError for an
    address that must not be called and for a key that cannot be opened.
    """
    mark = (connection.pk, connection.kind, connection.base_url, bytes(connection.encrypted_key))
    with _lock:
        if client := _clients.get(mark):
            return client
    made = Client(connection)
    with _lock:
        for old in [key for key in _clients if key[0] == connection.pk and key != mark]:
            del _clients[old]
        client = _clients.setdefault(mark, made)
        while len(_clients) > MAX_CLIENTS:
            _clients.popitem(last=False)
    return client


def forget() -> None:
    """Drop every client: a forked child must not share its parent's sockets."""
    global _lock
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=forget)
