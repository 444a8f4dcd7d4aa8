"""Answers of the practice provider, asked in this process: the same words that it would say over its socket.

A request is put into the provider's wire format by the model's own dialect and its answer is read by the same, so that
text, tokens and cost are those of a real call. Only how long it took is drawn: a function call takes no time to speak of.
"""

import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.core.ids import uuid7
from apps.costs import ledger, pricing
from apps.llm import bodies, cache, counting, governor, journal, policies
from apps.llm.completion import Answer, CompletionRequest, Usage
from apps.llm.dialects import DIALECTS
from apps.llm.errors import ProviderError
from apps.llm.models import Call, CallBody, Connection
from apps.llm.practice_provider import answering, anthropic_wire, asking, openai_wire
from apps.llm.practice_provider.reply import Reply
from llmops_site.demo.troubles import Trouble

MILLISECONDS = {"practice-small": (260.0, 6.0), "practice-large": (520.0, 13.0), "practice-claude": (430.0, 10.0)}
FIRST_GUESS = (300.0, 8.0)
BATCH = 500


def latency_of(draw: random.Random, model: str, output_tokens: int) -> int:
    """Draw the time of an answer: a wait that varies a lot, then so much for every token."""
    wait, each = MILLISECONDS.get(model, FIRST_GUESS)
    return round(wait * draw.lognormvariate(0.0, 0.38) + each * output_tokens * draw.uniform(0.85, 1.2))


def first_token_of(draw: random.Random, model: str, latency_ms: int) -> int:
    """Draw when a stream's first token came: after the wait, and before the end."""
    wait, _ = MILLISECONDS.get(model, FIRST_GUESS)
    return min(latency_ms, round(wait * draw.lognormvariate(0.0, 0.3)))


@dataclass
class Said:
    """What came of a request: its attempts with their texts and charges, not stored yet, and the answer of the last."""

    calls: list[Call] = field(default_factory=list)
    bodies: list[CallBody] = field(default_factory=list)
    charges: list[ledger.NewCharge] = field(default_factory=list)
    answer: Answer | None = None
    usage: Usage = field(default_factory=Usage)
    cost: Decimal | None = None
    saved: Decimal | None = None
    reused: bool = False

    @property
    def call(self) -> Call:
        return self.calls[-1]

    @property
    def ended_at(self) -> datetime:
        return self.call.ended_at or self.call.sent_at


def store(said: Iterable[Said]) -> None:
    """Write down what was said, as the journal would have."""
    heard = [one for one in said if not one.reused]
    Call.objects.bulk_create((call for one in heard for call in one.calls), batch_size=BATCH)
    CallBody.objects.bulk_create((body for one in heard for body in one.bodies), batch_size=BATCH)
    ledger.record([charge for one in heard for charge in one.charges])


def ask(
    request: CompletionRequest,
    at: datetime,
    draw: random.Random,
    *,
    operation: Call.Operation = Call.Operation.COMPLETE,
    troubles: Iterable[Trouble] = (),
) -> Said:
    """Ask in this process and return what came of it, as the journal would have written it then.

    Each trouble ends an attempt; the next follows after a pause, or none where the trouble is for good.
    """
    said = Said()
    for trouble in troubles:
        error = trouble.error(request.model.connection)
        _break(said, request, at, operation, error, trouble.milliseconds(draw))
        if error.permanent:
            return said
        at = said.ended_at + timedelta(seconds=(error.retry_after or 0) + draw.uniform(0.1, 1.2))
    _answer(said, request, at, operation, draw)
    return said


def reuse(request: CompletionRequest, at: datetime) -> Said | None:
    """Let an answer that the workspace kept serve again, written down by the journal itself; None if there is none."""
    policy = policies.policy_of(request.model.workspace_id)
    kept = cache.find(request, _key(request), at)
    if kept is None:
        return None
    said = Said(answer=cache.answer_of(kept), cost=Decimal(0), saved=kept.cost, reused=True)
    call = _attempt(said, request, at, Call.Operation.COMPLETE)
    journal.reused(call, kept, bodies.asked(bodies.question_of(request), policy.kept), policy=policy, now=at)
    return said


def keep(request: CompletionRequest, said: Said) -> None:
    """Keep an answer for the next time, if the workspace wants that. The call must be stored."""
    if said.answer and not said.reused:
        policy = policies.policy_of(request.model.workspace_id)
        cache.keep(said.call, _key(request), said.answer, said.cost, policy=policy, now=said.ended_at)


