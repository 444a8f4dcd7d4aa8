"""What a client of either kind must know: how to put a request to an SDK, and what its response means."""

import json
from typing import Any

import anthropic
import httpx2
import openai

from apps.core import secrets, transport
from apps.core.errors import DomainError
from apps.llm import failures
from apps.llm.dialects import DIALECTS, Dialect, reading
from apps.llm.errors import ProviderError
from apps.llm.events import Events
from apps.llm.models import Connection

Json = dict[str, Any]
SILENCE_SECONDS = 60.0
FAREWELL_SECONDS = 0.5
# An answer that broke off is counted by what came of it, which need not be kept whole.
MOST_RECEIVED = 64 * 1024
PAGE_KINDS = {"text/html", "application/xhtml+xml"}
PAGE_BEGINNINGS = (b"<!doctype html", b"<html")
OUR_OPTIONS = ("stream_options", "include_usage")
# What the SDKs' methods insist on; the body that is really sent replaces it.
CHAT: dict[str, Json] = {
    Connection.Kind.OPENAI: {"model": "", "messages": []},
    Connection.Kind.COMPATIBLE: {"model": "", "messages": []},
    Connection.Kind.ANTHROPIC: {"model": "", "messages": [], "max_tokens": 1},
}
EMBEDDINGS: Json = {"model": "", "input": ""}
BROKEN = (
    openai.APIError,
    anthropic.APIError,
    httpx2.RequestError,
    httpx2.StreamError,
    transport.AnswerTooLarge,
    DomainError,
)


class NoEmbeddings(DomainError):
    """The provider turns no texts into vectors."""


class Wire:
    """One connection's dialect and key. It alone holds the plain key, and never shows it."""

    def __init__(self, connection: Connection) -> None:
        self.dialect: Dialect = DIALECTS[connection.kind]
        self.name = connection.name
        self.key = _key(connection)
        self.chat = CHAT[connection.kind]
        # Whether the server takes stream options; not known of a compatible one until it has.
        self._takes_options: bool | None = None if connection.kind == Connection.Kind.COMPATIBLE else True
        self._doubts_options = False

    def fitted(self, body: Json) -> Json:
        """Return the body of a stream without what the server refused, or seems to have refused the last time."""
        return _without_options(body) if self._takes_options is False or self._doubts_options else body

    def doubted(self, body: Json, error: ProviderError) -> ProviderError:
        """Return a refusal, worth another attempt if it may mean the stream options: they are ours, not the caller's.

        The next attempt goes without them, and what becomes of it tells whether it was they.
        """
        if self._takes_options is not None or error.http_status not in {400, 422}:
            return error
        may_be_ours = not error.detail or any(word in error.detail for word in OUR_OPTIONS)
        self._doubts_options = may_be_ours and "stream_options" in body
        if self._doubts_options:
            error.permanent, error.retry_after = False, 0.0
        return error

    def note(self, body: Json) -> None:
        """Remember from a stream that began whether the server takes stream options."""
        if self._takes_options is None:
            self._takes_options = "stream_options" in body

    def failure(self, error: Exception) -> ProviderError:
        """Return what an exception of an SDK or the transport means.

        Raise it `from None`: a provider may repeat the key in its message, and a traceback would print it.
        """
        return failures.of(error, self.name, self.key)

    def told(self, given: object, headers: httpx2.Headers) -> ProviderError:
        """Return the failure that the provider tells of after it began to answer with success."""
        return failures.told(given, self.name, headers, self.key)

    def request_id(self, headers: httpx2.Headers) -> str:
        """Return the provider's name for the request."""
        return failures.request_id(headers, self.key)

    def answer(self, response: httpx2.Response) -> tuple[Json, str]:
        """Return the body of an answer in one piece and its id. Raises ProviderError for anything else."""
        body = _object(response.content)
        if body is None:
            raise self._unreadable(response)
        if body.get("error") and not any(body.get(name) for name in ("choices", "content", "data")):
            raise self.told(body["error"], response.headers)
        return body, self.request_id(response.headers)

    def _unreadable(self, response: httpx2.Response) -> ProviderError:
        """Return what is wrong with an answer that is no JSON object.

        One that broke off was written by the model, and is billed. Nothing else was, and a page stays one.
        """
        content = response.content.lstrip(b"\xef\xbb\xbf \t\r\n")
        error = reading.malformed(f"it is not a JSON object, but {self._kind(response)}")
        error.permanent = kind_of(response) in PAGE_KINDS or content[:20].lower().startswith(PAGE_BEGINNINGS)
        if content.startswith(b"{") and not error.permanent:
            received = failures.without(self.key, reading.text(content.decode(errors="replace")))
            error.received = received.encode()[:MOST_RECEIVED].decode(errors="ignore")
        error.request_id = self.request_id(response.headers)
        return error

    def not_streamed(self, content: bytes, response: httpx2.Response) -> ProviderError:
        """Return what is wrong with an answer to a request for a stream that is none."""
        body = _object(content) or {}
        if body.get("error"):
            return self.told(body["error"], response.headers)
        error = reading.malformed(f"a stream was asked for, and {self._kind(response)} came")
        error.permanent = True
        error.request_id = self.request_id(response.headers)
        return error

    def _kind(self, response: httpx2.Response) -> str:
        return reading.label(failures.without(self.key, kind_of(response))) or "something unnamed"


