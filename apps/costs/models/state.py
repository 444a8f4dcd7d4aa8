from django.db import models
from django.utils import timezone

from apps.accounts.models import Workspace


class Verification(models.Model):
    """A recount of a workspace's charges against its sums: when, how many, and what did not agree."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="verifications")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(default=timezone.now)
    months = models.IntegerField()
    charges = models.BigIntegerField()
    cost = models.DecimalField(max_digits=30, decimal_places=12)
    differences = models.IntegerField()
    # The first of them, as they are printed.
    details = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-finished_at"], name="verification_newest")]

    def __str__(self) -> str:
        return f"{self.finished_at:%Y-%m-%d %H:%M}: {self.differences} differences"

    @property
    def agrees(self) -> bool:
        return self.differences == 0


class Retention(models.Model):
    """For how many whole months a workspace keeps its charges. Without one it keeps them for ever; sums always stay."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="retention")
    months = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(months__gte=1), name="retention_at_least_a_month")]

    def __str__(self) -> str:
        return f"{self.months} months"


class LetGo(models.Model):
    """A month (UTC) whose charges were dropped. Nothing is booked into it again: it could not be told from a repeat."""

    month = models.DateField(unique=True)
    at = models.DateTimeField(default=timezone.now)
    charges = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
