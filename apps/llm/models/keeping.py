"""What a workspace keeps of what was asked and answered."""

from datetime import timedelta

from django.db import models

from apps.accounts.models import Workspace

DEFAULT_DAYS = 90


class BodyPolicy(models.Model):
    """How much of each call's text is kept, for how long, and whether answers are used again.

    A workspace without a row keeps everything for 90 days and reuses nothing.
    """

    class Kept(models.TextChoices):
        FULL = "full", "Everything"
        HASHED = "hashed", "Fingerprints only"
        NONE = "none", "Nothing"

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="body_policy")
    kept = models.CharField(max_length=6, choices=Kept.choices, default=Kept.FULL)
    days = models.PositiveIntegerField(null=True, blank=True, default=DEFAULT_DAYS)
    reuse_hours = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(days=None) | models.Q(days__gte=1), name="bodies_kept_a_day_at_least"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workspace}: {self.kept}"

    @property
    def reuse_for(self) -> timedelta | None:
        """How long an answer may be used again; None when it may not: what is not kept cannot be."""
        if not self.reuse_hours or self.kept != BodyPolicy.Kept.FULL:
            return None
        return timedelta(hours=self.reuse_hours)
