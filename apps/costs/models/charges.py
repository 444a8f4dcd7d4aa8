from datetime import datetime
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core import append_only
from apps.core.ids import uuid7, uuid7_floor
from apps.costs.models.meters import CHARGE_COLUMNS, Meter

APPEND_ONLY, NO_TRUNCATE = append_only.TRIGGERS


class Purpose(models.TextChoices):
    PRODUCTION = "production", "Production"
    PLAYGROUND = "playground", "Playground"
    EVALUATION = "evaluation", "Test runs"
    JUDGE = "judge", "Judges"
    REVIEW = "review", "Reviews"
    GUARDRAIL = "guardrail", "Guardrails"


class ChargeQuerySet(models.QuerySet["Charge"]):
    def between(self, start: datetime, end: datetime) -> Self:
        """Keep charges of [start, end): by id, so that only the partitions of that time are read."""
        return self.filter(id__gte=uuid7_floor(start), id__lt=uuid7_floor(end))

    def older_than(self, charge_id: UUID) -> Self:
        return self.filter(id__lt=charge_id)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def of_one(self, charge_id: UUID) -> Self:
        """Keep a charge and its corrections: together they are what it stands at."""
        return self.filter(models.Q(pk=charge_id) | models.Q(corrects=charge_id))


class Charge(models.Model):
    """What one attempt at a provider cost: meters, price rows, amount, and who it was for. Append-only.

    The id carries the time (UUIDv7) and is the partition key; `at` is that same moment, which the database checks.
    `cost` is null exactly when `unpriced`. Written by `ledger` alone, which keeps the rollups in step. A correction is
    a further row that names the first in `corrects`; only such a row may be negative, and `calls` says whether it
    takes a call away (-1), adds one (1) or leaves their count alone (0).
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    workspace_id = models.BigIntegerField()
    at = models.DateTimeField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    connection_id = models.BigIntegerField(null=True)
    tier = models.CharField(max_length=20, blank=True)
    region = models.CharField(max_length=20, blank=True)
    calls = models.SmallIntegerField(default=1)
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    cache_write_1h_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    audio_input_tokens = models.BigIntegerField(default=0)
    audio_output_tokens = models.BigIntegerField(default=0)
    web_searches = models.BigIntegerField(default=0)
    other_meters = models.JSONField(default=dict, blank=True)
    cost = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    saved = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    price_ids = ArrayField(models.BigIntegerField(), default=list)
    estimated = models.BooleanField(default=False)
    counted_here = models.BooleanField(default=False)
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
    tags = models.JSONField(default=dict, blank=True)
    latency_ms = models.BigIntegerField(null=True)
    failed = models.BooleanField(default=False)
    source = models.CharField(max_length=40, default="gateway")
    source_id = models.CharField(max_length=200, blank=True)
    corrects = models.UUIDField(null=True)
    reservation_id = models.UUIDField(null=True)

    objects = ChargeQuerySet.as_manager()

    class Meta:
        # Django keeps the state; the table itself, being partitioned, is SQL in the first migration.
        db_table = "costs_charge"
        indexes = [
            models.Index(fields=["workspace_id", "-id"], name="charge_newest"),
            models.Index(fields=["corrects"], name="charge_corrects", condition=models.Q(corrects__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cost__isnull=True, unpriced=True) | models.Q(cost__isnull=False, unpriced=False),
                name="charge_priced_or_unpriced",
            ),
            models.CheckConstraint(
                condition=models.Q(corrects__isnull=False, calls__gte=-1, calls__lte=1)
                | models.Q(
                    models.Q(cost__isnull=True) | models.Q(cost__gte=0),
                    corrects__isnull=True,
                    calls=1,
                    saved__gte=0,
                ),
                name="charge_negative_only_as_correction",
            ),
            models.CheckConstraint(
                condition=models.Q(corrects__isnull=False)
                | models.Q(
                    input_tokens__gte=0,
                    cache_read_tokens__gte=0,
                    cache_write_tokens__gte=0,
                    cache_write_1h_tokens__gte=0,
                    output_tokens__gte=0,
                    reasoning_tokens__gte=0,
                    audio_input_tokens__gte=0,
                    audio_output_tokens__gte=0,
                    web_searches__gte=0,
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
        return sum(count for meter, count in self.meters.items() if meter.is_input)

    @property
    def meters(self) -> dict[Meter, int]:
        """Return what it bills, without the zeros."""
        counts = {meter: getattr(self, column) for meter, column in CHARGE_COLUMNS.items()}
        counts |= {Meter(name): count for name, count in self.other_meters.items()}
        return {meter: count for meter, count in counts.items() if count}
