from typing import Any

from celery import shared_task

from apps.notices import delivering, mailing


@shared_task
def send_mail(*, notification_id: int, **_: Any) -> None:
    """Send one notice. When the mail server is away the sweep tries again."""
    mailing.deliver(notification_id)


@shared_task
def send_webhook(*, delivery_id: int, **_: Any) -> None:
    """Send one webhook. What is not taken waits for the sweep."""
    delivering.deliver(delivery_id)
