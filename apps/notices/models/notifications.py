import re
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User, Workspace

MAIL_ATTEMPTS = 8
MAIL_GRACE = timedelta(minutes=1)
OWN_PATH = r"^/([^/\\].*)?$"


def is_own_path(url: str) -> bool:
    """Tell whether an address stays on this site: one slash, then neither a slash, a backslash nor a control character."""
    return bool(re.fullmatch(OWN_PATH.strip("^$"), url)) and url.isprintable()


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of(self, user: User, workspace: Workspace) -> Self:
        return self.filter(user=user, workspace=workspace)

    def unread(self) -> Self:
        return self.filter(read_at=None)

    def unread_of(self, user: User, workspace: Workspace) -> Self:
        return self.of(user, workspace).unread()

    def read(self) -> Self:
        return self.exclude(read_at=None)

    def before(self, pk: int | None) -> Self:
        """Return the page that follows the notice of that id, newest first; all without one."""
        return self if pk is None else self.filter(pk__lt=pk)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def waiting_for_mail(self, now: datetime) -> Self:
        """Return what nobody sent and nobody is sending right now."""
        free = models.Q(mail_lease_until=None) | models.Q(mail_lease_until__lt=now)
        return self.filter(
            free, wants_mail=True, emailed_at=None, mail_attempts__lt=MAIL_ATTEMPTS, user__is_active=True
        )

    def overdue(self, now: datetime) -> Self:
        """Return what its own task should have sent by now."""
        return self.filter(created_at__lt=now - MAIL_GRACE)

    def mails(self, workspace: Workspace) -> Self:
        """Return what members of a workspace were to hear by e-mail."""
        return self.filter(workspace=workspace, wants_mail=True)

    def done_with_mail(self) -> Self:
        """Return those whose e-mail was sent, or given up."""
        done = models.Q(emailed_at__isnull=False) | models.Q(mail_attempts__gte=MAIL_ATTEMPTS)
        return self.filter(done, wants_mail=True)

    def give_up(self, answer: str) -> int:
        return self.update(mail_attempts=MAIL_ATTEMPTS, mail_lease_until=None, mail_answer=answer[:200])


class Notification(models.Model):
    """Something a person should know: in their inbox at once, and once by e-mail."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="notifications")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)
    wants_mail = models.BooleanField(default=True)
    emailed_at = models.DateTimeField(null=True, blank=True)
    mail_lease_until = models.DateTimeField(null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_answer = models.CharField(max_length=200, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(url="") | models.Q(url__regex=OWN_PATH), name="notification_url_relative"
            )
        ]
        indexes = [
            models.Index(fields=["user", "workspace", "-id"], name="notification_inbox"),
            models.Index(fields=["user", "workspace"], condition=models.Q(read_at=None), name="notification_unread"),
            models.Index(
                fields=["id"], condition=models.Q(emailed_at=None, wants_mail=True), name="notification_waiting_mail"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def mail_state(self) -> str:
        if self.emailed_at:
            return "sent"
        return "given_up" if self.mail_attempts >= MAIL_ATTEMPTS else "waiting"

    @property
    def mail_words(self) -> str:
        tried = f", tried {self.mail_attempts} time{'' if self.mail_attempts == 1 else 's'}"
        return {"sent": "Sent", "given_up": "Given up"}.get(
            self.mail_state, f"Waits{tried if self.mail_attempts else ''}"
        )

    @property
    def mail_tone(self) -> str:
        return {"sent": "good", "given_up": "bad"}.get(self.mail_state, "warn" if self.mail_attempts else "idle")

    @property
    def inbox_url(self) -> str:
        return reverse("inbox", kwargs={"workspace": self.workspace.slug})
