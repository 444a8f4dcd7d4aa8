"""What is written of an attempt: before it leaves, and when it ends. Every end leaves exactly one charge."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.core.ids import time_of, uuid7
from apps.costs import ledger, pricing
from apps.costs.models import Charge
from apps.llm import counting
from apps.llm.attribution import Attribution
from apps.llm.completion import Answer, CompletionRequest, Usage
from apps.llm.errors import ProviderError
from apps.llm.models import Call

# An answer may take its time limit to be asked for and again to be read, and a while to be written down.
DEADLINE_FACTOR = 2
DEADLINE_GRACE = timedelta(seconds=30)
FREE = Usage()


def begin(request: CompletionRequest, *, attempt: int, first: Call | None, now: datetime) -> Call:
    """Commit the row of an attempt that is about to leave, with the charge that it will have."""
    call_id = uuid7()
    attribution = request.attribution
    call = Call(
        id=call_id,
        workspace_id=request.model.workspace_id,
        model=request.model,
        attempt=attempt,
        first_attempt_id=first.pk if first else call_id,
        request=_question(request),
        attribution=dict(vars(attribution)),
        purpose=attribution.purpose,
        origin=attribution.origin,
        prompt_id=attribution.prompt_id,
        version_id=attribution.version_id,
        sent_at=now,
        deadline_at=now + timedelta(seconds=DEADLINE_FACTOR * request.timeout) + DEADLINE_GRACE,
    )
    call.save(force_insert=True)
    return call


def _question(request: CompletionRequest) -> dict[str, Any]:
    found: dict[str, Any] = {"messages": request.messages, "parameters": request.parameters}
    if request.tools:
        found["tools"] = request.tools
    if request.output_schema is not None:
        found["output_schema"] = request.output_schema
    return found


def estimate(question: Mapping[str, Any], *, output: str = "") -> Usage:
    """Return meters counted from the text of a stored request, and of what came back if anything did."""
    asked = counting.input_tokens(question["messages"], question.get("tools", ()), question.get("output_schema"))
    return Usage(input=asked, output=counting.tokens(output), estimated=True)


def answered(
    call: Call, answer: Answer, *, request_id: str, latency_ms: int, now: datetime
) -> tuple[Usage, Decimal | None]:
    """Write the answer and its charge, both or neither; return what it used and what it cost."""
    usage = answer.usage or estimate(call.request, output=answer.text + _called(answer))
    outcome = {
        "state": Call.State.ANSWERED,
        "text": answer.text,
        "tool_calls": [asdict(tool_call) for tool_call in answer.tool_calls],
        "finish_reason": answer.finish_reason,
        "status": 200,
        "provider_request_id": request_id,
    }
    return usage, _end(call, usage, outcome, latency_ms=latency_ms, now=now)


def _called(answer: Answer) -> str:
    return "".join(tool_call.name + tool_call.arguments for tool_call in answer.tool_calls)


def failed(call: Call, error: ProviderError, *, latency_ms: int, now: datetime) -> None:
    """Write why the attempt failed and its charge, both or neither: nothing for a refusal or what never left."""
    free = error.is_refusal or not error.reached
    usage = FREE if free else estimate(call.request, output=error.received)
    outcome = {
        "state": Call.State.FAILED,
        "status": error.http_status,
        "error_kind": error.kind,
        "error_message": error.message[:2000],
        "provider_request_id": error.request_id,
    }
    _end(call, usage, outcome, latency_ms=latency_ms, now=now)


def lost(call: Call, *, now: datetime) -> bool:
    """Write off an attempt whose process never came back, with an estimated charge; return whether it was us."""
    outcome = {
        "state": Call.State.LOST,
        "error_kind": "lost",
        "error_message": "The process that asked ended before the answer came. What it cost is estimated.",
    }
    return _settle(call, estimate(call.request), outcome, latency_ms=None, now=now) is not None


def _end(call: Call, usage: Usage, outcome: dict[str, Any], *, latency_ms: int, now: datetime) -> Decimal | None:
    """Settle the call and return its cost. One that was written off keeps the charge that it has."""
    charge = _settle(call, usage, outcome, latency_ms=latency_ms, now=now)
    if charge is not None:
        return charge.cost
    return Charge.objects.values_list("cost", flat=True).get(pk=call.charge_id)


def _settle(
    call: Call, usage: Usage, outcome: dict[str, Any], *, latency_ms: int | None, now: datetime
) -> ledger.NewCharge | None:
    """Move the call out of `sent` and record its charge in one transaction; return None if it had moved before."""
    charge = _charge(call, usage, latency_ms=latency_ms, failed=outcome["state"] in Call.TROUBLED)
    meters = {meter.value: count for meter, count in usage.meters.items()}
    outcome |= {"usage": {**meters, "reasoning": usage.reasoning, "estimated": usage.estimated}}
    with transaction.atomic():
        sent = Call.objects.filter(pk=call.pk, state=Call.State.SENT)
        if not sent.update(**outcome, ended_at=now, latency_ms=latency_ms):
            return None
        # Last, because it locks the rollups that every call of the day adds to.
        ledger.record([charge])
    return charge


def _charge(call: Call, usage: Usage, *, latency_ms: int | None, failed: bool) -> ledger.NewCharge:
    connection = call.model.connection
    attribution = Attribution(**call.attribution)
    price = pricing.quote(
        workspace_id=call.workspace_id,
        provider=connection.provider,
        model=call.model.name,
        at=time_of(call.charge_id),
        meters=usage.meters,
    )
    return ledger.NewCharge(
        id=call.charge_id,
        workspace_id=call.workspace_id,
        provider=connection.provider,
        model=call.model.name,
        connection_id=connection.pk,
        input_tokens=usage.input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        cost=price.cost,
        price_ids=price.price_ids,
        estimated=usage.estimated,
        purpose=attribution.purpose,
        team_id=attribution.team_id,
        team_name=attribution.team_name,
        api_key_id=attribution.api_key_id,
        api_key_name=attribution.api_key_name,
        user_id=attribution.user_id,
        user_name=attribution.user_name,
        customer=attribution.customer,
        prompt_id=attribution.prompt_id,
        prompt_name=attribution.prompt_name,
        version_id=attribution.version_id,
        version_number=attribution.version_number,
        environment=attribution.environment,
        latency_ms=latency_ms,
        failed=failed,
    )
