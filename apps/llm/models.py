"""Connections to providers, the models behind them, and every attempt made (bodies and traces)."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import TextChoices
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core import secrets
from apps.core.ids import uuid7, uuid7_floor
from apps.costs.models import Purpose


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def live(self) -> Self:
        return self.filter(archived_at=None)


class Connection(models.Model):
    """A provider account: where it is and the key to it, which is encrypted and never shown again."""

    class Kind(TextChoices):
        OPENAI = "openai", "OpenAI"
        ANTHROPIC = "anthropic", "Anthropic"
        COMPATIBLE = "openai-compatible", "OpenAI-compatible"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="connections")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    provider = models.CharField(max_length=40, help_text="The name that prices are kept under.")
    base_url = models.CharField(max_length=300)
    encrypted_key = models.BinaryField()
    key_end = models.CharField(max_length=4, blank=True)
    max_concurrency = models.PositiveIntegerField(default=32)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=models.Q(archived_at=None), name="connection_name_once"
            ),
            models.CheckConstraint(condition=models.Q(max_concurrency__gte=1), name="connection_can_call"),
        ]

    def __str__(self) -> str:
        return self.name

    def key(self) -> str:
        """Return the plain key, for the provider's client alone."""
        return secrets.decrypt(bytes(self.encrypted_key))


class ModelQuerySet(models.QuerySet["Model"]):
    def live(self) -> Self:
        return self.filter(archived_at=None)

    def usable(self) -> Self:
        return self.filter(archived_at=None, connection__archived_at=None)

    def named(self, name: str) -> Self:
        """Keep the models of that name, the one added first at the head: several connections may offer it."""
        return self.filter(name=name).order_by("id")

    def with_connection(self) -> Self:
        """Load what a call needs along with the model."""
        return self.select_related("connection")


class Model(models.Model):
    """A model that a connection offers."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="models")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="models")
    name = models.CharField(max_length=120, help_text="The provider's name for it.")
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    capabilities = models.JSONField(default=dict, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ModelQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="model_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_usable(self) -> bool:
        return self.archived_at is None and self.connection.archived_at is None


class CallQuerySet(models.QuerySet["Call"]):
    def abandoned(self, now: datetime) -> Self:
        return self.filter(state=Call.State.SENT, deadline_at__lt=now)

    def since(self, moment: datetime) -> Self:
        """Keep calls sent at or after the moment: by id, which carries the time and is the index."""
        return self.filter(id__gte=uuid7_floor(moment))

    def before(self, call_id: UUID) -> Self:
        return self.filter(id__lt=call_id)

    def in_trouble(self) -> Self:
        return self.filter(state__in=Call.TROUBLED)

    def attempts_of(self, call: "Call") -> Self:
        """Keep every attempt at the request that `call` is an attempt at."""
        first = call.first_attempt_id
        return self.filter(models.Q(pk=first) | models.Q(first_attempt_id=first, attempt__gt=1))

    def with_model(self) -> Self:
        return self.select_related("model__connection")

    def without_bodies(self) -> Self:
        """Leave out the columns that can be large, for lists."""
        return self.defer("request", "text", "tool_calls")


class Call(models.Model):
    """One attempt at a provider. The row is committed before the request leaves; its charge comes with the answer."""

    class State(models.TextChoices):
        SENT = "sent", "In flight"
        ANSWERED = "answered", "Answered"
        FAILED = "failed", "Failed"
        LOST = "lost", "Lost"

    TROUBLED = [State.FAILED, State.LOST]

    id = models.UUIDField(primary_key=True, default=uuid7)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="calls")
    charge_id = models.UUIDField(default=uuid7, unique=True)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="calls")
    state = models.CharField(max_length=10, choices=State.choices, default=State.SENT)
    attempt = models.PositiveSmallIntegerField(default=1)
    first_attempt_id = models.UUIDField()
    request = models.JSONField()
    attribution = models.JSONField()
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    origin = models.CharField(max_length=300, blank=True)
    prompt_id = models.BigIntegerField(null=True)
    version_id = models.BigIntegerField(null=True)
    text = models.TextField(blank=True)
    tool_calls = models.JSONField(default=list)
    finish_reason = models.CharField(max_length=40, blank=True)
    usage = models.JSONField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    error_kind = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    provider_request_id = models.CharField(max_length=120, blank=True)
    sent_at = models.DateTimeField(default=timezone.now)
    deadline_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="call_newest"),
            models.Index(fields=["deadline_at"], condition=models.Q(state="sent"), name="call_in_flight"),
            models.Index(
                fields=["workspace", "-id"], condition=models.Q(state__in=["failed", "lost"]), name="call_troubled"
            ),
            models.Index(fields=["first_attempt_id"], condition=models.Q(attempt__gt=1), name="call_retries"),
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
