from datetime import datetime
from typing import Self

from django.db import models

from apps.accounts.models import ApiKey
from apps.prompts.models.deployments import Deployment
from apps.prompts.models.prompts import Prompt, Version


class FetchQuerySet(models.QuerySet["Fetch"]):
    def since(self, moment: datetime) -> Self:
        return self.filter(last_at__gte=moment)

    def latest_first(self) -> Self:
        return self.select_related("key", "version", "deployment").order_by("-last_at", "-id")


class Fetch(models.Model):
    """A key fetched a version of a prompt: first and last when, and how often.

    `place` is the environment or label that it asked for, empty when it asked for the version by number. Written in
    batches some seconds later, so counts are complete only when every web process has had its say.
    """

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="fetches")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="fetches")
    place = models.CharField(max_length=40, blank=True)
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="fetches")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, null=True, related_name="fetches")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)

    objects = FetchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "key", "place", "version", "deployment"], nulls_distinct=False, name="fetch_once"
            )
        ]
        indexes = [models.Index(fields=["prompt", "last_at"], name="fetch_by_time")]

    def __str__(self) -> str:
        return f"{self.key} fetched {self.version}"
