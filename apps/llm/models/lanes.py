"""The governor's memory: how much of a model may be in use at once, by everybody together."""

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models.functions import Now

from apps.llm.models.catalogue import Model


class LaneQuerySet(models.QuerySet["Lane"]):
    def of_workspace(self, workspace_id: int) -> Self:
        return self.filter(model__workspace=workspace_id)

    def down(self) -> Self:
        """Keep the lanes whose provider has not answered for a while, in use by connections that still are."""
        return self.filter(failures__gte=Lane.DOWN_AFTER, model__archived_at=None, model__connection__archived_at=None)

    def down_or_busy(self) -> Self:
        """Keep the lanes that are down, or so busy that a look at their calls is worth it."""
        much = models.Q(failures__gte=Lane.DOWN_AFTER) | models.Q(in_flight__gte=Lane.DOWN_AFTER)
        return self.filter(much, model__archived_at=None, model__connection__archived_at=None)


class Lane(models.Model):
    """The way to one model of one connection, shared by every worker and web process. Kept by `governor` alone.

    `width` is how many calls may be in flight; it grows while they are answered and shrinks when one is throttled.
    `ceiling` is where it was throttled last (null: never), `gained` counts answers towards the next step up and
    `windows` is how many windows of answers a step at the ceiling takes. `shrinks` numbers the decreases: a call that
    left before the last one says nothing new. `requests_left` and `tokens_left` are this minute's, refilled since
    `filled_at`; until `saves_until` they are saved for the ticket `saves_for`, which needs more than there are.
    `failures` counts the ends in a row at which the provider did not do its work, from `failing_since` to `failed_at`.
    """

    FIRST_WIDTH = 8
    DOWN_AFTER = 5

    model = models.OneToOneField(Model, on_delete=models.CASCADE, primary_key=True, related_name="lane")
    width = models.PositiveIntegerField(default=FIRST_WIDTH)
    in_flight = models.PositiveIntegerField(default=0)
    ceiling = models.PositiveIntegerField(null=True)
    gained = models.PositiveIntegerField(default=0)
    windows = models.PositiveSmallIntegerField(default=8)
    shrinks = models.PositiveIntegerField(default=0)
    throttled_in_a_row = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True)
    requests_left = models.FloatField(null=True)
    tokens_left = models.FloatField(null=True)
    filled_at = models.DateTimeField(db_default=Now())
    saves_for = models.UUIDField(null=True)
    saves_for_people = models.BooleanField(db_default=False)
    saves_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=40, blank=True)

    objects = LaneQuerySet.as_manager()

    def __str__(self) -> str:
        return f"lane of {self.model_id}"

    @property
    def is_down(self) -> bool:
        return self.failures >= Lane.DOWN_AFTER


class WaiterQuerySet(models.QuerySet["Waiter"]):
    def recent(self) -> Self:
        return self.filter(seen_at__gte=Now() - Waiter.FRESH)

    def gone(self) -> Self:
        """Keep those that nobody reads any more."""
        return self.filter(seen_at__lt=Now() - Waiter.FORGOTTEN)


class Waiter(models.Model):
    """Somebody who was refused a place in a lane a moment ago: a run, or a person at the playground."""

    FRESH = timedelta(seconds=1)
    FORGOTTEN = timedelta(minutes=1)

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="+")
    party = models.CharField(max_length=60)
    is_interactive = models.BooleanField()
    seen_at = models.DateTimeField()

    objects = WaiterQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "party"], name="waiter_once")]

    def __str__(self) -> str:
        return self.party
