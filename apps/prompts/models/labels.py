from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import ApiKey, User
from apps.prompts.models.epochs import moves_delivery
from apps.prompts.models.prompts import Prompt, Version


class LabelQuerySet(models.QuerySet["Label"]):
    def by_name(self) -> Self:
        return self.select_related("version", "moved_by", "moved_by_key").order_by("name", "id")


class Label(models.Model):
    """A pointer with a name that no environment has: moved freely, promising nothing, never live."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=36)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="labels")
    moved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    moved_by_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    moved_at = models.DateTimeField(default=timezone.now)

    objects = LabelQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="label_once")]
        triggers = [moves_delivery("SELECT workspace_id FROM prompts_prompt WHERE id = changed.prompt_id")]

    def __str__(self) -> str:
        return f"{self.name} of {self.prompt.name}"
