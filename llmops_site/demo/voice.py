"""Answers of the practice provider, asked in this process: the same words that it would say over its socket.

A request is put into the provider's wire format by the model's own dialect and its answer is read by the same, so that
text, tokens and cost are those of a real call. Only how long it took is drawn: a function call takes no time to speak of.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.core.ids import uuid7
from apps.costs import ledger, pricing
from apps.llm.completion import Answer, CompletionRequest, Usage
from apps.llm.dialects import DIALECTS
from apps.llm.models import Call, Connection
from apps.llm.practice_provider import answering, anthropic_wire, asking, openai_wire
from apps.llm.practice_provider.reply import Reply

MILLISECONDS = {"practice-small": (260.0, 6.0), "practice-large": (520.0, 13.0), "practice-claude": (430.0, 10.0)}
FIRST_GUESS = (300.0, 8.0)


def latency_of(draw: random.Random, model: str, output_tokens: int) -> int:
    """Draw the time of an answer: a wait that varies a lot, then so much for every token."""
    wait, each = MILLISECONDS.get(model, FIRST_GUESS)
    return round(wait * draw.lognormvariate(0.0, 0.38) + each * output_tokens * draw.uniform(0.85, 1.2))


@dataclass(frozen=True)
class Said:
    """An answered call with its charge, neither stored yet."""

    call: Call
    charge: ledger.NewCharge
    answer: Answer
    usage: Usage
    cost: Decimal | None
    latency_ms: int


def ask(request: CompletionRequest, at: datetime, draw: random.Random) -> Said:
    """Ask in this process and return the call as the journal would have written it at that moment."""
    connection = request.model.connection
    dialect = DIALECTS[connection.kind]
    answer = dialect.read(_reply(dialect.body(request), connection.kind, at))
    usage = answer.usage or Usage()
    latency = latency_of(draw, request.model.name, usage.output)
    charge_id = uuid7(at)
    price = pricing.quote(
        workspace_id=request.model.workspace_id,
        provider=connection.provider,
        model=request.model.name,
        at=at,
        meters=usage.meters,
    )
    call = _call(request, answer, usage, at, latency)
    call.charge_id = charge_id
    charge = ledger.NewCharge(
        id=charge_id,
        workspace_id=request.model.workspace_id,
        provider=connection.provider,
        model=request.model.name,
        connection_id=connection.pk,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cost=price.cost,
        price_ids=price.price_ids,
        latency_ms=latency,
        **_names(request),
    )
    return Said(call, charge, answer, usage, price.cost, latency)


def _reply(body: dict[str, Any], kind: str, at: datetime) -> dict[str, Any]:
    spoken = kind == Connection.Kind.ANTHROPIC
    question = asking.read_anthropic(body, "") if spoken else asking.read_openai(body, "")
    reply = Reply(question, (answering.answer(question),), uuid7(at).hex, int(at.timestamp()))
    return anthropic_wire.whole(reply) if spoken else openai_wire.whole(reply)


def _names(request: CompletionRequest) -> dict[str, Any]:
    known = dict(vars(request.attribution))
    known.pop("origin")
    return known


def _call(request: CompletionRequest, answer: Answer, usage: Usage, at: datetime, latency_ms: int) -> Call:
    call_id = uuid7(at)
    question: dict[str, Any] = {"messages": request.messages, "parameters": request.parameters}
    if request.output_schema is not None:
        question["output_schema"] = request.output_schema
    meters = {meter.value: count for meter, count in usage.meters.items()}
    return Call(
        id=call_id,
        workspace_id=request.model.workspace_id,
        model=request.model,
        state=Call.State.ANSWERED,
        first_attempt_id=call_id,
        request=question,
        attribution=dict(vars(request.attribution)),
        purpose=request.attribution.purpose,
        origin=request.attribution.origin,
        prompt_id=request.attribution.prompt_id,
        version_id=request.attribution.version_id,
        text=answer.text,
        finish_reason=answer.finish_reason,
        usage={**meters, "reasoning": usage.reasoning, "estimated": usage.estimated},
        status=200,
        provider_request_id=f"req_{call_id.hex[-15:]}",
        sent_at=at,
        deadline_at=at,
        ended_at=at,
        latency_ms=latency_ms,
    )
