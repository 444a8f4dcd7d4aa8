import time
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from apps.notices import actions, delivering, mailing
from apps.notices.models import Notification, WebhookDelivery

BATCH = 200
SWEEP_SECONDS = 20.0
KEEP_DELIVERIES = timedelta(days=30)


@shared_task
def send_waiting_mail(**_: Any) -> None:
    """Send what the broker lost or the mail server refused, oldest first; stop when the server is away."""
    now = timezone.now()
    waiting = Notification.objects.waiting_for_mail(now).overdue(now).order_by("id")
    for notification_id in waiting.values_list("pk", flat=True)[:BATCH]:
        mailing.deliver(notification_id)


@shared_task
def send_waiting_webhooks(**_: Any) -> None:
    """Try what is due, one for each address in turn: one that hangs does not hold up the others' next."""
    ends_at = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < ends_at:
        due = WebhookDelivery.objects.due(timezone.now()).order_by("endpoint", "due_at", "id").distinct("endpoint")
        found = list(due.values_list("pk", flat=True)[:BATCH])
        if not found:
            return
        for delivery_id in found:
            delivering.deliver(delivery_id)
            if time.monotonic() >= ends_at:
                return


@shared_task
def forget_old_webhooks(**_: Any) -> None:
    """Remove what was delivered or given up a month ago."""
    actions.forget_old_deliveries(older_than=KEEP_DELIVERIES)


@shared_task
def tell_failing_webhooks(**_: Any) -> None:
    """Tell people of addresses that take nothing."""
    actions.tell_failing_webhooks()
