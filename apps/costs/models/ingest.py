from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import User, Workspace


class QuarantinedQuerySet(models.QuerySet["Quarantined"]):
    def open(self) -> Self:
        return self.filter(state="open")

    def newest_first(self) -> Self:
        return self.order_by("-received_at", "-id")


class Quarantined(models.Model):
    """A charge from outside that the books refuse until somebody mends it, with the reason. Holds no prompt text."""

    class State(models.TextChoices):
        OPEN = "open", "Waiting"
        MENDED = "mended", "Mended"
        DISMISSED = "dismissed", "Dismissed"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="quarantined")
    source = models.CharField(max_length=40)
    source_id = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)
    payload = models.JSONField()
    reason = models.CharField(max_length=40)
    message = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    charge_id = models.UUIDField(null=True)

    objects = QuarantinedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace", "state", "-received_at"], name="quarantined_waiting")]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "source", "source_id"],
                condition=~models.Q(source_id=""),
                name="quarantined_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", decided_at=None)
                | ~models.Q(state="open") & ~models.Q(decided_at=None),
                name="quarantined_decided",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.source_id}: {self.reason}"


class IngestCount(models.Model):
    """What arrived from a source on a day of the workspace, and what became of it."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="ingest_counts")
    source = models.CharField(max_length=40)
    day = models.DateField()
    accepted = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    # What was set aside and has been booked since, on the day of its mending.
    mended = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "source", "day"], name="ingest_count_once")]

    def __str__(self) -> str:
        return f"{self.source} on {self.day}"
