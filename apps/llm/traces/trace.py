"""All that is known of one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.costs.models import Charge
from apps.llm import policies
from apps.llm.models import BodyPolicy, Call, CallBody
from apps.llm.traces import contents, receipts, waterfall

COUNTED = 1000  # equal requests; more are "more than"


@dataclass(frozen=True)
class Words:
    """The texts of a call as far as they are kept; `missing` says why there are none."""

    messages: Sequence[contents.Message] = ()
    parameters: Sequence[tuple[str, str]] = ()
    tools: Sequence[tuple[str, contents.Passage]] = ()
    schema: contents.Passage | None = None
    answer: contents.Passage | None = None
    tool_calls: Sequence[tuple[str, contents.Passage]] = ()
    request_hash: str = ""
    answer_hash: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Trace:
    """What the page of a call shows beside the call's own row."""

    words: Words
    bars: Sequence[waterfall.Bar]
    costs: dict[Any, Charge]
    receipt: receipts.Receipt | None
    bought_by: Call | None
    same_requests: int
    newer: Call | None
    older: Call | None

    @property
    def more_than_counted(self) -> bool:
        return self.same_requests >= COUNTED


def of(call: Call, now: datetime) -> Trace:
    """Return the trace of a call that was loaded with its model and its body."""
    attempts = attempts_at(call)
    charges = receipts.charges_of([call, *attempts])
    charge = charges.get(call.pk)
    body = _body_of(call)
    return Trace(
        words=_words(call, body, now),
        bars=waterfall.bars_of(attempts, now),
        costs=charges,
        receipt=receipts.receipt_of(charge) if charge else None,
        bought_by=_buyer_of(call),
        same_requests=_same_requests(body),
        newer=_neighbours(call).after(call.pk).order_by("id").first(),
        older=_neighbours(call).before(call.pk).newest_first().first(),
    )


def attempts_at(call: Call) -> list[Call]:
    """Return every attempt at the request of the call, in order."""
    same = Call.objects.filter(workspace=call.workspace_id).attempts_of(call)
    return list(same.with_model().order_by("attempt", "id"))


def _body_of(call: Call) -> CallBody | None:
    # A call whose workspace keeps nothing has none, and so has one whose texts were deleted.
    return getattr(call, "body", None)


def _buyer_of(call: Call) -> Call | None:
    if call.reused_id is None:
        return None
    return Call.objects.filter(workspace=call.workspace_id, pk=call.reused_id).first()


def _neighbours(call: Call) -> Any:
    """Return the calls of the same version, or else of the same prompt, or else all."""
    calls = Call.objects.filter(workspace=call.workspace_id)
    if call.prompt_id is None:
        return calls
    calls = calls.of_prompt(call.prompt_id)
    return calls if call.version_id is None else calls.of_version(call.version_id)


def _same_requests(body: CallBody | None) -> int:
    """Return how many other calls asked exactly the same: known by the fingerprint alone."""
    if body is None or not body.request_hash:
        return 0
    same = CallBody.objects.filter(workspace=body.workspace_id).exclude(request_hash="")
    return same.filter(request_hash=body.request_hash).exclude(pk=body.pk)[:COUNTED].count()


def _words(call: Call, body: CallBody | None, now: datetime) -> Words:
    if body is None:
        return Words(missing=_why_missing(call, now))
    if body.kept != BodyPolicy.Kept.FULL:
        missing = "Only fingerprints of the texts are kept."
        return Words(request_hash=body.request_hash, answer_hash=body.answer_hash, missing=missing)
    request = body.request
    parameters = request.get("parameters") or {}
    return Words(
        messages=contents.messages_of(request),
        parameters=[(name, str(value)) for name, value in parameters.items()],
        tools=contents.tools_offered(request),
        schema=contents.pretty(request["output_schema"]) if request.get("output_schema") is not None else None,
        answer=contents.passage(body.text) if body.text else None,
        tool_calls=contents.tools_of(body.tool_calls),
        answer_hash=body.answer_hash,
    )


def _why_missing(call: Call, now: datetime) -> str:
    policy = policies.policy_of(call.workspace_id)
    if policy.kept == BodyPolicy.Kept.NONE:
        return "This workspace keeps no texts of calls."
    if policy.days and call.sent_at < now - timedelta(days=policy.days):
        days = "a day" if policy.days == 1 else f"{policy.days} days"
        return f"Texts are kept for {days}, and this call is older."
    return "The texts of this call were not kept."


def as_data(call: Call) -> dict[str, Any]:
    """Return a call with everything that is kept of it, in the shapes of JSON."""
    body = _body_of(call)
    return row_as_data(call) | {
        "attribution": {name: value for name, value in call.attribution.items() if value not in (None, "")},
        "error_message": call.error_message,
        "texts": body.kept if body else BodyPolicy.Kept.NONE.value,
        "request": body.request if body and body.request else None,
        "text": body.text if body else "",
        "tool_calls": body.tool_calls if body else [],
        "request_sha256": body.request_hash if body else "",
        "answer_sha256": body.answer_hash if body else "",
    }


COPIED = (
    "operation",
    "state",
    "attempt",
    "purpose",
    "origin",
    "prompt_id",
    "version_id",
    "finish_reason",
    "usage",
    "status",
    "error_kind",
    "provider_request_id",
    "first_token_ms",
    "latency_ms",
)


def row_as_data(call: Call) -> dict[str, Any]:
    """Return what is known of a call without its texts, in the shapes of JSON. Its model must be loaded."""
    ids = {"reused_id": call.reused_id, "charge_id": call.charge_id, "first_attempt_id": call.first_attempt_id}
    return {
        "id": str(call.pk),
        "sent_at": call.sent_at.isoformat(),
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "model": call.model.name,
        "connection": call.model.connection.name,
        "prompt_name": call.attribution.get("prompt_name", ""),
        "version_number": call.attribution.get("version_number"),
        "user_name": call.attribution.get("user_name", ""),
        "api_key_name": call.attribution.get("api_key_name", ""),
        "cost": None if call.cost is None else str(call.cost),
        **{name: getattr(call, name) for name in COPIED},
        **{name: str(value) if value else None for name, value in ids.items()},
    }
