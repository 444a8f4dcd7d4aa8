"""Calls whose process died between sending and writing down the answer: each is written off once, with a charge."""

from datetime import datetime

import structlog
from django.utils import timezone

from apps.llm import journal
from apps.llm.models import Call

BATCH = 500

log = structlog.get_logger(__name__)


def sweep(now: datetime) -> int:
    """Write off every call that is past its deadline; return how many it was us to write off."""
    swept = 0
    abandoned = Call.objects.abandoned(now).with_model().order_by("deadline_at", "id")
    while calls := list(abandoned[:BATCH]):
        # Not the sum: a call that another sweeper took is done too, and no longer in the next batch.
        swept += sum(charge_lost(call, now=now) for call in calls)
    if swept:
        log.warning("calls written off", count=swept)
    return swept


def charge_lost(call: Call, *, now: datetime | None = None) -> bool:
    """Write one call off with an estimated charge; return False when it had already ended."""
    return journal.lost(call, now=now or timezone.now())
