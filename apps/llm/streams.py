"""Answers in pieces. A stream holds its place in the lane until its end is written down, whoever reads it to there."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import structlog
from django.db import connection as database

from apps.llm import attempts
from apps.llm.attempts import Attempts
from apps.llm.completion import Completion, CompletionRequest, Delta
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.journal import Timing
from apps.llm.models import Call

if TYPE_CHECKING:
    from apps.llm.clients import Client

# Between two pieces of an answer, and for the rest of one that nobody reads any more (what is cheaper than not knowing).
SILENCE = 60.0
DRAIN_SECONDS = 20.0
DRAINERS = 8
MOST_DRAINING = 64

_drainers: ThreadPoolExecutor | None = None


def drainers() -> ThreadPoolExecutor:
    """Return the threads that read what nobody waits for."""
    global _drainers
    if _drainers is None:
        _drainers = ThreadPoolExecutor(DRAINERS, thread_name_prefix="drain")
    return _drainers


def forget() -> None:
    """Leave the threads to the parent: a forked child has none of them."""
    global _drainers
    _drainers = None


os.register_at_fork(after_in_child=forget)


log = structlog.get_logger(__name__)


def pieces_of(done: Completion) -> list[Delta]:
    """Return an answer that is there as a whole as the pieces that it would have come in."""
    spoken = [Delta(text=done.text)] if done.text or not done.tool_calls else []
    called = [
        Delta(tool_call=place, tool_name=tool_call.name, tool_arguments=tool_call.arguments)
        for place, tool_call in enumerate(done.tool_calls)
    ]
    return spoken + called


class Reading:
    """One attempt's answer as it comes in: pieces, what was received, and how long it took."""

    def __init__(self, call: Call, assembler: Any) -> None:
        self.call = call
        self.assembler = assembler
        self.request_id = ""
        self.started = time.perf_counter()
        self.first_token_ms: int | None = None
        self.is_settled = False

    def feed(self, event: dict[str, Any]) -> list[Delta]:
        deltas: list[Delta] = self.assembler.feed(event)
        if deltas and self.first_token_ms is None:
            self.first_token_ms = self._elapsed()
        return deltas

    def _elapsed(self) -> int:
        return round((time.perf_counter() - self.started) * 1000)

    @property
    def timing(self) -> Timing:
        return Timing(latency_ms=self._elapsed(), first_token_ms=self.first_token_ms)

    def blame(self, error: ProviderError) -> ProviderError:
        """Return the error with what had come in by then, which is billed."""
        error.received = error.received or self.assembler.received
        error.request_id = error.request_id or self.request_id
        return error

    def given_up(self) -> ProviderError:
        return self.blame(ProviderError(ErrorKind.INTERRUPTED, "Nobody waited for the rest of the answer."))


class Stream:
    """An answer in pieces, for one thread. `completion` is there once the loop has ended."""

    def __init__(self, task: Attempts[CompletionRequest], client: "Client") -> None:
        self._task = task
        self._client = client
        self._pending: list[Delta] = []
        self._reading: Reading | None = None
        self._source: Any = None
        self._events: Iterator[dict[str, Any]] = iter(())
        self.completion: Completion | None = None

    def __enter__(self) -> Self:
        """Wait for a place and for the first piece; ask again where that can help. Raises ProviderError."""
        task = self._task
        if done := task.reuse():
            self.completion, self._pending = done, pieces_of(done)
            return self
        while not self._opened():
            pass
        return self

    def _opened(self) -> bool:
        task = self._task
        call = attempts.admitted(task)
        reading = self._reading = Reading(call, self._client.dialect.assembler())
        try:
            self._source = self._client.stream(
                self._client.dialect.stream_body(task.request),
                timeout=task.request.timeout,
                silence=SILENCE,
                bench_key=task.request.bench_key,
            )
            reading.request_id = self._source.request_id
            self._events = iter(self._source)
            for event in self._events:
                if deltas := reading.feed(event):
                    self._pending = deltas
                    return True
            self._finish(reading)
        except ProviderError as error:
            self._close()
            reading.is_settled = True
            task.broke(call, reading.blame(error), reading.timing)
            task.rest(task.after(error))
            return False
        except BaseException:
            self._abandon(reading)
            raise
        return True

    def __iter__(self) -> Iterator[Delta]:
        yield from self._pending
        reading = self._reading
        if reading is None or reading.is_settled:
            return
        try:
            for event in self._events:
                yield from reading.feed(event)
            self._finish(reading)
        except ProviderError as error:
            self._break(reading, error)
            raise
        except GeneratorExit:
            raise  # nobody wants the next piece; __exit__ sees to the rest
        except BaseException:
            self._abandon(reading)
            raise

    def _finish(self, reading: Reading) -> None:
        answer = reading.assembler.answer()
        reading.is_settled = True
        self.completion = self._task.answered(reading.call, answer, reading.request_id, reading.timing)
        self._close()

    def _break(self, reading: Reading, error: ProviderError) -> None:
        reading.is_settled = True
        self._close()
        self._task.broke(reading.call, reading.blame(error), reading.timing)

    def _abandon(self, reading: Reading) -> None:
        """End what was stopped by something else than the provider; what had come of it is counted."""
        if not reading.is_settled:
            reading.is_settled = True
            self._task.abandon(reading.call, reading.given_up(), reading.timing)
        self._close()

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reading = self._reading
        if reading is None or reading.is_settled:
            return
        if drainers()._work_queue.qsize() < MOST_DRAINING:
            # From now on, however long it takes until a thread is free for it.
            self._source.end_within(DRAIN_SECONDS)
            drainers().submit(self._drain, reading, time.monotonic() + DRAIN_SECONDS)
        else:
            self._break(reading, reading.given_up())

    def _drain(self, reading: Reading, give_up: float) -> None:
        """Read what is left, so that its usage is known; give up after a while and count what came."""
        try:
            for event in self._events:
                reading.feed(event)
            self._finish(reading)
        except ProviderError as failure:
            self._break(reading, reading.given_up() if time.monotonic() >= give_up else failure)
        except BaseException:
            self._abandon(reading)
            log.exception("the rest of an answer could not be read", call=str(reading.call.pk))
            raise
        finally:
            database.close()
