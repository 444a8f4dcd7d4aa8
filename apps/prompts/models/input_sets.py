from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import User
from apps.core import text
from apps.prompts.models.prompts import Prompt


class InputSetQuerySet(models.QuerySet["InputSet"]):
    def by_name(self) -> Self:
        return self.order_by("name", "id")

    def named(self, written: str | None) -> "InputSet | None":
        """Return the set whose number a page sent, if it is one of these."""
        number = text.whole_number(written or "")
        return self.filter(pk=number).first() if number is not None else None


class InputSet(models.Model):
    """Values for a prompt's variables that are worth trying again. Shared by the workspace."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="input_sets")
    name = models.CharField(max_length=80)
    values = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = InputSetQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="input_set_name_once")]

    def __str__(self) -> str:
        return self.name
