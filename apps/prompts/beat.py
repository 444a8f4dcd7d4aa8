"""What the clock asks of this room. What is due stands in the database; a lost, doubled or killed beat does no harm."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from celery import shared_task
from django.utils import timezone

from apps.prompts import actions, spend_board
from apps.prompts.actions.bypass import REMIND_EVERY
from apps.prompts.models import ChangeRequest, FollowUp

logger = logging.getLogger(__name__)
BATCH = 200


@shared_task
def promote_due(**_: Any) -> None:
    """Promote what is scheduled and due, oldest first: each in a transaction of its own."""
    due = ChangeRequest.objects.due().order_by("scheduled_at", "pk")[:BATCH]
    _each(due, lambda request: actions.promote_scheduled(change_request=request))


def _each(requests: Iterable[ChangeRequest], work: Callable[[ChangeRequest], object]) -> None:
    """Do the work for every request: one that breaks does not hold up the others; it rises at the end."""
    failed: Exception | None = None
    for request in requests:
        try:
            work(request)
        except Exception as error:
            logger.exception("Work on request %s broke", request.pk)
            failed = error
    if failed:
        raise failed


@shared_task
def settle_requests(**_: Any) -> None:
    """Derive anew where waiting requests stand: members come and go, and time passes, without telling them."""
    waiting = ChangeRequest.objects.waiting().order_by("pk").iterator(chunk_size=BATCH)
    _each(waiting, lambda request: actions.settle_change_requests(requests=[request]))


@shared_task
def refresh_forecasts(**_: Any) -> None:
    """Forecast anew what the open requests cost, before yesterday's traffic counts for today."""
    _each(spend_board.outdated(), lambda request: actions.refresh_spend_check(change_request=request))


@shared_task
def remind_of_look_backs(**_: Any) -> None:
    """Remind those who could look back at an emergency that nobody did in time."""
    for follow_up in FollowUp.objects.to_remind(timezone.now(), REMIND_EVERY).loaded()[:BATCH]:
        actions.remind_of_look_back(follow_up=follow_up)
