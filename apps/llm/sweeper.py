"""Calls whose process died between sending and writing down the answer: each is written off once, with a charge."""

from dataclasses import fields
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone

from apps.llm import hours, journal
from apps.llm.attribution import Attribution
from apps.llm.models import Call, Waiter

BATCH = 500
KNOWN = frozenset(field.name for field in fields(Attribution))

log = structlog.get_logger(__name__)


def sweep(now: datetime) -> int:
    """Write off every call that is past its deadline; return how many it was us to write off.

    One that cannot be written off is logged and keeps nobody behind it: it is tried again at the next sweep. Raises
    OperationalError when the database is away.
    """
    swept = 0
    oldest = now
    abandoned = Call.objects.abandoned(now).with_model().order_by("deadline_at", "id")
    batch = list(abandoned[:BATCH])
    while batch:
        for call in batch:
            # Not the sum: a call that another sweeper took is done too.
            if _written_off(call, now):
                swept, oldest = swept + 1, min(oldest, call.sent_at)
        last = batch[-1]
        behind = Q(deadline_at__gt=last.deadline_at) | Q(deadline_at=last.deadline_at, id__gt=last.pk)
        batch = list(abandoned.filter(behind)[:BATCH])
    if swept:
        log.warning("calls written off", count=swept)
        hours.catch_up(oldest, now)
    return swept


def _written_off(call: Call, now: datetime) -> bool:
    try:
        return charge_lost(call, now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("a call could not be written off", call=str(call.pk))
        return False


def charge_lost(call: Call, *, now: datetime | None = None) -> bool:
    """Write one call off with an estimated charge; return False when it had already ended."""
    # Whoever sent it may have known names that this version does not.
    said = {name: value for name, value in call.attribution.items() if name in KNOWN}
    call.attribution = {"purpose": call.purpose, **said}
    return journal.lost(call, now=now or timezone.now())


def forget_waiters() -> int:
    """Delete what says who waited for a place a while ago; return how many rows that were."""
    return Waiter.objects.gone().delete()[0]
