"""Every attempt at a provider: the narrow row that lists and sums read, and the texts beside it."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.core.ids import uuid7, uuid7_floor
from apps.costs.models import Purpose
from apps.llm.models.catalogue import Model
from apps.llm.models.keeping import BodyPolicy


class CallQuerySet(models.QuerySet["Call"]):
    def abandoned(self, now: datetime) -> Self:
        return self.filter(state=Call.State.SENT, deadline_at__lt=now)

    def since(self, moment: datetime) -> Self:
        """Keep calls sent at or after the moment: by id, which carries the time and is the index."""
        return self.filter(id__gte=uuid7_floor(moment))

    def until(self, moment: datetime) -> Self:
        """Keep calls sent before the moment."""
        return self.filter(id__lt=uuid7_floor(moment))

    def before(self, call_id: UUID) -> Self:
        return self.filter(id__lt=call_id)

    def after(self, call_id: UUID) -> Self:
        return self.filter(id__gt=call_id)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def in_trouble(self) -> Self:
        return self.filter(state__in=Call.TROUBLED)

    def in_flight(self) -> Self:
        return self.filter(state=Call.State.SENT)

    def of_prompt(self, prompt_id: int) -> Self:
        return self.filter(prompt_id=prompt_id)

    def of_version(self, version_id: int) -> Self:
        return self.filter(version_id=version_id)

    def by_person(self, user_id: int) -> Self:
        return self.filter(user_id=user_id)

    def by_key(self, api_key_id: int) -> Self:
        return self.filter(attribution__api_key_id=api_key_id)

    def reused(self) -> Self:
        """Keep the calls that a kept answer served."""
        return self.filter(reused_id__isnull=False)

    def estimated(self) -> Self:
        """Keep the calls whose tokens were counted by us, for the provider did not tell."""
        return self.filter(usage__estimated=True)

    def unpriced(self) -> Self:
        """Keep the calls that ended without a price to charge."""
        return self.filter(cost=None).exclude(state=Call.State.SENT)

    def attempts_of(self, call: "Call") -> Self:
        """Keep every attempt at the request that `call` is an attempt at."""
        first = call.first_attempt_id
        return self.filter(models.Q(pk=first) | models.Q(first_attempt_id=first, attempt__gt=1))

    def with_model(self) -> Self:
        return self.select_related("model__connection")

    def with_body(self) -> Self:
        return self.select_related("body")


class Call(models.Model):
    """One attempt at a provider. The row is committed before the request leaves; its charge comes with the answer.

    `cost` repeats the charge's, which never changes. `party` is who competes for the lane: a run or a person.
    `reservation_id` is the room that budgets hold for it. `asked_tokens` is our own count of the request, for when nobody else counts. `reused_id` names the call whose
    answer was used again, so that no provider was asked.
    """

    class State(models.TextChoices):
        SENT = "sent", "In flight"
        ANSWERED = "answered", "Answered"
        FAILED = "failed", "Failed"
        LOST = "lost", "Lost"

    class Operation(models.TextChoices):
        COMPLETE = "complete", "Completion"
        STREAM = "stream", "Stream"
        EMBED = "embed", "Embedding"

    TROUBLED = [State.FAILED, State.LOST]

    id = models.UUIDField(primary_key=True, default=uuid7)
    # The indexes below begin with either; one of their own for each would only be written.
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="calls", db_index=False)
    charge_id = models.UUIDField(default=uuid7, unique=True)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="calls", db_index=False)
    operation = models.CharField(max_length=8, choices=Operation.choices, default=Operation.COMPLETE)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SENT)
    attempt = models.PositiveSmallIntegerField(default=1)
    first_attempt_id = models.UUIDField()
    party = models.CharField(max_length=60, blank=True)
    lane_shrinks = models.PositiveIntegerField(default=0)
    asked_tokens = models.PositiveIntegerField(default=0)
    reserved_tokens = models.PositiveIntegerField(default=0)
    reservation_id = models.UUIDField(null=True)
    attribution = models.JSONField()
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    origin = models.CharField(max_length=300, blank=True)
    prompt_id = models.BigIntegerField(null=True)
    version_id = models.BigIntegerField(null=True)
    user_id = models.BigIntegerField(null=True)
    finish_reason = models.CharField(max_length=40, blank=True)
    usage = models.JSONField(null=True)
    cost = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    reused_id = models.UUIDField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    error_kind = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    provider_request_id = models.CharField(max_length=120, blank=True)
    sent_at = models.DateTimeField(default=timezone.now)
    deadline_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="call_newest"),
            models.Index(fields=["model", "-id"], name="call_by_model"),
            models.Index(
                fields=["workspace", "prompt_id", "-id"],
                condition=models.Q(prompt_id__isnull=False),
                name="call_by_prompt",
            ),
            models.Index(
                fields=["workspace", "user_id", "-id"], condition=models.Q(user_id__isnull=False), name="call_by_person"
            ),
            # Of a prompt's versions the old ones are asked for too, and their calls lie far back.
            models.Index(
                fields=["workspace", "prompt_id", "version_id", "-id"],
                condition=models.Q(version_id__isnull=False),
                name="call_by_version",
            ),
            models.Index(fields=["workspace", "latency_ms"], name="call_by_latency"),
            models.Index(fields=["workspace", "cost"], name="call_by_cost"),
            models.Index(fields=["deadline_at"], condition=models.Q(state="sent"), name="call_in_flight"),
            models.Index(fields=["model", "party"], condition=models.Q(state="sent"), name="call_in_lane"),
            models.Index(
                fields=["workspace", "-id"], condition=models.Q(state__in=["failed", "lost"]), name="call_troubled"
            ),
            models.Index(
                fields=["workspace", "error_kind", "-id"],
                condition=models.Q(state__in=["failed", "lost"]),
                name="call_by_error",
            ),
            models.Index(fields=["first_attempt_id"], condition=models.Q(attempt__gt=1), name="call_retries"),
            models.Index(fields=["workspace", "-id"], condition=models.Q(reused_id__isnull=False), name="call_reused"),
            models.Index(
                fields=["provider_request_id"], condition=~models.Q(provider_request_id=""), name="call_by_request_id"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="sent", ended_at=None)
                | ~models.Q(state="sent") & models.Q(ended_at__isnull=False),
                name="call_ended_or_sent",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def look(self) -> str:
        """The name under which the pages know how this state looks."""
        return {Call.State.ANSWERED: "done", Call.State.LOST: "warning"}.get(Call.State(self.state), self.state)

    @property
    def origin_url(self) -> str:
        """Where the call came from, if that is an address of this site."""
        return self.origin if self.origin.startswith("/") and not self.origin.startswith(("//", "/\\")) else ""


class CallBodyQuerySet(models.QuerySet["CallBody"]):
    def full(self) -> Self:
        return self.filter(kept=BodyPolicy.Kept.FULL)

    def reduced(self) -> Self:
        """Keep the bodies of which only fingerprints are left."""
        return self.exclude(kept=BodyPolicy.Kept.FULL)

    def ended(self) -> Self:
        """Keep the bodies of calls that nobody writes an answer to any more."""
        return self.exclude(call__state=Call.State.SENT)

    def older_than(self, moment: datetime) -> Self:
        return self.filter(call__lt=uuid7_floor(moment))


class CallBody(models.Model):
    """What was asked and answered in a call, as far as the workspace keeps it; deleted when its time is over.

    With fingerprints only, `request` and the answer are empty and their sha256 stand in their place.
    """

    call = models.OneToOneField(Call, on_delete=models.CASCADE, primary_key=True, related_name="body")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    kept = models.CharField(max_length=6, choices=BodyPolicy.Kept.choices, default=BodyPolicy.Kept.FULL)
    request: "models.JSONField[dict[str, Any]]" = models.JSONField(default=dict)
    text = models.TextField(blank=True)
    tool_calls: "models.JSONField[list[dict[str, Any]]]" = models.JSONField(default=list)
    request_hash = models.CharField(max_length=64, blank=True)
    answer_hash = models.CharField(max_length=64, blank=True)

    objects = CallBodyQuerySet.as_manager()

    class Meta:
        # By workspace and id, which carries the time: what is older than a workspace keeps is a range of it. In two
        # halves, so that texts which a stricter policy still has to hash are found among millions that are hashed.
        indexes = [
            models.Index(fields=["workspace", "call"], condition=models.Q(kept="full"), name="body_full"),
            models.Index(fields=["workspace", "call"], condition=~models.Q(kept="full"), name="body_hashed"),
            models.Index(
                fields=["workspace", "request_hash"], condition=~models.Q(request_hash=""), name="body_same_request"
            ),
        ]

    def __str__(self) -> str:
        return f"body of {self.call_id}"
