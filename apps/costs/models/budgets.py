from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core.ids import uuid7
from apps.costs.models.charges import Purpose


def usual_thresholds() -> list[int]:
    return [50, 80, 100]


def usual_forecast_thresholds() -> list[int]:
    return [100]


class BudgetQuerySet(models.QuerySet["Budget"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)


class Budget(models.Model):
    """A limit on what a part of the spend may come to in a calendar period of the workspace's time zone.

    A condition that is null holds for everything; all that are set must hold. `counted_from` is the first day of
    the first period whose charges were counted in, so that a late charge never opens an older period in part.
    """

    class Period(models.TextChoices):
        DAY = "day", "Day"
        WEEK = "week", "Week"
        MONTH = "month", "Month"
        QUARTER = "quarter", "Quarter"
        YEAR = "year", "Year"

    class Mode(models.TextChoices):
        HARD = "hard", "Refuse what does not fit"
        WARN = "warn", "Warn only"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="budgets")
    name = models.CharField(max_length=120)
    team_id = models.BigIntegerField(null=True, blank=True)
    api_key_id = models.BigIntegerField(null=True, blank=True)
    prompt_id = models.BigIntegerField(null=True, blank=True)
    version_id = models.BigIntegerField(null=True, blank=True)
    purpose = models.CharField(max_length=12, choices=Purpose.choices, null=True, blank=True)
    environment = models.CharField(max_length=40, null=True, blank=True)
    provider = models.CharField(max_length=40, null=True, blank=True)
    model = models.CharField(max_length=120, null=True, blank=True)
    customer = models.CharField(max_length=120, null=True, blank=True)
    period = models.CharField(max_length=8, choices=Period.choices, default=Period.MONTH)
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.WARN)
    limit_amount = models.DecimalField(max_digits=20, decimal_places=12)
    thresholds = ArrayField(models.PositiveSmallIntegerField(), default=usual_thresholds)
    forecast_thresholds = ArrayField(models.PositiveSmallIntegerField(), default=usual_forecast_thresholds)
    counted_from = models.DateField()
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    periods: "models.Manager[BudgetPeriod]"

    CONDITIONS = (
        "team_id",
        "api_key_id",
        "prompt_id",
        "version_id",
        "purpose",
        "environment",
        "provider",
        "model",
        "customer",
    )

    objects = BudgetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(limit_amount__gte=0), name="budget_limit_not_negative"),
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=models.Q(ended_at=None), name="budget_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def needs_charges(self) -> bool:
        """Return whether only the charges themselves know what it covers: no sum has a customer beside the rest."""
        return self.customer is not None and any(
            getattr(self, name) is not None for name in self.CONDITIONS if name != "customer"
        )


class BudgetPeriod(models.Model):
    """One period of a budget: its limit, what its charges came to, and what calls in flight may yet cost.

    `spent` is Σ cost of the charges that the budget covers, kept by the statement that books them. `starts_on` and
    `ends_on` (the first day after it) are days of the workspace. `limit_amount` is the budget's, copied so that a
    reservation is decided by one row.
    """

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="periods")
    starts_on = models.DateField()
    ends_on = models.DateField()
    limit_amount = models.DecimalField(max_digits=20, decimal_places=12)
    spent = models.DecimalField(max_digits=30, decimal_places=12, default=0)
    reserved = models.DecimalField(max_digits=30, decimal_places=12, default=0)
    # Calls that were refused for want of room.
    refused = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "starts_on"], name="budget_period_once"),
            models.CheckConstraint(condition=models.Q(ends_on__gt=models.F("starts_on")), name="budget_period_order"),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} from {self.starts_on}"


class Reservation(models.Model):
    """Room in one or more budget periods, held for a call from before it leaves until its charge is booked.

    The statement that books the charge settles it; a sweep expires what was never settled. Either happens once.
    Of a charge that nothing could price, the room stays held: the correction that prices it settles it.
    """

    class State(models.TextChoices):
        OPEN = "open", "Held"
        SETTLED = "settled", "Settled"
        EXPIRED = "expired", "Expired"
        UNPRICED = "unpriced", "Held until it has a price"

    HOLDING = (State.OPEN, State.UNPRICED)

    id = models.UUIDField(primary_key=True, default=uuid7)
    workspace_id = models.BigIntegerField()
    period_ids = ArrayField(models.BigIntegerField())
    amount = models.DecimalField(max_digits=20, decimal_places=12)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    charge_id = models.UUIDField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["expires_at"], name="reservation_held", condition=models.Q(state__in=["open", "unpriced"])
            )
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="reservation_not_negative"),
            models.CheckConstraint(
                condition=models.Q(state="open", ended_at=None) | ~models.Q(state="open") & ~models.Q(ended_at=None),
                name="reservation_ended",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class BudgetAlert(models.Model):
    """A threshold of a period that was passed, or that the forecast will pass: told once."""

    class Kind(models.TextChoices):
        ACTUAL = "actual", "Passed"
        FORECAST = "forecast", "Expected"

    budget_period = models.ForeignKey(BudgetPeriod, on_delete=models.CASCADE, related_name="alerts")
    threshold = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget_period", "threshold", "kind"], name="budget_alert_once"),
        ]

    def __str__(self) -> str:
        return f"{self.threshold} % {self.kind}"
