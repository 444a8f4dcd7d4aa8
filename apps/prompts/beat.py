"""What the clock asks of this room. What is due stands in the database; a lost, doubled or killed beat does no harm."""

import logging
from typing import Any

from celery import shared_task

from apps.prompts import actions, spend_board
from apps.prompts.models import ChangeRequest

logger = logging.getLogger(__name__)
BATCH = 200


@shared_task
def promote_due(**_: Any) -> None:
    """Promote what is scheduled and due, oldest first: each in a transaction of its own."""
    failed: Exception | None = None
    for request in ChangeRequest.objects.due().order_by("scheduled_at", "pk")[:BATCH]:
        try:
            actions.promote_scheduled(change_request=request)
        except Exception as error:  # one that breaks must not hold up the others; it rises at the end
            logger.exception("Scheduled promotion of request %s broke", request.pk)
            failed = error
    if failed:
        raise failed


@shared_task
def settle_requests(**_: Any) -> None:
    """Derive anew where waiting requests stand: members come and go, and time passes, without telling them."""
    for request in ChangeRequest.objects.waiting().order_by("pk").iterator(chunk_size=BATCH):
        actions.settle_change_requests(requests=[request])


@shared_task
def refresh_forecasts(**_: Any) -> None:
    """Forecast anew what the open requests cost, before yesterday's traffic counts for today."""
    for request in spend_board.outdated():
        actions.refresh_spend_check(change_request=request)
