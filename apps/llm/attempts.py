"""One request's way through its attempts, without the network: what to write, when to ask again, when to give up.

`inference` drives it, with threads or with an event loop; every method here works on the database alone.
"""

import random
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog
from django.db import Error, InterfaceError, OperationalError
from django.db import connection as database
from django.utils import timezone

from apps.costs import budgets
from apps.llm import bodies, cache, counting, expecting, governor, journal, policies, reserving, turnstile
from apps.llm.completion import Answer, Completion, CompletionRequest, EmbeddingRequest, Usage
from apps.llm.errors import NotUsable, NotWanted, ProviderError
from apps.llm.governor import Ticket
from apps.llm.journal import Timing
from apps.llm.models import Call

BASE_WAIT = 0.5
LONGEST_BACKOFF = 20.0
LONGEST_ASKED_WAIT = 60.0
LOOK_UP = 0.5
DATABASE_WAIT = 0.1
LONGEST_DATABASE_WAIT = 2.0


Request = TypeVar("Request", CompletionRequest, EmbeddingRequest)
Written = TypeVar("Written")
log = structlog.get_logger(__name__)


class Attempts(Generic[Request]):
    """The attempts at one request. Raises NotUsable for an archived model, DomainError for text that cannot be kept."""

    def __init__(self, request: Request, operation: Call.Operation, body: Mapping[str, Any]) -> None:
        if not request.model.is_usable:
            raise NotUsable(f"{request.model.name} is archived. Choose another model.")
        bodies.check(vars(request.attribution))
        self.request: Request = request
        self.body = body
        self.operation = operation
        self.policy = policies.policy_of(request.model.workspace_id)
        self.question = bodies.asked(bodies.question_of(request), self.policy.kept)
        self.asked_tokens = _asked_tokens(request)
        self.ticket = Ticket.of(
            request.model,
            request.attribution,
            party=request.party,
            tokens=self.asked_tokens + self._expected_output(),
        )
        self.patience = turnstile.patience_of(self.ticket, request.patience)
        self.number = 1
        self.first: Call | None = None
        self.cache_key = ""
        self.held: UUID | None = None

    def begin(self) -> Call | None:
        """Commit the next attempt's row with its place in the lane; return None when there is no place now.

        Raises NotWanted when the request was taken back, and OverBudget when a budget has no room for it.
        """
        if isinstance(self.request, CompletionRequest) and self.request.wanted and not self.request.wanted():
            raise NotWanted("The request was taken back before it was sent.")
        call = self._new_call()
        self.held = call.reservation_id = reserving.hold(self.request, self.body, call, size=self.question.size)
        if not journal.begin(call, self.ticket, self.question, self.policy.kept):
            self.leave()  # who only waits holds nothing that others could use meanwhile
            return None
        self.first, self.held = self.first or call, None
        return call

    def leave(self) -> None:
        """Give back what is held for an attempt that will not be made."""
        if self.held is not None:
            budgets.release(self.held)
        self.held = None

    def _expected_output(self) -> int:
        """Return what the answer is expected to take of the minute's tokens; its end puts that right."""
        if self.operation == Call.Operation.EMBED:
            return 0
        return expecting.output_of(self.request.model, reserving.output_limit(self.body))

    def _new_call(self) -> Call:
        return journal.new_call(
            self.request,
            operation=self.operation,
            ticket=self.ticket,
            asked_tokens=self.asked_tokens,
            attempt=self.number,
            first=self.first,
            now=timezone.now(),
        )

    def answered(self, call: Call, answer: Answer, request_id: str, timing: Timing) -> Completion:
        """Write the answer down with its charge and return it as a result."""
        ended: dict[str, Any] = {"kept": self.policy.kept, "timing": timing, "now": timezone.now()}
        usage, cost = _written(call, partial(journal.answered, call, answer, request_id=request_id, **ended))
        turnstile.given_back(call.model_id)
        if self.cache_key:
            self._keep(call, answer, cost)
        return _completion(call, answer, usage, request_id=request_id, timing=timing, cost=cost)

    def _keep(self, call: Call, answer: Answer, cost: Decimal | None) -> None:
        """Keep the answer for the next time, by today's policy. It is written and paid for: no error takes it away."""
        try:
            policy = policies.policy_of(call.workspace_id)
            cache.keep(call, self.cache_key, answer, cost, policy=policy, now=timezone.now())
        except Error:
            log.warning("an answer could not be kept", call=str(call.pk), exc_info=True)

    def broke(self, call: Call, error: ProviderError, timing: Timing) -> None:
        """Write the failure down; the error then names the call."""
        ended: dict[str, Any] = {"kept": self.policy.kept, "timing": timing, "now": timezone.now()}
        _written(call, partial(journal.failed, call, error, **ended))
        turnstile.given_back(call.model_id)
        error.call_id, error.attempts = call.pk, call.attempt
        log.warning("provider attempt failed", call=str(call.pk), kind=error.kind, status=error.http_status)

    def abandon(self, call: Call, error: ProviderError, timing: Timing) -> None:
        """Write down an attempt whose asker was stopped by something else than the provider, if that can be now."""
        try:
            journal.failed(call, error, kept=self.policy.kept, timing=timing, now=timezone.now())
        except Error:
            log.exception("an attempt could not be ended", call=str(call.pk))
        turnstile.given_back(call.model_id)

    def after(self, error: ProviderError) -> float:
        """Return how many seconds to wait before the next attempt. Raises the error when there is no use in one."""
        if error.permanent or self.number >= self.request.max_attempts:
            raise error
        if (error.retry_after or 0) > LONGEST_ASKED_WAIT:  # earlier than asked is no use, and nobody waits that long
            raise error
        self.number += 1
        return pause(self.number - 1, error.retry_after)

    def rest(self, seconds: float) -> None:
        """Sleep before the next attempt; whoever may take the request back is asked meanwhile."""
        wanted = getattr(self.request, "wanted", None)
        if wanted is None:
            time.sleep(seconds)
            return
        until = time.monotonic() + seconds
        while wanted() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_UP))

    def reuse(self) -> Completion | None:
        """Return an answer that the workspace kept to exactly this, written down as a call that cost nothing."""
        request = self.request
        if not isinstance(request, CompletionRequest) or not request.reuse or self.policy.reuse_for is None:
            return None
        self.cache_key = cache.key_of(request, self.body)
        now = timezone.now()
        kept = cache.find(request, self.cache_key, now)
        if kept is None:
            return None
        call = self._new_call()
        journal.reused(call, kept, self.question, policy=self.policy, now=now)
        return _completion(
            call,
            cache.answer_of(kept),
            Usage(),
            request_id="",
            timing=Timing(latency_ms=0),
            cost=call.cost,
            saved=kept.cost,
            reused=True,
        )


def admitted(task: Attempts[Any]) -> Call:
    """Return the next attempt's row once it has a place. Raises Busy, NotWanted and OverBudget."""
    try:
        return turnstile.admitted(task.ticket, task.patience, task.begin, governor.wait_for)
    except BaseException:
        task.leave()
        raise


def _asked_tokens(request: CompletionRequest | EmbeddingRequest) -> int:
    if isinstance(request, EmbeddingRequest):
        return sum(counting.tokens(text) for text in request.texts)
    return counting.input_tokens(request.messages, request.tools, request.output_schema)


def _completion(call: Call, answer: Answer, usage: Usage, *, timing: Timing, **known: Any) -> Completion:
    return Completion(
        text=answer.text,
        tool_calls=answer.tool_calls,
        finish_reason=answer.finish_reason,
        usage=usage,
        cost=known["cost"],
        latency_ms=timing.latency_ms or 0,
        call_id=call.pk,
        charge_id=call.charge_id,
        provider_request_id=known["request_id"],
        attempts=call.attempt,
        first_token_ms=timing.first_token_ms,
        reused=known.get("reused", False),
        saved=known.get("saved"),
    )


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
