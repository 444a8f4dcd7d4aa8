"""Calls as they stand in the database, made without asking any model."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from apps.core.ids import uuid7
from apps.costs import ledger, pricing
from apps.costs.models import Meter, Purpose
from apps.llm.models import BodyPolicy, Call, CallBody, Model

REQUEST = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my order?"}],
    "parameters": {"temperature": 0.2},
}
USAGE = {"input": 20, "cache_read": 0, "cache_write": 0, "cache_write_1h": 0, "output": 5, "reasoning": 0}


def make_call(model: Model, at: datetime | None = None, *, body: Any = REQUEST, text: str = "", **fields: Any) -> Call:
    """Make an answered call, sent a moment ago if nothing else is said; `body=None` leaves its texts out."""
    at = at or timezone.now()
    call_id = uuid7(at)
    named = {"prompt_name": "support/reply", "version_number": None, "user_name": "Paula", **fields.pop("named", {})}
    fields = {
        "state": Call.State.ANSWERED,
        "purpose": Purpose.PLAYGROUND,
        "usage": {**USAGE, "estimated": False},
        "cost": Decimal("0.00004"),
        "ended_at": None if fields.get("state") == Call.State.SENT else at + timedelta(milliseconds=120),
        "latency_ms": None if fields.get("state") == Call.State.SENT else 120,
        "first_attempt_id": call_id,
        "finish_reason": "stop",
        "status": 200,
        **fields,
    }
    call = Call.objects.create(
        id=call_id,
        charge_id=uuid7(at),
        workspace=model.workspace,
        model=model,
        sent_at=at,
        deadline_at=at + timedelta(minutes=1),
        attribution={"purpose": str(fields["purpose"]), **named},
        **fields,
    )
    if body is not None:
        make_body(call, request=body, text=text)
    return call


def make_body(call: Call, **fields: Any) -> CallBody:
    fields = {"kept": BodyPolicy.Kept.FULL, **fields}
    return CallBody.objects.create(call=call, workspace=call.workspace, **fields)


def charge(call: Call, *, estimated: bool = False, saved: Decimal = Decimal(0), free: bool = False) -> None:
    """Book the call's charge at the prices of its model."""
    meters = {} if free else {Meter.INPUT: call.usage["input"], Meter.OUTPUT: call.usage["output"]}
    name, provider = call.model.name, call.model.connection.provider
    priced = pricing.quote(
        workspace_id=call.workspace_id, provider=provider, model=name, at=timezone.now(), meters=meters
    )
    ledger.record(
        [
            ledger.NewCharge(
                id=call.charge_id,
                workspace_id=call.workspace_id,
                provider=provider,
                model=name,
                purpose=Purpose(call.purpose),
                cost=Decimal(0) if free else priced.cost,
                price_ids=priced.price_ids,
                estimated=estimated,
                saved=saved,
                **ledger.meters_of(meters),
            )
        ]
    )