def options(body: Json, limits: transport.TimeLimits, bench_key: str, *, streams: bool = False) -> Json:
    """Return the SDK's options for a request.

    What we send goes in as the extra body: a prompt's parameters cannot become headers or SDK options, and the SDK
    does not walk through every message to convert what is in its final form already.
    """
    headers = {"x-bench-key": bench_key} if bench_key else {}
    if streams:
        headers["Accept"] = transport.EVENT_STREAM
    found: Json = {"timeout": limits, "extra_body": body}
    return found | ({"extra_headers": headers} if headers else {}) | ({"stream": True} if streams else {})


def is_stream(response: httpx2.Response) -> bool:
    """Tell whether the answer is a stream of events; some servers do not say so, but none says otherwise."""
    return kind_of(response) in {"", transport.EVENT_STREAM}


def kind_of(response: httpx2.Response) -> str:
    """Return what the answer says that it is."""
    return reading.text(response.headers.get("content-type")).partition(";")[0].strip().lower()


def model_names(body: Json) -> list[str]:
    """Return the names in a list of models."""
    names = [reading.name(reading.mapping(entry).get("id")) for entry in reading.sequence(body.get("data"))]
    return [name for name in names if name]


class Course:
    """How far a stream has come: whether the answer is whole, and what its events say went wrong."""

    def __init__(self, wire: Wire, headers: httpx2.Headers) -> None:
        self.events = Events()
        self.is_whole = self.has_ended = False
        self._wire = wire
        self._headers = headers

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more can come that matters."""
        return self.events.is_done

    def checked(self, event: Json) -> Json:
        """Return the event. Raises ProviderError when it tells of an error."""
        if event.get("error"):
            raise self._wire.told(event["error"], self._headers)
        if not self.is_whole:
            self.is_whole = self._wire.dialect.is_last(event)
        if event.get("type") == "message_stop":
            self.events.is_done = True
        return event

    def ended(self) -> None:
        """Look back when the bytes have ended. Raises ProviderError when the answer is not whole."""
        if not self.is_whole and not (self.events.is_done and self.events.seen):
            raise self._named(failures.cut(self._wire.name))
        self.has_ended = True

    def broken(self, error: Exception) -> ProviderError | None:
        """Return what broke the stream, or nothing when the answer was whole by then and only its wrapping broke."""
        found = error if isinstance(error, ProviderError) else self._wire.failure(error)
        if self.is_whole and found.http_status is None:
            self.has_ended = True
            return None
        return self._named(found)

    def stopped(self) -> ProviderError | None:
        """Return what it means that no more events come: nothing at the end, else that an earlier read was stopped."""
        return None if self.has_ended else self._named(failures.stopped(self._wire.name))

    def _named(self, error: ProviderError) -> ProviderError:
        error.request_id = error.request_id or self._wire.request_id(self._headers)
        return error


def _key(connection: Connection) -> str:
    try:
        return connection.key()
    except secrets.NotOpened:
        raise secrets.NotOpened(
            f"The key of {connection.name} was stored under an encryption key that the installation no longer has. "
            "Enter it again, or ask the operator to add the old encryption key to ENCRYPTION_KEYS, after the newest."
        ) from None


def _without_options(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != "stream_options"}


def _object(content: bytes) -> Json | None:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
