"""The books. Everything here names things above by value (id and name at the time), never by foreign key.

A rollup's id of 0 stands for "nobody": a team, prompt, version or key that the charge did not name.
"""

from datetime import date, datetime
from typing import Self
from uuid import UUID

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core import append_only
from apps.core.ids import uuid7, uuid7_floor

APPEND_ONLY, NO_TRUNCATE = append_only.TRIGGERS


class Purpose(models.TextChoices):
    PRODUCTION = "production", "Production"
    PLAYGROUND = "playground", "Playground"
    EVALUATION = "evaluation", "Test runs"
    JUDGE = "judge", "Judges"
    REVIEW = "review", "Reviews"
    GUARDRAIL = "guardrail", "Guardrails"


class Meter(models.TextChoices):
    """Disjoint counts of what a provider bills; together they are the provider's total."""

    INPUT = "input", "input tokens"
    CACHE_READ = "cache_read", "cached input tokens"
    CACHE_WRITE = "cache_write", "cache write tokens (5 minutes)"
    CACHE_WRITE_1H = "cache_write_1h", "cache write tokens (1 hour)"
    OUTPUT = "output", "output tokens"


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self, at: datetime) -> Self:
        return self.filter(valid_from__lte=at).filter(models.Q(valid_to=None) | models.Q(valid_to__gt=at))

    def open_ended(self) -> Self:
        """Keep the last price of each meter: the one that the next price closes."""
        return self.filter(valid_to=None)

    def of(self, provider: str, model: str) -> Self:
        return self.filter(provider=provider, model=model)

    def newest_first(self) -> Self:
        return self.order_by("provider", "model", "meter", "above_input_tokens", "-valid_from", "id")


class Price(models.Model):
    """What one unit of one meter costs, from when to when, and who says so.

    A price list only grows: a row is closed once, by the price that follows it, and never changes otherwise.
    With `above_input_tokens` it holds for a whole request whose input is longer than that, in place of the base price.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="prices")
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    meter = models.CharField(max_length=20, choices=Meter.choices)
    above_input_tokens = models.PositiveIntegerField(default=0)
    unit_price = models.DecimalField(max_digits=20, decimal_places=12)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=200)
    approved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = PriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(unit_price__gte=0), name="price_not_negative"),
            models.CheckConstraint(
                condition=models.Q(valid_to=None) | models.Q(valid_to__gt=models.F("valid_from")), name="price_period"
            ),
            models.UniqueConstraint(
                fields=["workspace", "provider", "model", "meter", "above_input_tokens", "valid_from"],
                name="price_starts_once",
            ),
            models.UniqueConstraint(
                fields=["workspace", "provider", "model", "meter", "above_input_tokens"],
                condition=models.Q(valid_to=None),
                name="price_open_once",
            ),
        ]
        triggers = [
            NO_TRUNCATE,
            pgtrigger.Protect(name="kept", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="fixed", exclude=["valid_to"]),
            pgtrigger.Protect(
                name="closed_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__valid_to__isnull=False)
                & pgtrigger.Q(old__valid_to__df=pgtrigger.F("new__valid_to")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.meter} from {self.valid_from:%Y-%m-%d}"


class ChargeQuerySet(models.QuerySet["Charge"]):
    def between(self, start: datetime, end: datetime) -> Self:
        """Keep charges of [start, end): by id, so that only the partitions of that time are read."""
        return self.filter(id__gte=uuid7_floor(start), id__lt=uuid7_floor(end))

    def older_than(self, charge_id: UUID) -> Self:
        return self.filter(id__lt=charge_id)

    def newest_first(self) -> Self:
        return self.order_by("-id")


class Charge(models.Model):
    """What one attempt at a provider cost: meters, price rows, amount, and who it was for. Append-only.

    The id carries the time (UUIDv7) and is the partition key; `at` is that same moment, which the database checks.
    `cost` is null exactly when `unpriced`. Written by `ledger.record` alone, which keeps the rollups in step.
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    workspace_id = models.BigIntegerField()
    at = models.DateTimeField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    connection_id = models.BigIntegerField(null=True)
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    cache_write_1h_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    price_ids = ArrayField(models.BigIntegerField(), default=list)
    estimated = models.BooleanField(default=False)
    unpriced = models.BooleanField(default=False)
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    team_id = models.BigIntegerField(null=True)
    team_name = models.CharField(max_length=80, blank=True)
    api_key_id = models.BigIntegerField(null=True)
    api_key_name = models.CharField(max_length=80, blank=True)
    user_id = models.BigIntegerField(null=True)
    user_name = models.CharField(max_length=120, blank=True)
    customer = models.CharField(max_length=120, blank=True)
    prompt_id = models.BigIntegerField(null=True)
    prompt_name = models.CharField(max_length=255, blank=True)
    version_id = models.BigIntegerField(null=True)
    version_number = models.IntegerField(null=True)
    environment = models.CharField(max_length=40, blank=True)
    latency_ms = models.BigIntegerField(null=True)
    failed = models.BooleanField(default=False)
    source = models.CharField(max_length=20, default="gateway")

    objects = ChargeQuerySet.as_manager()

    class Meta:
        # Django keeps the state; the table itself, being partitioned, is SQL in the first migration.
        db_table = "costs_charge"
        indexes = [models.Index(fields=["workspace_id", "-id"], name="charge_newest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cost__isnull=True, unpriced=True) | models.Q(cost__isnull=False, unpriced=False),
                name="charge_priced_or_unpriced",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    input_tokens__gte=0,
                    cache_read_tokens__gte=0,
                    cache_write_tokens__gte=0,
                    cache_write_1h_tokens__gte=0,
                    output_tokens__gte=0,
                    reasoning_tokens__gte=0,
                ),
                name="charge_meters_not_negative",
            ),
        ]
        # Row triggers reach the partitions by themselves. The one against TRUNCATE does not, so `partitions` sets it.
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def total_input_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.cache_write_1h_tokens


class Totals(models.Model):
    """What every rollup sums. `timed_calls` counts the calls whose latency is known."""

    calls = models.BigIntegerField()
    failed_calls = models.BigIntegerField()
    unpriced_calls = models.BigIntegerField()
    estimated_calls = models.BigIntegerField()
    timed_calls = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    latency_ms = models.BigIntegerField()
    cost = models.DecimalField(max_digits=30, decimal_places=12)
    estimated_cost = models.DecimalField(max_digits=30, decimal_places=12)

    class Meta:
        abstract = True


class SpendDayQuerySet(models.QuerySet["SpendDay"]):
    def of(self, workspace_id: int) -> Self:
        return self.filter(workspace_id=workspace_id)

    def within(self, first: date, last: date) -> Self:
        """Keep the days from `first` to `last`, both included."""
        return self.filter(day__gte=first, day__lte=last)


class SpendDay(Totals):
    """Σ of charges by workspace day (in its time zone) and by all that people ask for. Kept by the ledger's insert."""

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
    """The newest name of a team, prompt, version or key that charges speak of by id."""

    class Kind(models.TextChoices):
        TEAM = "team", "Team"
        PROMPT = "prompt", "Prompt"
        VERSION = "version", "Version"
        KEY = "key", "API key"

    workspace_id = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    value_id = models.BigIntegerField()
    name = models.CharField(max_length=300)
    named_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace_id", "kind", "value_id"], name="dimension_once")]

    def __str__(self) -> str:
        return self.name
