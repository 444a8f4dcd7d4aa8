"""Answers in pieces, for event loops. A task of its own reads each attempt to its end, whoever still listens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import UUID

from apps.llm import async_attempts, off_loop
from apps.llm.attempts import Attempts
from apps.llm.completion import Completion, CompletionRequest, Delta
from apps.llm.errors import ProviderError
from apps.llm.models import Call
from apps.llm.streams import DRAIN_SECONDS, SILENCE, Reading, pieces_of

if TYPE_CHECKING:
    from apps.llm.clients import AsyncClient

Connect = Callable[[], Awaitable["AsyncClient"]]


class AsyncStream:
    """An answer in pieces, for a task of an event loop. `completion` is there once the loop has ended."""

    def __init__(self, request: CompletionRequest, connect: Connect) -> None:
        self._request = request
        self._connect = connect
        self._attempt: Attempt | None = None
        self._pending: list[Delta] = []
        self.completion: Completion | None = None

    @property
    def call_id(self) -> UUID | None:
        """Return which call is being read, for whoever wants to point to it before it has ended."""
        if self._attempt is not None:
            return self._attempt.call.pk
        return self.completion.call_id if self.completion else None

    async def __aenter__(self) -> Self:
        """Wait for a place and for the first piece; ask again where that can help. Raises ProviderError."""
        client = await self._connect()
        body = client.dialect.body(self._request)
        task = await off_loop.run(lambda: Attempts(self._request, Call.Operation.STREAM, body))
        if self._request.reuse and (done := await off_loop.run(task.reuse)):
            self.completion, self._pending = done, pieces_of(done)
            return self
        while True:
            attempt = Attempt(task, await async_attempts.admitted(task), client)
            try:
                self._pending = await attempt.pieces.get()
            except asyncio.CancelledError:
                attempt.leave()
                raise
            if attempt.error is None:
                self._attempt, self.completion = attempt, attempt.completion
                return self
            if not isinstance(attempt.error, ProviderError):
                raise attempt.error
            await asyncio.sleep(task.after(attempt.error))

    async def __aiter__(self) -> AsyncIterator[Delta]:
        deltas, attempt = self._pending, self._attempt
        while deltas:
            for delta in deltas:
                yield delta
            deltas = await attempt.pieces.get() if attempt else []
        if attempt is not None:
            if attempt.error is not None:
                raise attempt.error
            self.completion = attempt.completion

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._attempt is not None:
            self._attempt.leave()


class Attempt:
    """One attempt, read by a task of its own. `pieces` ends with an empty one; then `error` or `completion` is set."""

    def __init__(self, task: Attempts[CompletionRequest], call: Call, client: "AsyncClient") -> None:
        self.pieces: asyncio.Queue[list[Delta]] = asyncio.Queue()
        self.completion: Completion | None = None
        self.error: BaseException | None = None
        self.call = call
        self._task = task
        self._client = client
        self._reading = Reading(call, client.dialect.assembler())
        self._limit = asyncio.timeout(None)
        self._is_reading = False
        self._is_left = False
        off_loop.keep_running(self._run())

    def leave(self) -> None:
        """Let the rest be read for a while, so that its usage is known; what takes longer is counted instead."""
        self._is_left = True
        if self._is_reading:
            self._limit.reschedule(asyncio.get_running_loop().time() + DRAIN_SECONDS)

    async def _run(self) -> None:
        reading = self._reading
        try:
            await self._read_in_time()
            answer = reading.assembler.answer()
            write = partial(self._task.answered, reading.call, answer, reading.request_id, reading.timing)
            self.completion = await off_loop.run(write)
        except (ProviderError, TimeoutError) as error:
            failure = error if isinstance(error, ProviderError) else async_attempts.left()
            self.error = failure
            await off_loop.run(partial(self._task.broke, reading.call, reading.blame(failure), reading.timing))
        except BaseException as error:
            # A fault of ours, or the loop ends and nothing can be waited for any more: a thread writes it down.
            self.error = error
            off_loop.start(partial(self._task.abandon, reading.call, reading.given_up(), reading.timing))
            raise
        finally:
            self.pieces.put_nowait([])

    async def _read_in_time(self) -> None:
        async with self._limit:
            self._is_reading = True
            try:
                if self._is_left:
                    self.leave()
                await self._read()
            finally:
                self._is_reading = False

    async def _read(self) -> None:
        request, reading = self._task.request, self._reading
        source = await self._client.stream(
            self._client.dialect.stream_body(request),
            timeout=request.timeout,
            silence=SILENCE,
            bench_key=request.bench_key,
        )
        reading.request_id = source.request_id
        async with source:
            async for event in source:
                if (deltas := reading.feed(event)) and not self._is_left:
                    self.pieces.put_nowait(deltas)
