"""The sums that every page reads. All are kept by the statement that books charges; each grain answers its questions:

- `SpendMonth`, a month by model, team and prompt: as many rows as combinations, at any traffic;
- `SpendAxis`, a day by one dimension at a time: as many rows as values, however these combine;
- `SpendDay`, a day by all dimensions together: what asks for two or more of them, or for latency;
- `SpendHour`, a quarter of an hour of UTC by model and purpose: hours, and the exact days of any other time zone.
"""

from datetime import date
from typing import Self

from django.db import models


class Brief(models.Model):
    """What every rollup sums. Meters are split in SpendDay and SpendMonth alone; here all input and output is one."""

    calls = models.BigIntegerField()
    failed_calls = models.BigIntegerField()
    unpriced_calls = models.BigIntegerField()
    cost = models.DecimalField(max_digits=30, decimal_places=12)
    estimated_cost = models.DecimalField(max_digits=30, decimal_places=12)
    saved = models.DecimalField(max_digits=30, decimal_places=12)

    class Meta:
        abstract = True


class Totals(Brief):
    """What the rollups by several dimensions sum too. `timed_calls` counts the calls whose latency is known."""

    estimated_calls = models.BigIntegerField()
    timed_calls = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    audio_tokens = models.BigIntegerField()
    image_tokens = models.BigIntegerField()
    tool_uses = models.BigIntegerField()
    latency_ms = models.BigIntegerField()

    class Meta:
        abstract = True


class SpendHour(Brief):
    """Σ of charges by quarter of an hour: every zone's hours and days begin on one, Kathmandu's and Lord Howe's too."""

    workspace_id = models.BigIntegerField()
    starts_at = models.DateTimeField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    purpose = models.CharField(max_length=12)
    tokens = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "starts_at", "provider", "model", "purpose"], name="spend_hour_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} {self.model}"


class SpendDayQuerySet(models.QuerySet["SpendDay"]):
    def of(self, workspace_id: int) -> Self:
        return self.filter(workspace_id=workspace_id)

    def within(self, first: date, last: date) -> Self:
        """Keep the days from `first` to `last`, both included."""
        return self.filter(day__gte=first, day__lte=last)


class SpendDay(Totals):
    """Σ of charges by workspace day (in its time zone) and by all dimensions that are few."""

    workspace_id = models.BigIntegerField()
    day = models.DateField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    purpose = models.CharField(max_length=12)
    team_id = models.BigIntegerField()
    prompt_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    environment = models.CharField(max_length=40)
    api_key_id = models.BigIntegerField()

    objects = SpendDayQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "workspace_id",
                    "day",
                    "provider",
                    "model",
                    "purpose",
                    "team_id",
                    "prompt_id",
                    "version_id",
                    "environment",
                    "api_key_id",
                ],
                name="spend_day_once",
            )
        ]
        indexes = [models.Index(fields=["workspace_id", "prompt_id", "day"], name="spend_day_by_prompt")]

    def __str__(self) -> str:
        return f"{self.day} {self.model}"


class AxisName(models.TextChoices):
    """The dimensions of which each has its own sums by day; "all" is the workspace's total."""

    ALL = "all", "All"
    TEAM = "team", "Team"
    KEY = "key", "API key"
    MODEL = "model", "Model"
    PROVIDER = "provider", "Provider"
    PROMPT = "prompt", "Prompt"
    VERSION = "version", "Version"
    ENVIRONMENT = "environment", "Environment"
    PURPOSE = "purpose", "Purpose"
    CUSTOMER = "customer", "Customer"
    USER = "user", "User"


class SpendAxisQuerySet(models.QuerySet["SpendAxis"]):
    def of(self, workspace_id: int, axis: AxisName) -> Self:
        return self.filter(workspace_id=workspace_id, axis=axis)

    def within(self, first: date, last: date) -> Self:
        """Keep the days from `first` to `last`, both included."""
        return self.filter(day__gte=first, day__lte=last)


class SpendAxis(Brief):
    """Σ of charges by workspace day and one dimension: as many rows as it has values, whatever the others do.

    `value` is a name or an id in digits ("0" is nobody, "" is none); `parent` is a model's provider or a version's
    prompt. The sums of any axis add up to those of any other.
    """

    workspace_id = models.BigIntegerField()
    axis = models.CharField(max_length=12, choices=AxisName.choices)
    day = models.DateField()
    parent = models.CharField(max_length=40)
    value = models.CharField(max_length=120)
    tokens = models.BigIntegerField()

    objects = SpendAxisQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "axis", "day", "parent", "value"], name="spend_axis_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.axis} {self.value}"


class SpendMonth(Totals):
    """Σ of charges by month, team, model and prompt alone: as many rows as there are combinations, at any traffic."""

    workspace_id = models.BigIntegerField()
    month = models.DateField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    team_id = models.BigIntegerField()
    prompt_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "month", "provider", "model", "team_id", "prompt_id"], name="spend_month_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.model}"


class Dimension(models.Model):
    """The newest name of a team, prompt, version, key or user that charges speak of by id."""

    class Kind(models.TextChoices):
        TEAM = "team", "Team"
        PROMPT = "prompt", "Prompt"
        VERSION = "version", "Version"
        KEY = "key", "API key"
        USER = "user", "User"

    workspace_id = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    value_id = models.BigIntegerField()
    name = models.CharField(max_length=300)
    named_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace_id", "kind", "value_id"], name="dimension_once")]

    def __str__(self) -> str:
        return self.name
