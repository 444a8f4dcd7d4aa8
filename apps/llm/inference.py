"""The one door to a provider: asks, asks again where that can help, and accounts for every attempt."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from django.db import InterfaceError, OperationalError
from django.db import connection as database
from django.utils import timezone

from apps.llm import journal
from apps.llm.completion import Answer, Completion, CompletionRequest
from apps.llm.errors import NotUsable, ProviderError
from apps.llm.models import Call

if TYPE_CHECKING:
    from apps.llm.clients import Client

BASE_WAIT = 0.5
LONGEST_BACKOFF = 20.0
LONGEST_ASKED_WAIT = 60.0
DATABASE_WAIT = 0.1
LONGEST_DATABASE_WAIT = 2.0

Written = TypeVar("Written")
log = structlog.get_logger(__name__)


def complete(request: CompletionRequest) -> Completion:
    """Ask the model and return its answer, after up to `max_attempts` attempts.

    Each attempt is a committed Call before it leaves and gets exactly one charge. Raises ProviderError when the
    last attempt failed, NotUsable for an archived model, DomainError for an address or key that cannot be used,
    and RuntimeError inside a transaction: the network is never waited for while rows are locked. A database that
    is away when the answer comes is waited for until the call's deadline, then its OperationalError is raised.
    """
    if database.in_atomic_block:
        raise RuntimeError("complete() was called inside a transaction: call it before or after.")
    if not request.model.is_usable:
        raise NotUsable(f"{request.model.name} is archived. Choose another model.")
    # The SDKs take a second to import: a process that never asks a model does not wait for them.
    from apps.llm import clients

    client = clients.client_of(request.model.connection)
    body = client.dialect.body(request)
    first: Call | None = None
    attempt = 1
    while True:
        call = journal.begin(request, attempt=attempt, first=first, now=timezone.now())
        first = first or call
        outcome = _attempt(client, body, request)
        if outcome.answer is not None:
            return _completion(call, outcome.answer, outcome)
        error = _failure(call, outcome)
        if error.permanent or attempt >= request.max_attempts:
            raise error
        time.sleep(pause(attempt, error.retry_after))
        attempt += 1


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: with an answer or with an error."""

    latency_ms: int
    answer: Answer | None = None
    request_id: str = ""
    error: ProviderError | None = None


def _attempt(client: "Client", body: dict[str, Any], request: CompletionRequest) -> Outcome:
    """Ask once. Nothing here touches the database."""
    started = time.perf_counter()
    request_id = ""
    try:
        received, request_id = client.ask(body, timeout=request.timeout, bench_key=request.bench_key)
        answer = client.dialect.read(received)
    except ProviderError as error:
        error.request_id = error.request_id or request_id
        return Outcome(latency_ms=_since(started), error=error)
    return Outcome(latency_ms=_since(started), answer=answer, request_id=request_id)


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _completion(call: Call, answer: Answer, outcome: Outcome) -> Completion:
    write = partial(journal.answered, call, answer, request_id=outcome.request_id, now=timezone.now())
    usage, cost = _written(call, partial(write, latency_ms=outcome.latency_ms))
    return Completion(
        text=answer.text,
        tool_calls=answer.tool_calls,
        finish_reason=answer.finish_reason,
        usage=usage,
        cost=cost,
        latency_ms=outcome.latency_ms,
        call_id=call.pk,
        charge_id=call.charge_id,
        provider_request_id=outcome.request_id,
        attempts=call.attempt,
    )


def _failure(call: Call, outcome: Outcome) -> ProviderError:
    """Write the failed attempt down and return its error, which then names the call."""
    error = outcome.error
    assert error is not None  # noqa: S101
    _written(call, partial(journal.failed, call, error, latency_ms=outcome.latency_ms, now=timezone.now()))
    error.call_id, error.attempts = call.pk, call.attempt
    log.warning("provider attempt failed", call=str(call.pk), kind=error.kind, status=error.http_status)
    return error


def _written(call: Call, write: Callable[[], Written]) -> Written:
    """Write down how an attempt ended, again and again while the database is away: what came back is paid for.

    After the call's deadline the sweeper writes the call off, so the database's own error is raised then.
    """
    patience = time.monotonic() + (call.deadline_at - timezone.now()).total_seconds()
    wait = DATABASE_WAIT
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError):
            database.close()  # a broken connection stays broken; the next query opens another
            if time.monotonic() + wait > patience:
                raise
        log.warning("an answer waits for the database", call=str(call.pk), seconds=wait)
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_DATABASE_WAIT)


def pause(attempt: int, asked: float | None) -> float:
    """Return the seconds to wait after the failed attempt of that number.

    What the provider asks for (capped) is a floor, with a little spread so that callers do not return together;
    otherwise anything from nothing to a limit that doubles each time.
    """
    if asked is not None:
        return min(asked, LONGEST_ASKED_WAIT) + random.uniform(0, BASE_WAIT / 2)  # noqa: S311
    return random.uniform(0, min(LONGEST_BACKOFF, BASE_WAIT * 2**attempt))  # noqa: S311
