from datetime import datetime
from typing import Self

import pgtrigger
from django.db import models
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core import append_only
from apps.costs.models.meters import Meter

_, NO_TRUNCATE = append_only.TRIGGERS


class Tier(models.TextChoices):
    """How a provider served a request, where that changes the price."""

    STANDARD = "standard", "Standard"
    BATCH = "batch", "Batch"
    FLEX = "flex", "Flex"
    PRIORITY = "priority", "Priority"
    FAST = "fast", "Fast"


class PriceQuerySet(models.QuerySet["Price"]):
    def standing(self) -> Self:
        """Leave out what was written by mistake and withdrawn."""
        return self.filter(withdrawn_at=None)

    def in_force(self, at: datetime) -> Self:
        begun = self.standing().filter(valid_from__lte=at)
        return begun.filter(models.Q(valid_to=None) | models.Q(valid_to__gt=at))

    def open_ended(self) -> Self:
        """Keep the last price of each meter: the one that the next price closes."""
        return self.standing().filter(valid_to=None)

    def of(self, provider: str, model: str) -> Self:
        return self.filter(provider=provider, model=model)

    def like(self, price: "Price | PriceProposalLine") -> Self:
        """Keep the prices that one of these could follow: the same thing counted at the same terms."""
        return self.filter(**{name: getattr(price, name) for name in TERMS})

    def newest_first(self) -> Self:
        terms = ("tier", "region", models.F("connection_id").asc(nulls_first=True), "above_input_tokens")
        return self.order_by("provider", "model", "meter", *terms, "-valid_from", "id")


TERMS = ("provider", "model", "meter", "tier", "region", "connection_id", "above_input_tokens")


class Terms(models.Model):
    """What a price is for. An empty region holds for every region, no connection for every connection (list price).

    With `above_input_tokens` it holds for a whole request whose input is longer than that, in place of the base price.
    """

    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    meter = models.CharField(max_length=20, choices=Meter.choices)
    tier = models.CharField(max_length=10, choices=Tier.choices, default=Tier.STANDARD)
    region = models.CharField(max_length=20, blank=True, default="")
    connection_id = models.BigIntegerField(null=True, blank=True)
    above_input_tokens = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


class Price(Terms):
    """What one unit of one meter costs, from when to when, and who says so.

    A price list only grows: a row is closed once, by the price that follows it, and never changes otherwise. One that
    was written by mistake is withdrawn, once: it stays to be read and prices nothing any more.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="prices")
    unit_price = models.DecimalField(max_digits=20, decimal_places=12)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=200)
    approved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    objects = PriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(unit_price__gte=0), name="price_not_negative"),
            models.CheckConstraint(
                condition=models.Q(valid_to=None) | models.Q(valid_to__gt=models.F("valid_from")), name="price_period"
            ),
            models.UniqueConstraint(
                fields=["workspace", *TERMS, "valid_from"],
                condition=models.Q(withdrawn_at=None),
                nulls_distinct=False,
                name="price_starts_once",
            ),
            models.UniqueConstraint(
                fields=["workspace", *TERMS],
                condition=models.Q(valid_to=None, withdrawn_at=None),
                nulls_distinct=False,
                name="price_open_once",
            ),
        ]
        triggers = [
            NO_TRUNCATE,
            pgtrigger.Protect(name="kept", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="fixed", exclude=["valid_to", "withdrawn_at", "withdrawn_by"]),
            pgtrigger.Protect(
                name="closed_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__valid_to__isnull=False)
                & pgtrigger.Q(old__valid_to__df=pgtrigger.F("new__valid_to")),
            ),
            pgtrigger.Protect(
                name="withdrawn_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__withdrawn_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.meter} from {self.valid_from:%Y-%m-%d}"


class PriceProposal(models.Model):
    """A new price list that waits for the word of whoever approves prices."""

    class State(models.TextChoices):
        OPEN = "open", "Waiting"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="price_proposals")
    source = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    valid_from = models.DateTimeField()
    note = models.CharField(max_length=500, blank=True)
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    lines: "models.Manager[PriceProposalLine]"

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="open", decided_at=None)
                | ~models.Q(state="open") & ~models.Q(decided_at=None),
                name="price_proposal_decided",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} ({self.get_state_display()})"


class PriceProposalLine(Terms):
    """One price that would change: from `old_price` (null: it would be the first) to `new_price`.

    An alarm stands on a line whose change is so large that the list is more likely wrong than the world.
    """

    proposal = models.ForeignKey(PriceProposal, on_delete=models.CASCADE, related_name="lines")
    old_price = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    new_price = models.DecimalField(max_digits=20, decimal_places=12)
    alarm = models.BooleanField(default=False)
    confirmed = models.BooleanField(default=False)
    price = models.ForeignKey(Price, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["proposal", *TERMS], nulls_distinct=False, name="price_proposal_line_once"),
            models.CheckConstraint(condition=models.Q(new_price__gte=0), name="price_proposal_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.meter}: {self.new_price}"


class Repricing(models.Model):
    """A past period priced anew: what it stood at before and after, and how far the work has come.

    Days are the workspace's own, both included. `reached` is the id of the last charge that was looked at.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="repricings")
    first = models.DateField()
    last = models.DateField()
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=120, blank=True)
    only_unpriced = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    reached = models.UUIDField(null=True)
    charges_seen = models.BigIntegerField(default=0)
    charges_changed = models.BigIntegerField(default=0)
    before_total = models.DecimalField(max_digits=30, decimal_places=12, default=0)
    after_total = models.DecimalField(max_digits=30, decimal_places=12, default=0)
    before_unpriced = models.BigIntegerField(default=0)
    after_unpriced = models.BigIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(last__gte=models.F("first")), name="repricing_period"),
        ]

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"
