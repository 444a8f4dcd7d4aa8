"""The one door to a provider: asks, asks again where that can help, and accounts for every attempt.

`complete`, `stream` and `embed` for threads, `acomplete`, `astream` and `aembed` for event loops. All take their place
in the model's lane first, commit each attempt before it leaves, and leave exactly one charge for each.
They raise ProviderError when the last attempt failed, Busy when the model had no place for too long, NotUsable for an
archived model, DomainError for an address or key that cannot be used, and RuntimeError inside a transaction: the
network is never waited for while rows are locked. A database that is away when an answer comes is waited for until the
call's deadline, then its OperationalError is raised.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection as database

from apps.llm import async_attempts, attempts, off_loop
from apps.llm.async_streams import AsyncStream
from apps.llm.attempts import Attempts
from apps.llm.completion import Answer, Completion, CompletionRequest, Embedding, EmbeddingRequest
from apps.llm.errors import Busy, NotUsable, ProviderError
from apps.llm.journal import Timing
from apps.llm.models import Call, Model
from apps.llm.streams import Stream

if TYPE_CHECKING:
    from apps.llm.clients import AsyncClient, Client

__all__ = ["Busy", "NotUsable", "ProviderError", "acomplete", "aembed", "astream", "complete", "embed", "stream"]

Received = tuple[dict[str, Any], str]
Operation = Call.Operation


def complete(request: CompletionRequest) -> Completion:
    """Ask the model and return its answer, after up to `max_attempts` attempts."""
    client = _client_of(request.model)
    body = client.dialect.body(request)
    task = Attempts(request, Operation.COMPLETE, body)
    send = partial(client.ask, body, timeout=request.timeout, bench_key=request.bench_key)
    return task.reuse() or _ask(task, send, client.dialect.read)


def stream(request: CompletionRequest) -> Stream:
    """Ask the model for an answer in pieces: `with stream(request) as answer: for delta in answer: …`.

    What fails before the first piece is asked again; what breaks later raises out of the loop. Who leaves the block
    early leaves the rest of the answer to be read in the background, so that its cost is known.
    """
    client = _client_of(request.model)
    return Stream(Attempts(request, Operation.STREAM, client.dialect.body(request)), client)


def embed(request: EmbeddingRequest) -> Embedding:
    """Return a vector for each text, after up to `max_attempts` attempts. Raises DomainError where there are none."""
    client = _client_of(request.model)
    read = Vectors(request, client)
    task = Attempts(request, Operation.EMBED, read.body)
    send = partial(client.embed, read.body, timeout=request.timeout, bench_key=request.bench_key)
    return read.result(_ask(task, send, read))


async def acomplete(request: CompletionRequest) -> Completion:
    """Do what `complete` does, on an event loop."""
    client = await _async_client_of(request.model)
    body = client.dialect.body(request)
    task = await off_loop.run(lambda: Attempts(request, Operation.COMPLETE, body))
    if request.reuse and (done := await off_loop.run(task.reuse)):
        return done
    send = partial(client.ask, body, timeout=request.timeout, bench_key=request.bench_key)
    return await _ask_async(task, send, client.dialect.read)


def astream(request: CompletionRequest) -> AsyncStream:
    """Do what `stream` does, on an event loop: `async with astream(request) as answer: async for delta in answer: …`."""
    return AsyncStream(request, partial(_async_client_of, request.model))


async def aembed(request: EmbeddingRequest) -> Embedding:
    """Do what `embed` does, on an event loop."""
    client = await _async_client_of(request.model)
    read = Vectors(request, client)
    task = await off_loop.run(lambda: Attempts(request, Operation.EMBED, read.body))
    send = partial(client.embed, read.body, timeout=request.timeout, bench_key=request.bench_key)
    return read.result(await _ask_async(task, send, read))


def _client_of(model: Model) -> "Client":
    if database.in_atomic_block:
        raise RuntimeError("A model was asked inside a transaction: ask before or after.")
    # The SDKs take a second to import: a process that never asks a model does not wait for them.
    from apps.llm import clients

    return clients.client_of(model.connection)


async def _async_client_of(model: Model) -> "AsyncClient":
    from apps.llm import clients

    # A loop may not ask the database itself, which a model without its connection at hand would do.
    return await clients.async_client_of(await off_loop.run(lambda: model.connection)).ready()


def _ask(task: Attempts[Any], send: Callable[[], Received], read: Callable[[dict[str, Any]], Answer]) -> Completion:
    while True:
        call = attempts.admitted(task)
        started, request_id = time.perf_counter(), ""
        try:
            received, request_id = send()
            return task.answered(call, read(received), request_id, _since(started))
        except ProviderError as error:
            error.request_id = error.request_id or request_id
            task.broke(call, error, _since(started))
            task.rest(task.after(error))
        except BaseException:
            # A fault of ours, or somebody stops this thread: the place must not wait for the sweeper.
            task.abandon(call, async_attempts.left(), _since(started))
            raise


async def _ask_async(
    task: Attempts[Any], send: Callable[[], Awaitable[Received]], read: Callable[[dict[str, Any]], Answer]
) -> Completion:
    while True:
        call = await async_attempts.admitted(task)
        started, request_id = time.perf_counter(), ""
        try:
            received, request_id = await send()
            answer = read(received)
            return await off_loop.run(partial(task.answered, call, answer, request_id, _since(started)))
        except ProviderError as failure:
            error = failure
            error.request_id = error.request_id or request_id
        except BaseException:
            # A fault of ours, or the task is cancelled, perhaps because the loop ends: the thread need not wait for it.
            off_loop.start(partial(task.abandon, call, async_attempts.left(), _since(started)))
            raise
        await off_loop.run(partial(task.broke, call, error, _since(started)))
        await asyncio.sleep(task.after(error))


def _since(started: float) -> Timing:
    return Timing(latency_ms=round((time.perf_counter() - started) * 1000))


class Vectors:
    """Reads embeddings, keeping the vectors that a call's row has no place for."""

    def __init__(self, request: EmbeddingRequest, client: "Client | AsyncClient") -> None:
        write, read = client.dialect.embed_body, client.dialect.read_embeddings
        if write is None or read is None:
            raise NotUsable(f"{request.model.connection.name} offers no embeddings.")
        self.body = write(request)
        self._read = read
        self._wanted = len(request.texts)
        self.vectors: list[list[float]] = []

    def __call__(self, received: dict[str, Any]) -> Answer:
        found = self._read(received, self._wanted)
        self.vectors = found.vectors
        return Answer(text="", tool_calls=[], finish_reason="", usage=found.usage, answered_by=found.answered_by)

    def result(self, done: Completion) -> Embedding:
        shared = ("usage", "cost", "latency_ms", "call_id", "charge_id", "provider_request_id", "attempts")
        return Embedding(vectors=self.vectors, **{name: getattr(done, name) for name in shared})
