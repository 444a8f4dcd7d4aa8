"""The client for one event loop, in which many calls wait at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

import anthropic
import httpx2
import openai

from apps.core import outgoing, transport
from apps.llm.clients import wire
from apps.llm.clients.wire import Course, Json, Wire
from apps.llm.errors import ProviderError
from apps.llm.models import Connection

Method = Callable[..., Awaitable[Any]]


class AsyncClient:
    """A provider's SDK with its retries off, for the event loop in which it was first used, and closed with it."""

    def __init__(self, connection: Connection) -> None:
        self._wire = Wire(connection)
        self.dialect = self._wire.dialect
        self.name = connection.name
        self._base_url = connection.base_url
        may_be_private = outgoing.is_allowed(connection.base_url)
        self._http = transport.async_http_client(may_be_private=may_be_private, keep=connection.max_concurrency)
        self._create, self._embed = _methods(connection, self._wire.key, self._http)
        self._ending: AsyncIterator[None] | None = None

    def __repr__(self) -> str:
        return f"<AsyncClient of {self.name}>"

    async def ask(self, body: Json, *, timeout: float, bench_key: str = "") -> tuple[Json, str]:
        """Send one request; return the answer's body and the provider's id for it. Raises ProviderError."""
        given = wire.options(body, transport.TimeLimits(timeout), bench_key)
        return self._wire.answer(await self._perform(self._create, self._wire.chat | given))

    async def embed(self, body: Json, *, timeout: float, bench_key: str = "") -> tuple[Json, str]:
        """Send texts to turn into vectors. Raises ProviderError, and NoEmbeddings where there are none."""
        if self._embed is None:
            raise wire.NoEmbeddings(f"{self.name} turns no texts into vectors. Choose a model of another connection.")
        given = wire.options(body, transport.TimeLimits(timeout), bench_key)
        return self._wire.answer(await self._perform(self._embed, wire.EMBEDDINGS | given))

    async def stream(
        self, body: Json, *, timeout: float, silence: float = wire.SILENCE_SECONDS, bench_key: str = ""
    ) -> "AsyncStream":
        """Begin a stream; everything is as with the other client."""
        body = self._wire.fitted(body)
        try:
            return await self._opened(body, transport.TimeLimits(timeout), silence, bench_key)
        except ProviderError as error:
            raise self._wire.doubted(body, error) from None

    async def close(self) -> None:
        """Hang up everywhere."""
        await self._http.aclose()

    async def _opened(self, body: Json, limits: transport.TimeLimits, silence: float, bench_key: str) -> "AsyncStream":
        given = wire.options(body, limits, bench_key, streams=True)
        response = await self._perform(self._create, self._wire.chat | given)
        if not wire.is_stream(response):
            try:
                content = await response.aread()
            except wire.BROKEN as error:
                raise self._wire.failure(error) from None
            raise self._wire.not_streamed(content, response)
        self._wire.note(body)
        limits.bound_silence(silence)
        return AsyncStream(self._wire, response, limits)

    async def _perform(self, send: Method, given: Json) -> httpx2.Response:
        try:
            await self.ready()
            response: httpx2.Response = (await send(**given)).http_response
        except wire.BROKEN as error:
            raise self._wire.failure(error) from None
        return response

    async def ready(self) -> Self:
        """Look at the address once, off the loop, for a name server may take its time.

        Raises DomainError for an address that must not be called, before anything is asked. A name that no name server
        knows may be known in a moment, and fails when it is called.
        """
        if self._ending is None:
            with suppress(outgoing.NotFound):
                await asyncio.to_thread(outgoing.check_url, self._base_url)
        if self._ending is None:
            self._ending = self._until_the_loop_ends()
            await anext(self._ending)
        return self

    async def _until_the_loop_ends(self) -> AsyncIterator[None]:
        """A loop closes the generators that it began before it ends, and this one then closes our sockets."""
        try:
            yield
        finally:
            await self.close()


class AsyncStream:
    """The events of one streamed answer, as they come. Leaving it early hangs up."""

    def __init__(self, connected: Wire, response: httpx2.Response, limits: transport.TimeLimits) -> None:
        self.request_id = connected.request_id(response.headers)
        self._response = response
        self._limits = limits
        self._course = Course(connected, response.headers)
        self._events = self._read()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Json:
        """Give out an event. Raises ProviderError unless the answer comes to its end."""
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            # A cancellation in an earlier read ends the reading, but not the answer.
            if failure := self._course.stopped():
                raise failure from None
            raise

    async def close(self) -> None:
        """Hang up, or give the connection back when everything has been read."""
        await self._response.aclose()

    async def _read(self) -> AsyncIterator[Json]:
        course = self._course
        try:
            async for part in self._response.aiter_raw():
                for event in course.events.feed(part):
                    yield course.checked(event)
                if course.is_over:
                    self._limits.end_within(wire.FAREWELL_SECONDS)
            for event in course.events.end():
                yield course.checked(event)
            course.ended()
        except (*wire.BROKEN, ProviderError) as error:
            if (failure := course.broken(error)) is not None:
                raise failure from None
        finally:
            await self.close()


def _methods(connection: Connection, key: str, http: httpx2.AsyncClient) -> tuple[Method, Method | None]:
    """Return the SDK's methods that ask a model and turn texts into vectors, as raw responses."""
    if connection.kind == Connection.Kind.ANTHROPIC:
        base_url = connection.base_url.rstrip("/").removesuffix("/v1")
        claude = anthropic.AsyncAnthropic(api_key=key, base_url=base_url, max_retries=0, http_client=http)
        return claude.messages.with_raw_response.create, None
    # An empty key is an omitted one, and would be looked for in the environment.
    gpt = openai.AsyncOpenAI(api_key=key or "none", base_url=connection.base_url, max_retries=0, http_client=http)
    return gpt.chat.completions.with_raw_response.create, gpt.embeddings.with_raw_response.create
