"""What is written of an attempt: before it leaves, and when it ends. Every end leaves exactly one charge."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

import psycopg
from django.db import IntegrityError, transaction
from django.db import connection as database

from apps.core.ids import time_of, uuid7
from apps.costs import ledger, partitions, pricing
from apps.costs.models import Charge
from apps.llm import bodies, counting
from apps.llm.attribution import Attribution
from apps.llm.completion import Answer, CompletionRequest, EmbeddingRequest, Usage
from apps.llm.errors import ProviderError
from apps.llm.governor import Signal, Ticket, signal_of
from apps.llm.journal_sql import BEGIN, BOOK, END, REACH_DISK
from apps.llm.models import BodyPolicy, CachedAnswer, Call, CallBody
from apps.llm.together import Together

# An answer may take its time limit to be asked for and again to be read, and a while to be written down.
DEADLINE_FACTOR = 2
DEADLINE_GRACE = timedelta(seconds=30)
LONGEST_MESSAGE = 2000
LONGEST_TERM = 20
SAID = ("answered_by", "service_tier", "inference_geo", "speed")
FREE = Usage()


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long an attempt took, in milliseconds; the first token is known of streams alone."""

    latency_ms: int | None = None
    first_token_ms: int | None = None


def new_call(
    request: CompletionRequest | EmbeddingRequest,
    *,
    operation: Call.Operation,
    ticket: Ticket,
    asked_tokens: int,
    attempt: int,
    first: Call | None,
    now: datetime,
) -> Call:
    """Return the row of an attempt, not stored yet, with the id of the charge that it will have."""
    call_id = uuid7()
    attribution = request.attribution
    return Call(
        id=call_id,
        workspace_id=request.model.workspace_id,
        model=request.model,
        operation=operation,
        attempt=attempt,
        first_attempt_id=first.pk if first else call_id,
        party=ticket.party,
        asked_tokens=asked_tokens,
        reserved_tokens=ticket.tokens,
        attribution=dict(vars(attribution)),
        purpose=attribution.purpose,
        origin=attribution.origin,
        prompt_id=attribution.prompt_id,
        version_id=attribution.version_id,
        user_id=attribution.user_id,
        sent_at=now,
        deadline_at=now + timedelta(seconds=DEADLINE_FACTOR * request.timeout) + DEADLINE_GRACE,
    )


def begin(call: Call, ticket: Ticket, question: bodies.Stored, kept: str) -> bool:
    """Commit the call and its place in the lane; return False, and write nothing, when there is no place now."""
    columns = {field.attname: getattr(call, field.attname) for field in Call._meta.concrete_fields}
    columns["attribution"] = json.dumps(columns["attribution"], ensure_ascii=False)
    body = {"kept": kept, "question": question.json, "question_hash": question.hash}
    known = {**ticket.values, **columns, **body}
    database.ensure_connection()
    raw = database.connection
    with database.wrap_database_errors, psycopg.RawCursor(raw) as cursor, psycopg.RawCursor(raw) as written:
        with raw.pipeline() as pipeline:
            cursor.execute(BEGIN.text, [known[name] for name in BEGIN.names], prepare=True)
            pipeline.sync()
            written.execute(REACH_DISK, [call.pk], prepare=True)
        return cursor.fetchone() is not None


def estimate(call: Call, *, output: str = "") -> Usage:
    """Return meters counted from the request and from what came back, if anything did."""
    return Usage(input=call.asked_tokens, output=counting.tokens(output), estimated=True)


def answered(
    call: Call, answer: Answer, *, kept: str, request_id: str, timing: Timing, now: datetime
) -> tuple[Usage, Decimal | None]:
    """Write the answer and its charge, both or neither; return what it used and what it cost.

    `kept` is what its body was begun with: a policy that changed meanwhile is for the next sweep.
    """
    usage = answer.usage or estimate(call, output=answer.text + _called(answer))
    stored = bodies.answered(answer, kept)
    outcome = {
        "state": Call.State.ANSWERED,
        "finish_reason": answer.finish_reason,
        "status": 200,
        "provider_request_id": request_id,
        "text": stored.text,
        "tool_calls": stored.json,
        "answer_hash": stored.hash,
        "signal": Signal.GOOD,
    }
    return usage, _end(call, usage, outcome, answer=answer, timing=timing, now=now)


