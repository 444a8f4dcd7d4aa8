from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Invitation
from apps.accounts.models.keys import hash_of


@shared_task(autoretry_for=(OSError,), retry_backoff=30, max_retries=6)
def send_invitation(*, invitation_id: int, token: str, **_: Any) -> None:
    """Send the link of an invitation that is still open. A mail server out of reach is tried again."""
    open_ones = Invitation.objects.open(timezone.now()).select_related("workspace", "invited_by")
    invitation = open_ones.filter(pk=invitation_id, token_hash=hash_of(token)).first()
    if invitation is None:
        return
    words = {"invitation": invitation, "link": settings.PUBLIC_URL + reverse("join", kwargs={"token": token})}
    mail = EmailMultiAlternatives(
        subject=" ".join(f"Join {invitation.workspace.name} on Galley".split()),
        body=render_to_string("accounts/mail/invitation.txt", words),
        to=[invitation.email],
    )
    mail.attach_alternative(render_to_string("accounts/mail/invitation.html", words), "text/html")
    mail.send()
