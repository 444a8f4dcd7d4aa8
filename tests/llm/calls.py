"""Calls that were made: rows alone, without a provider and without a charge."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.core.ids import uuid7
from apps.costs.models import Purpose
from apps.llm.models import Call, Model


def made(model: Model, at: datetime | None = None, *, ms: int | None = 500, **fields: Any) -> Call:
    """Return an ended call, sent at that moment; `kind` names the error of one that failed."""
    return Call.objects.create(**columns(model, at, ms=ms, **fields))


def columns(model: Model, at: datetime | None = None, *, ms: int | None = 500, **fields: Any) -> dict[str, Any]:
    """Return the columns of such a call."""
    sent = at or timezone.now()
    call_id = uuid7(sent)
    kind = fields.pop("kind", "")
    return {
        "id": call_id,
        "workspace_id": model.workspace_id,
        "model": model,
        "first_attempt_id": call_id,
        "attribution": {},
        "purpose": Purpose.PRODUCTION,
        "sent_at": sent,
        "deadline_at": sent + timedelta(minutes=2),
        "ended_at": sent + timedelta(milliseconds=ms or 0),
        "latency_ms": ms,
        "state": Call.State.FAILED if kind else Call.State.ANSWERED,
        "error_kind": kind,
        "usage": {"input": 100, "cache_read": 20, "output": 10, "reasoning": 0, "estimated": False},
        **fields,
    }
