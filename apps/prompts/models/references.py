from typing import Self

from django.db import models

from apps.core import append_only
from apps.prompts.models.prompts import Prompt, Version


class VersionReferenceQuerySet(models.QuerySet["VersionReference"]):
    def to(self, prompt: Prompt) -> Self:
        """Keep what takes this prompt in directly."""
        return self.filter(child=prompt)

    def loaded(self) -> Self:
        return self.select_related("version__prompt", "child")


class VersionReference(models.Model):
    """A version takes in another prompt: one version of it for ever, or whatever a label points to. Append-only."""

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="references")
    child = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="used_in")
    number = models.PositiveIntegerField(null=True)
    label = models.CharField(max_length=40, blank=True)

    objects = VersionReferenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "child", "number", "label"], nulls_distinct=False, name="version_reference_once"
            ),
            models.CheckConstraint(
                condition=models.Q(number=None) ^ models.Q(label=""), name="version_reference_pinned_or_labelled"
            ),
        ]
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.version} takes in {self.child}"
