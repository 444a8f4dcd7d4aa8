"""What people decide beside approvals: a failure let pass, money let go, and a look back after an emergency."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import User
from apps.core import append_only
from apps.prompts.models.changes import ChangeRequest


class AcceptedFailure(models.Model):
    """Somebody let one report of a failed check pass, for a reason, on exactly this content. Append-only."""

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.PROTECT, related_name="accepted_failures")
    check_name = models.SlugField(max_length=40)
    content_hash = models.CharField(max_length=64)
    report_hash = models.CharField(max_length=64)
    # What was accepted, in the words it had then.
    summary = models.CharField(max_length=500, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["change_request", "check_name", "report_hash"], name="failure_accepted_once"
            )
        ]
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.accepted_by} accepted {self.check_name}"


class SpendApproval(models.Model):
    """What somebody who manages budgets decided about the forecast of exactly this content. Append-only.

    An approval covers the increase it was given for, and the forecasts after it that stay near.
    """

    class Decision(models.TextChoices):
        APPROVE = "approve", "Approved"
        DECLINE = "decline", "Declined"

    change_request = models.ForeignKey(ChangeRequest, on_delete=models.PROTECT, related_name="spend_approvals")
    decision = models.CharField(max_length=10, choices=Decision.choices)
    content_hash = models.CharField(max_length=64)
    increase = models.DecimalField(max_digits=20, decimal_places=12)
    currency = models.CharField(max_length=3)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.decided_by} {self.get_decision_display().lower()} the spend of {self.change_request}"


class FollowUpQuerySet(models.QuerySet["FollowUp"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def to_remind(self, now: datetime, pause: timedelta) -> Self:
        """Keep what nobody looked back at in time and nobody was reminded of since the pause began."""
        unheard = models.Q(reminded_at=None) | models.Q(reminded_at__lte=now - pause)
        return self.open().filter(unheard, due_at__lte=now)

    def loaded(self) -> Self:
        return self.select_related("change_request__environment", "opened_by", "closed_by")


class FollowUp(models.Model):
    """The look that somebody else owes a promotion made in an emergency, until when, and what they found."""

    class Verdict(models.TextChoices):
        RIGHT = "right", "It was right"
        MEND = "mend", "Right, but something must be mended"
        WRONG = "wrong", "It should not have gone live"

    change_request = models.OneToOneField(ChangeRequest, on_delete=models.PROTECT, related_name="follow_up")
    reason = models.TextField()
    skipped = models.JSONField(default=list)
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    note = models.TextField(blank=True)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = FollowUpQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(closed_at=None, closed_by=None, verdict="")
                | (models.Q(closed_at__isnull=False, closed_by__isnull=False) & ~models.Q(verdict="")),
                name="follow_up_closed_or_not",
            ),
            models.CheckConstraint(
                condition=models.Q(closed_by=None) | ~models.Q(closed_by=models.F("opened_by")),
                name="follow_up_by_another",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(closed_at=None), name="follow_up_open")]

    def __str__(self) -> str:
        return f"Look back at {self.change_request}"

    def is_overdue(self, now: datetime) -> bool:
        return self.closed_at is None and self.due_at < now
