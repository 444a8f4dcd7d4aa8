"""Answers kept for the next time that exactly the same is asked."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.llm.models.catalogue import Model


class CachedAnswerQuerySet(models.QuerySet["CachedAnswer"]):
    def fresh(self, now: datetime) -> Self:
        return self.filter(expires_at__gt=now)

    def expired(self, now: datetime) -> Self:
        return self.filter(expires_at__lte=now)


class CachedAnswer(models.Model):
    """The whole answer to a request whose every part that matters is in `key` (sha256), within one workspace.

    `call_id` is the call that bought it. Only whole answers are kept: no failures, nothing that was cut.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="cached_answers")
    key = models.CharField(max_length=64)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="+")
    prompt_id = models.BigIntegerField(null=True)
    call_id = models.UUIDField()
    answer = models.JSONField()
    cost = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    objects = CachedAnswerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="answer_once")]
        indexes = [
            models.Index(fields=["expires_at"], name="answer_expires"),
            models.Index(fields=["workspace", "prompt_id"], name="answer_by_prompt"),
        ]

    def __str__(self) -> str:
        return self.key[:12]
