"""Who rates what next. Each step is one statement, guarded by the row it locks, so that any number of raters may race.

The database's clock decides: leases are compared with it in the same statement that hands them out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.reviews.models import EPOCH, Lease, Queue, Rating, RatingRevision, Side, Skip

LEASE = timedelta(minutes=15)
HEARTBEAT = LEASE / 3
RACES = 3

RESUME = """
UPDATE reviews_slot SET available_at = clock_timestamp() + %(lease)s
WHERE id = (
  SELECT s.id FROM reviews_slot s JOIN reviews_queue q ON q.id = s.queue_id
  WHERE s.queue_id = %(queue)s AND s.rater_id = %(rater)s AND s.done_at IS NULL AND s.dropped_at IS NULL
    AND s.token IS NOT NULL AND q.state = 'open' AND NOT %(rater)s = ANY (q.barred_ids)
    AND NOT EXISTS (SELECT 1 FROM reviews_rating r WHERE r.item_id = s.item_id AND r.rater_id = %(rater)s)
    AND NOT EXISTS (SELECT 1 FROM reviews_skip k WHERE k.item_id = s.item_id AND k.rater_id = %(rater)s)
  ORDER BY s.available_at DESC, s.id LIMIT 1 FOR UPDATE OF s)
RETURNING id, item_id, flipped, token, available_at
"""

CLAIM = """
WITH taken AS (
  UPDATE reviews_slot
  SET rater_id = %(rater)s, token = gen_random_uuid(), available_at = clock_timestamp() + %(lease)s
  WHERE id = (
    SELECT s.id FROM reviews_slot s JOIN reviews_queue q ON q.id = s.queue_id
    WHERE s.queue_id = %(queue)s AND s.done_at IS NULL AND s.dropped_at IS NULL
      AND s.available_at <= clock_timestamp() AND q.state = 'open' AND NOT %(rater)s = ANY (q.barred_ids)
      AND NOT EXISTS (SELECT 1 FROM reviews_slot o
                      WHERE o.item_id = s.item_id AND o.rater_id = %(rater)s AND o.id <> s.id)
      AND NOT EXISTS (SELECT 1 FROM reviews_rating r WHERE r.item_id = s.item_id AND r.rater_id = %(rater)s)
      AND NOT EXISTS (SELECT 1 FROM reviews_skip k WHERE k.item_id = s.item_id AND k.rater_id = %(rater)s)
    ORDER BY s.priority DESC, s.id LIMIT 1 FOR UPDATE OF s SKIP LOCKED)
  RETURNING id, item_id, flipped, token, available_at
), noted AS (
  INSERT INTO reviews_lease (token, slot_id, rater_id, at) SELECT token, id, %(rater)s, clock_timestamp() FROM taken
)
SELECT id, item_id, flipped, token, available_at FROM taken
"""

HEARTBEAT_SQL = """
UPDATE reviews_slot SET available_at = clock_timestamp() + %(lease)s
WHERE token = %(token)s AND rater_id = %(rater)s AND done_at IS NULL AND dropped_at IS NULL RETURNING available_at
"""

RELEASE = """
UPDATE reviews_slot SET rater_id = NULL, token = NULL, available_at = %(epoch)s
WHERE token = %(token)s AND rater_id = %(rater)s AND done_at IS NULL RETURNING id
"""

INSERT_RATING = """
INSERT INTO reviews_rating (item_id, slot_id, rater_id, rubric_version_id, verdict, answer, shown_left, comment,
                            seconds_active, idempotency_key, counted, at)
VALUES (%(item)s, NULL, %(rater)s, %(rubric_version)s, %(verdict)s, %(answer)s, %(shown_left)s, %(comment)s,
        %(seconds)s, %(key)s, false, clock_timestamp())
