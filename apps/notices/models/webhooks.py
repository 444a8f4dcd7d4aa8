from datetime import datetime, timedelta
from typing import Self
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from apps.accounts.models import User, Workspace


class Event(models.TextChoices):
    """What a webhook can be told. The name stands in the body as `type`."""

    DEPLOYED = "prompt.deployed", "a version goes live, also by an undo, or is taken down"
    REQUEST_OPENED = "change_request.opened", "somebody asks for a change, or for a different one"
    REQUEST_CLOSED = "change_request.closed", "a request is promoted, rejected or taken back"
    PING = "ping", "a test from these pages"


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def live(self) -> Self:
        return self.filter(removed_at=None)

    def wanting(self, event: str, environment: str) -> Self:
        """Keep those that are on and listen to this event, in this environment when the event has one."""
        everywhere = Q(environments=[]) | Q(environments__contains=[environment]) if environment else Q()
        return self.live().filter(everywhere, is_on=True, events__contains=[event])

    def failing_untold(self, now: datetime) -> Self:
        """Keep those that have taken nothing for an hour, of which nobody was told."""
        return self.live().filter(is_on=True, told_failing_at=None, failing_since__lte=now - timedelta(hours=1))


class WebhookEndpoint(models.Model):
    """An address of another system that is told when something happens here. Its secret signs what we send.

    After a failure all deliveries to it rest until `resting_until`, so that one dead address keeps nobody waiting.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="webhooks")
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    events = ArrayField(models.CharField(max_length=40))
    environments = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    encrypted_secret = models.BinaryField()
    # The secret before the last change signs as well for a while, so that the other side can change without a gap.
    encrypted_old_secret = models.BinaryField(null=True)
    old_secret_until = models.DateTimeField(null=True)
    is_on = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    told_failing_at = models.DateTimeField(null=True)
    resting_until = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=Q(removed_at=None), name="webhook_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        return self.is_on and self.failing_since is not None


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def waiting(self) -> Self:
        return self.filter(state=WebhookDelivery.State.WAITING)

    def sendable(self, now: datetime) -> Self:
        """Keep what waits, nobody is sending, and may go: its address is on and not resting, or a person asked."""
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        rested = Q(endpoint__resting_until=None) | Q(endpoint__resting_until__lte=now)
        asked = Q(event=Event.PING) | Q(replay_of__isnull=False)
        return self.waiting().filter(free, Q(rested, endpoint__is_on=True) | asked, endpoint__removed_at=None)

    def due(self, now: datetime) -> Self:
        return self.sendable(now).filter(due_at__lte=now)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def before(self, pk: int | None) -> Self:
        return self if pk is None else self.filter(pk__lt=pk)

    def old(self, now: datetime, age: timedelta) -> Self:
        return self.exclude(state=WebhookDelivery.State.WAITING).filter(created_at__lt=now - age)


class WebhookDelivery(models.Model):
    """One message to one endpoint, with the answer to the last attempt. A replay is a row of its own with the same event.

    The other side may hear the same event twice; `event_id` tells.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        GIVEN_UP = "given_up", "Given up"

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40, choices=Event.choices)
    event_id = models.UUIDField(default=uuid4)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True, help_text="The first 2 kB of the last answer, or why there was none.")
    took_ms = models.PositiveIntegerField(null=True)
    tried_at = models.DateTimeField(null=True)
    replay_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="replays")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at=None)
                | Q(state__in=["delivered", "given_up"], ended_at__isnull=False, lease_until=None),
                name="webhook_delivery_ended_or_not",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_newest"),
            models.Index(F("due_at"), condition=Q(state="waiting"), name="webhook_delivery_due"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}"