def _called(answer: Answer) -> str:
    return "".join(tool_call.name + tool_call.arguments for tool_call in answer.tool_calls)


def failed(call: Call, error: ProviderError, *, kept: str, timing: Timing, now: datetime) -> None:
    """Write why the attempt failed and its charge, both or neither: nothing for a refusal or what never left.

    What had come of a stream that broke is kept and charged for.
    """
    free = error.is_refusal or not error.reached
    usage = FREE if free else estimate(call, output=error.received)
    outcome = {
        "state": Call.State.FAILED,
        "status": error.http_status,
        "error_kind": error.kind,
        "error_message": _words(error, kept),
        "provider_request_id": error.request_id,
        "signal": signal_of(error.kind),
        "retry_after": error.retry_after,
    }
    if error.received and kept == BodyPolicy.Kept.FULL:
        outcome["text"] = error.received
    _end(call, usage, outcome, timing=timing, now=now)


def _words(error: ProviderError, kept: str) -> str:
    """Return why it failed; the provider's own words may repeat the prompt, and go where the prompt goes."""
    ours = (
        error.message if kept == BodyPolicy.Kept.FULL or error.http_status is None else error.message.partition(": ")[0]
    )
    return ours[:LONGEST_MESSAGE]


def lost(call: Call, *, now: datetime) -> bool:
    """Write off an attempt whose process never came back, with an estimated charge; return whether it was us."""
    outcome = {
        "state": Call.State.LOST,
        "error_kind": "lost",
        "error_message": "The process that asked ended before the answer came. What it cost is estimated.",
        "signal": Signal.SILENT,
    }
    return _settle(call, estimate(call), outcome, timing=Timing(), now=now) is not None


def _end(
    call: Call,
    usage: Usage,
    outcome: dict[str, Any],
    *,
    timing: Timing,
    now: datetime,
    answer: Answer | None = None,
) -> Decimal | None:
    """Settle the call and return its cost. One that was written off keeps the charge that it has."""
    charge = _settle(call, usage, outcome, answer=answer, timing=timing, now=now)
    if charge is not None:
        return charge.cost
    return Charge.objects.values_list("cost", flat=True).get(pk=call.charge_id)


# What an end says when it does not say otherwise.
_UNSAID: dict[str, Any] = {
    "finish_reason": "",
    "status": None,
    "error_kind": "",
    "error_message": "",
    "provider_request_id": "",
    "text": "",
    "tool_calls": "[]",
    "answer_hash": "",
    "retry_after": None,
}


def _settle(
    call: Call,
    usage: Usage,
    outcome: Mapping[str, Any],
    *,
    timing: Timing,
    now: datetime,
    answer: Answer | None = None,
) -> ledger.NewCharge | None:
    """Move the call out of `sent`, give its place back and book its charge; return None if it had moved before."""
    failed = outcome["state"] in Call.TROUBLED
    charge = _charge(call, usage, answer, latency_ms=timing.latency_ms, failed=failed)
    ended = {
        **_UNSAID,
        **outcome,
        "id": call.pk,
        "usage": json.dumps(_shown(usage, answer)),
        "cost": charge.cost,
        "ended_at": now,
        "first_token_ms": timing.first_token_ms,
        "latency_ms": timing.latency_ms,
        "used": usage.total,
        "most": call.model.connection.max_concurrency,
        "error": str(outcome.get("error_kind", "")),
    }
    partitions.ensure(charge.at, charge.at)
    ending = Ending(call.model_id, [ended[name] for name in END.names], charge)
    return charge if _endings.grant(ending) else None


class Ending(NamedTuple):
    """The end of a call: whose lane it frees, what its row then says, and its charge."""

    model_id: int
    values: list[Any]
    charge: ledger.NewCharge


def _end_all(endings: Sequence[Ending]) -> list[bool]:
    """Write down how calls ended; a month of the ledger that is not there any more is made once more."""
    try:
        return _write(endings)
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.errors.CheckViolation):
            raise
        partitions.forget()
        for ending in endings:
            partitions.ensure(ending.charge.at, ending.charge.at)
        return _write(endings)


