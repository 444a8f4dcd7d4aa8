from typing import Any

from celery import shared_task
from django.utils import timezone

from apps.accounts import mailing
from apps.accounts.models import Invitation

BATCH = 100


@shared_task
def send_waiting_invitations(**_: Any) -> None:
    """Mail what the broker lost or the mail server did not take, oldest first; stop when the server is away."""
    now = timezone.now()
    waiting = Invitation.objects.waiting_for_mail(now).overdue(now).order_by("id")
    for invitation_id in waiting.values_list("pk", flat=True)[:BATCH]:
        mailing.deliver(invitation_id)
