from typing import Any

from celery import shared_task
from django.utils import timezone

from apps.notices import mailing
from apps.notices.models import Notification

BATCH = 200


@shared_task
def send_waiting_mail(**_: Any) -> None:
    """Send what the broker lost or the mail server refused, oldest first; stop when the server is away."""
    now = timezone.now()
    waiting = Notification.objects.waiting_for_mail(now).overdue(now).order_by("id")
    for notification_id in waiting.values_list("pk", flat=True)[:BATCH]:
        mailing.deliver(notification_id)