def _write(endings: Sequence[Ending]) -> list[bool]:
    """Write down how calls ended, and their charges, or nothing; return of each whether it was in flight until now.

    All goes in one trip and is one transaction of the server's (a pipeline without a sync between): the rows that every
    call of a lane or a day touches are locked for no longer than the server needs, whatever this process does
    meanwhile. They are locked in the order in which everybody locks them: sums and budgets by their keys, then lanes,
    which the calls that begin wait for. A charge is booked once, so a call that had ended before adds nothing.
    """
    charges = sorted((ending.charge for ending in endings), key=attrgetter("id"))
    database.ensure_connection()
    raw = database.connection
    with database.wrap_database_errors, psycopg.RawCursor(raw) as booked, ExitStack() as cursors:
        ended = [cursors.enter_context(psycopg.RawCursor(raw)) for _ in endings]
        with raw.pipeline():
            booked.execute(BOOK.text, ledger.values_of(charges), prepare=True)
            for place in sorted(range(len(endings)), key=lambda place: endings[place].model_id):
                ended[place].execute(END.text, endings[place].values, prepare=True)
        return [bool(row and row[0]) for row in (cursor.fetchone() for cursor in ended)]


_endings = Together(_end_all)


def _shown(usage: Usage, answer: Answer | None) -> dict[str, Any]:
    """Return what the call's row keeps of the usage, with what the response said of itself."""
    meters = {meter.value: count for meter, count in usage.meters.items()}
    said = {name: getattr(answer, name) for name in SAID if getattr(answer, name, "")}
    return {**meters, "reasoning": usage.reasoning, "estimated": usage.estimated, **said}


def _charge(call: Call, usage: Usage, answer: Answer | None, **outcome: Any) -> ledger.NewCharge:
    connection = call.model.connection
    terms: dict[str, Any] = {"tier": _tier(answer), "region": answer.inference_geo[:LONGEST_TERM] if answer else ""}
    price = pricing.quote(
        workspace_id=call.workspace_id,
        provider=connection.provider,
        model=call.model.name,
        at=time_of(call.charge_id),
        meters=usage.meters,
        connection_id=connection.pk,
        **terms,
    )
    return ledger.NewCharge(
        id=call.charge_id,
        workspace_id=call.workspace_id,
        provider=connection.provider,
        model=call.model.name,
        connection_id=connection.pk,
        reasoning_tokens=usage.reasoning,
        cost=price.cost,
        price_ids=price.price_ids,
        estimated=usage.estimated or bool(price.doubt),
        counted_here=usage.estimated,
        reservation_id=call.reservation_id,
        **terms,
        **outcome,
        **ledger.meters_of(usage.meters),
        **_names(Attribution(**call.attribution)),
    )


def _tier(answer: Answer | None) -> str:
    """Return the tier that the response says it was served in, in the provider's words."""
    if answer is None:
        return ""
    return (answer.speed if answer.speed == "fast" else answer.service_tier)[:LONGEST_TERM]


def _names(attribution: Attribution) -> dict[str, Any]:
    """Return for whom the charge is, by the names that the ledger has for it: all but where it came from."""
    return {name: value for name, value in vars(attribution).items() if name != "origin"}


def reused(call: Call, kept: CachedAnswer, question: bodies.Stored, *, policy: BodyPolicy, now: datetime) -> None:
    """Write down a call that a kept answer served: no provider was asked, it cost nothing, and what that saved."""
    answer = kept.answer
    call.state, call.status, call.reused_id = Call.State.ANSWERED, 200, kept.call_id
    call.finish_reason, call.usage, call.cost = answer["finish_reason"], _shown(FREE, None), Decimal(0)
    call.ended_at, call.latency_ms, call.reserved_tokens = now, 0, 0
    charge = replace(_charge(call, FREE, None), cost=Decimal(0), saved=kept.cost or Decimal(0))
    with transaction.atomic():
        call.save(force_insert=True)
        CallBody.objects.create(
            call=call,
            workspace_id=call.workspace_id,
            kept=policy.kept,
            request=json.loads(question.json),
            text=answer["text"],
            tool_calls=answer["tool_calls"],
        )
        ledger.record([charge])
