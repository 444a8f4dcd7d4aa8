from datetime import UTC, datetime
from typing import Self
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core import append_only
from apps.experiments.models import Output, Run
from apps.prompts.models import ChangeRequest

# A slot that nobody holds has been free since long ago. Not -infinity: the driver cannot read that back.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rubric(models.Model):
    """A question that raters answer, under the name its versions share."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rubrics")
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="rubric_name_once")]

    def __str__(self) -> str:
        return self.name


class RubricVersion(models.Model):
    """The words raters saw. Append-only: other words are another version, and ratings know which they answered.

    `criteria` is a list of {"name", "anchors": {answer: what it means}}.
    """

    rubric = models.ForeignKey(Rubric, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    question = models.CharField(max_length=200)
    instructions = models.TextField(blank=True)
    criteria = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rubric", "number"], name="rubric_version_number_once")]
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.rubric.name} {self.number}"


class QueueQuerySet(models.QuerySet["Queue"]):
    def open(self) -> Self:
        return self.filter(state=Queue.State.OPEN)

    def open_to(self, user: User) -> Self:
        """Keep open queues whose answers this person had no hand in."""
        return self.open().exclude(barred_ids__contains=[user.pk])

    def with_progress(self) -> Self:
        """Add `wanted` and `done`: ratings asked for, and ratings that are there."""
        kept = Q(items__slots__dropped_at=None)
        return self.annotate(
            wanted=models.Count("items__slots", filter=kept),
            done=models.Count("items__slots", filter=kept & Q(items__slots__done_at__isnull=False)),
        )

    def rated(self) -> Self:
        """Keep queues with at least one rating that counts."""
        return self.filter(models.Exists(Slot.objects.filter(queue=models.OuterRef("pk"), done_at__isnull=False)))

    def newest_first(self) -> Self:
        return self.order_by("-id")


class Queue(models.Model):
    """Pairs of answers to be rated, each by `overlap` people, blind. `token` is its name in a rater's address bar."""

    class Kind(models.TextChoices):
        PAIRWISE = "pairwise", "Which is better?"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="queues")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PAIRWISE)
    overlap = models.PositiveSmallIntegerField(default=2)
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, related_name="queues")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="queues")
    change_request = models.ForeignKey(ChangeRequest, on_delete=models.PROTECT, null=True, related_name="queues")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    token = models.UUIDField(default=uuid4, unique=True)
    content_hash = models.CharField(max_length=64, blank=True, help_text="What the change request asked for.")
    barred_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    set_aside = models.BooleanField(default=False, help_text="Closed because the request asks for something else.")

    objects = QueueQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace", "-id"], name="queue_newest")]
        constraints = [
            models.UniqueConstraint(
                fields=["run"], condition=Q(change_request__isnull=False), name="queue_once_per_proof"
            ),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=20), name="queue_overlap"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | Q(state="closed", closed_at__isnull=False),
                name="queue_closed_or_not",
            ),
            models.CheckConstraint(condition=Q(set_aside=False) | Q(state="closed"), name="queue_set_aside_is_closed"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class ItemQuerySet(models.QuerySet["Item"]):
    def with_answers(self) -> Self:
        return self.select_related("output_candidate__case", "output_baseline")


class Item(models.Model):
    """Two answers to one input, and which of them is the candidate's: what no rater may be told."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="items")
    output_candidate = models.ForeignKey(Output, on_delete=models.PROTECT, related_name="+")
    output_baseline = models.ForeignKey(Output, on_delete=models.PROTECT, related_name="+")
    priority = models.FloatField(default=0)
    content_hash = models.CharField(max_length=64)
    flagged_for = models.CharField(max_length=20, blank=True)
    flagged_at = models.DateTimeField(null=True, blank=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "content_hash"], name="item_once_in_queue")]

    def __str__(self) -> str:
        return f"Item {self.pk} of {self.queue}"


class SlotQuerySet(models.QuerySet["Slot"]):
    def unfinished(self) -> Self:
        return self.filter(done_at=None, dropped_at=None)

    def waiting_for(self, user: User, now: datetime) -> Self:
        """Keep what this person could rate now: slots, free or theirs, of items they have neither rated nor skipped."""
        barred = Q(queue__state=Queue.State.CLOSED) | Q(queue__barred_ids__contains=[user.pk])
        return (
            self.unfinished()
            .filter(Q(rater=user) | Q(available_at__lte=now))
            .exclude(barred)
            .exclude(item__ratings__rater=user)
            .exclude(item__skips__rater=user)
        )


class Slot(models.Model):
    """One wanted rating of one item, and the lease on it: N slots make an overlap of N, whoever races.

    The slot is free when `available_at` has passed, so a lease that was walked away from needs no sweeper.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="slots")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="slots")
    k = models.PositiveSmallIntegerField()
    priority = models.FloatField(default=0)
    flipped = models.BooleanField(help_text="Whether the candidate stands on the right.")
    rater = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    available_at = models.DateTimeField(default=EPOCH)
    token = models.UUIDField(null=True, unique=True)
    done_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)

    objects = SlotQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                "queue",
                models.F("priority").desc(),
                "id",
                condition=Q(done_at=None, dropped_at=None),
                name="slot_next",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["item", "k"], name="slot_once"),
            # The guard of "N different people": it lives in the rows that claims lock, not in a count beside them.
            models.UniqueConstraint(
                fields=["item", "rater"], condition=Q(rater__isnull=False), name="slot_one_of_an_item_each"
            ),
            models.CheckConstraint(condition=Q(done_at=None) | Q(dropped_at=None), name="slot_done_or_dropped"),
            models.CheckConstraint(condition=Q(done_at=None) | Q(rater__isnull=False), name="slot_done_by_somebody"),
        ]

    def __str__(self) -> str:
        return f"Slot {self.k} of item {self.item_id}"


class Lease(models.Model):
    """A slot once handed to a rater, under the token that their forms carry. Append-only.

    A late answer finds its item and its sides here, even when the slot has gone to somebody else since.
    """

    token = models.UUIDField(primary_key=True)
    slot = models.ForeignKey(Slot, on_delete=models.CASCADE, related_name="leases")
    rater = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return str(self.token)