ON CONFLICT DO NOTHING RETURNING id
"""

CLOSE_MINE = """
UPDATE reviews_slot SET done_at = clock_timestamp()
WHERE item_id = %(item)s AND rater_id = %(rater)s AND done_at IS NULL AND dropped_at IS NULL RETURNING id
"""

CLOSE_FREE = """
UPDATE reviews_slot SET done_at = clock_timestamp(), rater_id = %(rater)s, token = NULL
WHERE id = (
  SELECT id FROM reviews_slot
  WHERE item_id = %(item)s AND done_at IS NULL AND dropped_at IS NULL AND available_at <= clock_timestamp()
  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""


class NotYours(Conflict):
    """The form names an item that was never handed to this person in this queue."""


@dataclass(frozen=True)
class Held:
    """A slot in a rater's hands."""

    slot_id: int
    item_id: int
    flipped: bool
    token: UUID
    until: datetime


@dataclass(frozen=True)
class Answered:
    """What became of an answer: stored anew or known already, and whether it counts."""

    rating: Rating
    is_new: bool


def next_slot(queue: Queue, rater: User) -> Held | None:
    """Return the slot this rater holds, or else claim the best free one; None when there is none for them."""
    values = {"queue": queue.pk, "rater": rater.pk, "lease": LEASE}
    for _ in range(RACES):
        try:
            with transaction.atomic():
                row = _row(RESUME, values) or _row(CLAIM, values)
                return Held(*row) if row else None
        except IntegrityError:
            continue  # The same person claimed another slot of that item in a second tab: look again.
    return None


def heartbeat(token: UUID, rater: User) -> datetime | None:
    """Extend the lease and return its new end; None when the slot is no longer this rater's."""
    row = _row(HEARTBEAT_SQL, {"token": token, "rater": rater.pk, "lease": LEASE})
    return row[0] if row else None


def release(token: UUID, rater: User) -> bool:
    """Give the slot back at once; False when it was not held."""
    return _row(RELEASE, {"token": token, "rater": rater.pk, "epoch": EPOCH}) is not None


def lease_of(queue: Queue, token: UUID, rater: User) -> Lease:
    """Return the lease of that token. Raises NotYours when it was not handed to this person in this queue."""
    lease = Lease.objects.select_related("slot__item").filter(token=token, rater=rater, slot__queue=queue).first()
    if lease is None:
        raise NotYours("That item is not in your hands. The page shows the one that is.")
    return lease


def submit(
    queue: Queue, rater: User, *, token: UUID, key: UUID, answer: str, comment: str = "", seconds: int | None = None
) -> Answered:
    """Store an answer once, and count it while its item still wants ratings.

    A lease that ran out does not matter, nor does a second click. Raises NotYours.
    """
    lease = lease_of(queue, token, rater)
    left = Side.BASELINE if lease.slot.flipped else Side.CANDIDATE
    values = {
        "item": lease.slot.item_id,
        "rater": rater.pk,
        "rubric_version": queue.rubric_version_id,
        "verdict": verdict_of(answer, left),
        "answer": answer,
        "shown_left": left,
        "comment": comment,
        "seconds": seconds,
        "key": key,
    }
    for _ in range(RACES):
        try:
            with transaction.atomic():
                return _store(values)
        except IntegrityError:
            continue  # A claim of the same person took another slot of that item meanwhile: look again.
    raise Conflict("This item is busy in another tab. Try again.")


def _store(values: dict[str, Any]) -> Answered:
    inserted = _row(INSERT_RATING, values)
    if inserted is None:
        return Answered(_known(values), is_new=False)
    rating = Rating.objects.get(pk=inserted[0])
    slot = _row(CLOSE_MINE, values) or _row(CLOSE_FREE, values)
    if slot:
        rating.slot_id, rating.counted = slot[0], True
        rating.save(update_fields=["slot", "counted"])
    _note(rating, 1)
    return Answered(rating, is_new=True)


def _known(values: dict[str, Any]) -> Rating:
    """Return the rating that was there first: this very form's, or this person's of the same item."""
    of_rater = Rating.objects.filter(rater_id=values["rater"])
    known = of_rater.filter(idempotency_key=values["key"]).first() or of_rater.filter(item_id=values["item"]).first()
    if known is None:
        raise NotYours("This form was filled in by somebody else. Reload the page.")
    return known


def revise(rating: Rating, *, answer: str, comment: str) -> Rating:
    """Change an answer; what it was stays in its revisions."""
    rating = Rating.objects.select_for_update(no_key=True).get(pk=rating.pk)
    if (rating.answer, rating.comment) == (answer, comment):
        return rating
    rating.answer, rating.comment = answer, comment
    rating.verdict = verdict_of(answer, rating.shown_left)
    rating.save(update_fields=["answer", "comment", "verdict"])
    _note(rating, rating.revisions.count() + 1)
    return rating


def skip(queue: Queue, rater: User, *, token: UUID, reason: str, note: str = "") -> Skip | None:
    """Hand the item to others and remember why; None when this person rated or skipped it already."""
    item_id = lease_of(queue, token, rater).slot.item_id
    if Rating.objects.filter(item_id=item_id, rater=rater).exists():
        return None
    found, is_new = Skip.objects.get_or_create(item_id=item_id, rater=rater, defaults={"reason": reason, "note": note})
    release(token, rater)
    return found if is_new else None


def verdict_of(answer: str, left: str) -> str:
    """Resolve "A" and "B" into whose answer that was."""
    right = Side.BASELINE if left == Side.CANDIDATE else Side.CANDIDATE
    return {Rating.Answer.A.value: str(left), Rating.Answer.B.value: str(right)}.get(answer, answer)


def _note(rating: Rating, number: int) -> None:
    RatingRevision.objects.create(
        rating=rating, number=number, verdict=rating.verdict, answer=rating.answer, comment=rating.comment
    )


def _row(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row
