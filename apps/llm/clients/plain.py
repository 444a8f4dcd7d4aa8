"""The client for threads that wait."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import anthropic
import httpx2
import openai

from apps.core import outgoing, transport
from apps.llm.clients import wire
from apps.llm.clients.wire import Course, Json, Wire
from apps.llm.errors import ProviderError
from apps.llm.models import Connection


class Client:
    """A provider's SDK with its retries off."""

    def __init__(self, connection: Connection) -> None:
        self._wire = Wire(connection)
        self.dialect = self._wire.dialect
        self.name = connection.name
        may_be_private = outgoing.is_allowed(connection.base_url)
        http = transport.http_client(may_be_private=may_be_private, keep=connection.max_concurrency)
        self._create, self._embed, self._list = _methods(connection, self._wire.key, http)

    def __repr__(self) -> str:
        return f"<Client of {self.name}>"

    def ask(self, body: Json, *, timeout: float, bench_key: str = "") -> tuple[Json, str]:
        """Send one request; return the answer's body and the provider's id for it. Raises ProviderError."""
        given = wire.options(body, transport.TimeLimits(timeout), bench_key)
        return self._wire.answer(self._perform(lambda: self._create(**self._wire.chat, **given)))

    def embed(self, body: Json, *, timeout: float, bench_key: str = "") -> tuple[Json, str]:
        """Send texts to turn into vectors. Raises ProviderError, and NoEmbeddings where there are none."""
        create = self._embed
        if create is None:
            raise wire.NoEmbeddings(f"{self.name} turns no texts into vectors. Choose a model of another connection.")
        given = wire.options(body, transport.TimeLimits(timeout), bench_key)
        return self._wire.answer(self._perform(lambda: create(**wire.EMBEDDINGS, **given)))

    def models(self, *, timeout: float = 10.0) -> list[str]:
        """Return the names of the models that the provider offers to this key. Raises ProviderError."""
        response = self._perform(lambda: self._list(timeout=transport.TimeLimits(timeout)))
        return wire.model_names(self._wire.answer(response)[0])

    def stream(
        self, body: Json, *, timeout: float, silence: float = wire.SILENCE_SECONDS, bench_key: str = ""
    ) -> "Stream":
        """Begin a stream that lasts `timeout` seconds at most, and is never silent for longer than `silence`.

        Raises ProviderError when it is refused. A compatible server that seems to refuse stream options is not asked
        for them the next time: a refusal is free, and the usage is then counted.
        """
        body = self._wire.fitted(body)
        try:
            return self._opened(body, transport.TimeLimits(timeout), silence, bench_key)
        except ProviderError as error:
            raise self._wire.doubted(body, error) from None

    def _opened(self, body: Json, limits: transport.TimeLimits, silence: float, bench_key: str) -> "Stream":
        given = wire.options(body, limits, bench_key, streams=True)
        response = self._perform(lambda: self._create(**self._wire.chat, **given))
        if not wire.is_stream(response):
            try:
                content = response.read()
            except wire.BROKEN as error:
                raise self._wire.failure(error) from None
            raise self._wire.not_streamed(content, response)
        self._wire.note(body)
        limits.bound_silence(silence)
        return Stream(self._wire, response, limits)

    def _perform(self, send: Callable[[], Any]) -> httpx2.Response:
        try:
            response: httpx2.Response = send().http_response
        except wire.BROKEN as error:
            raise self._wire.failure(error) from None
        return response


class Stream:
    """The events of one streamed answer, as they come. Leaving it early hangs up."""

    def __init__(self, connected: Wire, response: httpx2.Response, limits: transport.TimeLimits) -> None:
        self.request_id = connected.request_id(response.headers)
        self._response = response
        self._limits = limits
        self._course = Course(connected, response.headers)
        self._events = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Json:
        """Give out an event. Raises ProviderError unless the answer comes to its end."""
        try:
            return next(self._events)
        except StopIteration:
            # An interrupt in an earlier read ends the reading, but not the answer.
            if failure := self._course.stopped():
                raise failure from None
            raise

    def end_within(self, seconds: float) -> None:
        """Break off when the answer has not ended by then."""
        self._limits.end_within(seconds)

    def close(self) -> None:
        """Hang up, or give the connection back when everything has been read."""
        self._response.close()

    def _read(self) -> Iterator[Json]:
        course = self._course
        try:
            for part in self._response.iter_raw():
                for event in course.events.feed(part):
                    yield course.checked(event)
                if course.is_over:
                    # What follows is only the end of the connection's turn, which lets another request have it.
                    self._limits.end_within(wire.FAREWELL_SECONDS)
            for event in course.events.end():
                yield course.checked(event)
            course.ended()
        except (*wire.BROKEN, ProviderError) as error:
            if (failure := course.broken(error)) is not None:
                raise failure from None
        finally:
            self.close()


Method = Callable[..., Any]


def _methods(connection: Connection, key: str, http: httpx2.Client) -> tuple[Method, Method | None, Method]:
    """Return the SDK's methods that ask a model, turn texts into vectors and list models, as raw responses."""
    if connection.kind == Connection.Kind.ANTHROPIC:
        base_url = connection.base_url.rstrip("/").removesuffix("/v1")
        claude = anthropic.Anthropic(api_key=key, base_url=base_url, max_retries=0, http_client=http)
        return claude.messages.with_raw_response.create, None, claude.models.with_raw_response.list
    # An empty key is an omitted one, and would be looked for in the environment.
    gpt = openai.OpenAI(api_key=key or "none", base_url=connection.base_url, max_retries=0, http_client=http)
    create, embed = gpt.chat.completions.with_raw_response.create, gpt.embeddings.with_raw_response.create
    return create, embed, gpt.models.with_raw_response.list
