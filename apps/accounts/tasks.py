from typing import Any

from celery import shared_task

from apps.accounts import mailing


@shared_task
def send_invitation(*, invitation_id: int, **_: Any) -> None:
    """Mail the link of an invitation. When the mail server is away the sweep tries again."""
    mailing.deliver(invitation_id)
