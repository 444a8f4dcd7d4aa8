"""Sending one notice by e-mail: claimed first, so that a doubled task sends once."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone

from apps.notices.models import Notification

LEASE = timedelta(minutes=10)
FIRST_WAIT = timedelta(seconds=30)


def deliver(notification_id: int) -> bool:
    """Send the e-mail of a notice unless it was sent, is being sent, or was given up; return whether it went out.

    Raises OSError when the mail server did not take it: a later sweep tries again, each time after a longer wait.
    """
    notification = _claim(notification_id)
    if notification is None:
        return False
    row = Notification.objects.filter(pk=notification_id)
    try:
        _mail(notification).send()
    except SMTPRecipientsRefused as error:
        # The address itself is refused: trying again would only annoy the server.
        row.give_up(_said(error))
        return False
    except OSError as error:
        wait = timezone.now() + FIRST_WAIT * 2**notification.mail_attempts
        row.update(mail_lease_until=wait, mail_answer=_said(error))
        raise
    row.update(emailed_at=timezone.now(), mail_lease_until=None, mail_answer="")
    return True


def _said(error: OSError) -> str:
    """Return what the mail server answered, or why it could not be asked, as one line."""
    if isinstance(error, SMTPRecipientsRefused):
        answers = [f"{code} {_text(words)}" for code, words in error.recipients.values()]
        return " ".join(" ".join(answers).split())[:200]
    if isinstance(error, SMTPResponseException):
        return " ".join(f"{error.smtp_code} {_text(error.smtp_error)}".split())[:200]
    return " ".join((error.strerror or str(error) or type(error).__name__).split())[:200]


def _text(words: str | bytes) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    return text.replace("\x00", "")


def _claim(notification_id: int) -> Notification | None:
    now = timezone.now()
    waiting = Notification.objects.waiting_for_mail(now).filter(pk=notification_id)
    if not waiting.update(mail_lease_until=now + LEASE, mail_attempts=F("mail_attempts") + 1):
        return None
    return Notification.objects.select_related("user", "workspace").get(pk=notification_id)


def _mail(notification: Notification) -> EmailMultiAlternatives:
    words = {
        "notification": notification,
        "link": settings.PUBLIC_URL + notification.url if notification.url else "",
        "inbox": settings.PUBLIC_URL + notification.inbox_url,
    }
    mail = EmailMultiAlternatives(
        subject=" ".join(f"[{notification.workspace.name}] {notification.title}".split()),
        body=render_to_string("notices/mail/notice.txt", words),
        to=[notification.user.email],
    )
    mail.attach_alternative(render_to_string("notices/mail/notice.html", words), "text/html")
    return mail
