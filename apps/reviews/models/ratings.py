from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.core import append_only
from apps.reviews.models.queues import Item, Queue, RubricVersion, Slot

# What a rating says is what its newest revision says, and it says it of what was shown: whoever writes, and how.
# Deferred, because the rating and its revision are two statements of one transaction.
AS_REVISED = """
IF EXISTS (
  SELECT FROM reviews_rating AS rating
  LEFT JOIN LATERAL (
    SELECT verdict, answer, comment FROM reviews_ratingrevision
    WHERE rating_id = rating.id ORDER BY number DESC LIMIT 1) AS newest ON true
  WHERE rating.id = NEW.id
    AND (rating.verdict, rating.answer, rating.comment) IS DISTINCT FROM (newest.verdict, newest.answer, newest.comment)
) THEN
  RAISE EXCEPTION 'Cannot keep a rating that differs from its newest revision';
END IF;
RETURN NULL;
"""
NO_TRUNCATE = next(trigger for trigger in append_only.TRIGGERS if trigger.name == append_only.TRUNCATE_GUARD)
FIXED = ("item_id", "rater_id", "rubric_version_id", "shown_left", "idempotency_key")
LOOSENED = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in FIXED)


class Side(models.TextChoices):
    CANDIDATE = "candidate", "Candidate"
    BASELINE = "baseline", "Live"


class RatingQuerySet(models.QuerySet["Rating"]):
    def counted(self) -> Self:
        return self.filter(counted=True)

    def of(self, queue: Queue) -> Self:
        return self.filter(item__queue=queue)

    def newest_first(self) -> Self:
        return self.order_by("-id")


class Rating(models.Model):
    """What a person said of an item: the newest state; every state it ever had is in its revisions.

    `counted` is false for an answer that came when the item had all the ratings it wanted.
    """

    class Verdict(models.TextChoices):
        CANDIDATE = "candidate", "Candidate is better"
        BASELINE = "baseline", "Live is better"
        TIE = "tie", "Tie"
        BOTH_BAD = "both_bad", "Both bad"

    class Answer(models.TextChoices):
        A = "a", "A is better"
        B = "b", "B is better"
        TIE = "tie", "Tie"
        BOTH_BAD = "both_bad", "Both bad"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="ratings")
    slot = models.OneToOneField(Slot, on_delete=models.PROTECT, null=True, related_name="rating")
    rater = models.ForeignKey(User, on_delete=models.PROTECT, related_name="ratings")
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, related_name="ratings")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    answer = models.CharField(max_length=10, choices=Answer.choices)
    shown_left = models.CharField(max_length=10, choices=Side.choices)
    comment = models.TextField(blank=True)
    seconds_active = models.PositiveIntegerField(null=True)
    idempotency_key = models.UUIDField(unique=True)
    counted = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    objects = RatingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["rater", "-id"], name="rating_mine_newest")]
        constraints = [
            models.UniqueConstraint(fields=["item", "rater", "rubric_version"], name="rating_once"),
            models.CheckConstraint(
                condition=Q(counted=True, slot__isnull=False) | Q(counted=False, slot=None),
                name="rating_counted_in_a_slot",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
            NO_TRUNCATE,
            pgtrigger.Protect(
                name="fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    f"{LOOSENED} OR (OLD.counted AND (NOT NEW.counted OR OLD.slot_id IS DISTINCT FROM NEW.slot_id))"
                ),
            ),
            pgtrigger.Trigger(
                name="as_revised",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update,
                timing=pgtrigger.Deferred,
                func=AS_REVISED,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rater}: {self.get_verdict_display()}"


class RatingRevision(models.Model):
    """One state of a rating: the first answer is number 1, every change of mind the next. Append-only."""

    rating = models.ForeignKey(Rating, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=10, choices=Rating.Verdict.choices)
    answer = models.CharField(max_length=10, choices=Rating.Answer.choices)
    comment = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rating", "number"], name="rating_revision_number_once")]
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"Revision {self.number} of rating {self.rating_id}"


class Skip(models.Model):
    """A rater's word that they could not judge an item, and why. Append-only; the item goes to others."""

    class Reason(models.TextChoices):
        CANNOT_JUDGE = "cannot_judge", "I do not know enough about this"
        UNCLEAR = "unclear", "The question makes no sense"
        BROKEN = "broken", "An answer is cut off or broken"
        LANGUAGE = "language", "I do not read this language"
        UPSETTING = "upsetting", "I would rather not read this"
        OTHER = "other", "Something else"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="skips")
    rater = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "rater"], name="skip_once")]
        triggers = append_only.TRIGGERS

    def __str__(self) -> str:
        return f"{self.rater}: {self.get_reason_display()}"
