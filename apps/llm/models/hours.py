"""What an hour of calls to a model was like, for charts and comparisons that must not read every call."""

from datetime import datetime
from typing import Self

from django.db import models

from apps.accounts.models import Workspace
from apps.llm.models.catalogue import Model


class CallHourQuerySet(models.QuerySet["CallHour"]):
    def since(self, moment: datetime) -> Self:
        return self.filter(hour__gte=moment)


class CallHour(models.Model):
    """The calls sent to a model within one hour (UTC). `troubles` counts failed ones by error kind.

    `latencies` and `first_tokens` count answered calls by bucket of milliseconds, so that percentiles over any hours
    can be read from their sums: bucket b holds from 1.1**b up to 1.1**(b+1).
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="hours")
    hour = models.DateTimeField()
    calls = models.PositiveIntegerField()
    answered = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    throttled = models.PositiveIntegerField()
    reused = models.PositiveIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    troubles = models.JSONField(default=dict)
    latencies = models.JSONField(default=dict)
    first_tokens = models.JSONField(default=dict)

    objects = CallHourQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "hour"], name="call_hour_once")]
        indexes = [models.Index(fields=["workspace", "hour"], name="call_hour_by_workspace")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00}"