def _key(request: CompletionRequest) -> str:
    return cache.key_of(request, DIALECTS[request.model.connection.kind].body(request))


def _attempt(said: Said, request: CompletionRequest, at: datetime, operation: Call.Operation) -> Call:
    """Return the row of the next attempt at that moment, with ids that carry it."""
    asked = counting.input_tokens(request.messages, request.tools, request.output_schema)
    ticket = governor.Ticket.of(request.model, request.attribution, party=request.party, tokens=asked)
    first, attempt = said.calls[0] if said.calls else None, len(said.calls) + 1
    call = journal.new_call(
        request, operation=operation, ticket=ticket, asked_tokens=asked, attempt=attempt, first=first, now=at
    )
    call.id, call.charge_id = uuid7(at), uuid7(at)
    call.first_attempt_id = first.pk if first else call.id
    said.calls.append(call)
    return call


def _answer(
    said: Said, request: CompletionRequest, at: datetime, operation: Call.Operation, draw: random.Random
) -> None:
    connection = request.model.connection
    dialect = DIALECTS[connection.kind]
    answer = dialect.read(_reply(dialect.body(request), connection.kind, at))
    call = _attempt(said, request, at, operation)
    usage = answer.usage or journal.estimate(call, output=answer.text)
    latency = latency_of(draw, request.model.name, usage.output)
    call.state, call.status, call.finish_reason = Call.State.ANSWERED, 200, answer.finish_reason
    call.provider_request_id = f"req_{call.id.hex[-15:]}"
    if operation == Call.Operation.STREAM:
        call.first_token_ms = first_token_of(draw, request.model.name, latency)
    said.answer, said.usage = answer, usage
    said.cost = _end(said, request, usage, latency, text=answer.text, tool_calls=answer.tool_calls)


def _break(
    said: Said,
    request: CompletionRequest,
    at: datetime,
    operation: Call.Operation,
    error: ProviderError,
    latency_ms: int,
) -> None:
    call = _attempt(said, request, at, operation)
    usage = Usage() if error.is_refusal or not error.reached else journal.estimate(call)
    call.state, call.status = Call.State.FAILED, error.http_status
    call.error_kind, call.error_message = error.kind, error.message
    _end(said, request, usage, latency_ms)


def _end(
    said: Said,
    request: CompletionRequest,
    usage: Usage,
    latency_ms: int,
    *,
    text: str = "",
    tool_calls: Iterable[Any] = (),
) -> Decimal | None:
    """Complete the last attempt's row, and add its text and its charge; return what it cost."""
    call, connection = said.call, request.model.connection
    call.latency_ms, call.ended_at = latency_ms, call.sent_at + timedelta(milliseconds=latency_ms)
    meters = {meter.value: count for meter, count in usage.meters.items()}
    call.usage = {**meters, "reasoning": usage.reasoning, "estimated": usage.estimated}
    whose: dict[str, Any] = {
        "workspace_id": call.workspace_id,
        "provider": connection.provider,
        "connection_id": connection.pk,
    }
    price = pricing.quote(model=request.model.name, at=call.sent_at, meters=usage.meters, **whose)
    call.cost = price.cost
    known: dict[str, Any] = {name: value for name, value in vars(request.attribution).items() if name != "origin"}
    said.charges.append(
        ledger.NewCharge(
            id=call.charge_id,
            model=request.model.name,
            cost=price.cost,
            price_ids=price.price_ids,
            estimated=usage.estimated or bool(price.doubt),
            failed=call.state == Call.State.FAILED,
            latency_ms=latency_ms,
            reasoning_tokens=usage.reasoning,
            **whose,
            **ledger.meters_of(usage.meters),
            **known,
        )
    )
    said.bodies.append(
        CallBody(
            call=call,
            workspace_id=call.workspace_id,
            request=bodies.question_of(request),
            text=text,
            tool_calls=[asdict(tool_call) for tool_call in tool_calls],
        )
    )
    return price.cost


def _reply(body: dict[str, Any], kind: str, at: datetime) -> dict[str, Any]:
    spoken = kind == Connection.Kind.ANTHROPIC
    question = asking.read_anthropic(body, "") if spoken else asking.read_openai(body, "")
    reply = Reply(question, (answering.answer(question),), uuid7(at).hex, int(at.timestamp()))
    return anthropic_wire.whole(reply) if spoken else openai_wire.whole(reply)
