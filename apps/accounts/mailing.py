"""Mailing the link of an invitation: claimed first, so that a doubled task sends once."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Invitation
from apps.accounts.models.keys import hash_of
from apps.accounts.models.workspaces import MAIL_ATTEMPTS

LEASE = timedelta(minutes=10)
FIRST_WAIT = timedelta(seconds=30)

log = structlog.get_logger(__name__)


def deliver(invitation_id: int) -> bool:
    """Mail an open invitation unless that was done, is being done or was given up; return whether it went out.

    Raises OSError when the mail server did not take it: a later sweep tries again, each time after a longer wait.
    """
    invitation = _claim(invitation_id)
    if invitation is None:
        return False
    row = Invitation.objects.filter(pk=invitation_id)
    token = invitation.token()
    if hash_of(token) != invitation.token_hash:
        # The address on the inviter's screen still works, but another SECRET_KEY cannot spell it again.
        log.warning("invitation not mailed: SECRET_KEY has changed since it was written", invitation=invitation_id)
        row.update(mail_lease_until=invitation.expires_at)
        return False
    try:
        _mail(invitation, token).send()
    except SMTPRecipientsRefused:
        # The address itself is refused: trying again would only annoy the server.
        row.update(mail_attempts=MAIL_ATTEMPTS, mail_lease_until=None)
        return False
    except OSError:
        row.update(mail_lease_until=timezone.now() + FIRST_WAIT * 2**invitation.mail_attempts)
        raise
    row.update(mailed_at=timezone.now(), mail_lease_until=None)
    return True


def _claim(invitation_id: int) -> Invitation | None:
    now = timezone.now()
    waiting = Invitation.objects.waiting_for_mail(now).filter(pk=invitation_id)
    if not waiting.update(mail_lease_until=now + LEASE, mail_attempts=F("mail_attempts") + 1):
        return None
    return Invitation.objects.select_related("workspace", "invited_by").get(pk=invitation_id)


def _mail(invitation: Invitation, token: str) -> EmailMultiAlternatives:
    words = {"invitation": invitation, "link": settings.PUBLIC_URL + reverse("join", kwargs={"token": token})}
    mail = EmailMultiAlternatives(
        subject=" ".join(f"Join {invitation.workspace.name} on Galley".split()),
        body=render_to_string("accounts/mail/invitation.txt", words),
        to=[invitation.email],
    )
    mail.attach_alternative(render_to_string("accounts/mail/invitation.html", words), "text/html")
    return mail
