"""What waits for a rater, and why nothing does. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Count, QuerySet
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core import canonical
from apps.reviews import assignment
from apps.reviews.models import Item, Queue, Rating, Side, Skip, Slot


@dataclass(frozen=True)
class DeskLine:
    """A queue as one rater sees it: items rated, items that they could rate now."""

    queue: Queue
    mine: int
    waiting: int

    @property
    def total(self) -> int:
        return self.mine + self.waiting


@dataclass(frozen=True)
class Task:
    """Everything a rater is shown of an item, and nothing that tells whose answer is whose."""

    inputs: list[tuple[str, str]]
    left: str
    right: str
    token: UUID | None
    key: UUID
    until: datetime | None = None
    answer: str = ""
    comment: str = ""

    @property
    def answers(self) -> list[tuple[str, str]]:
        return [("A", self.left), ("B", self.right)]


def reviews_waiting(workspace: Workspace, user: User) -> "QuerySet[Slot, int]":
    """Return the ids of the items of the workspace that this person could rate now."""
    waiting = Slot.objects.filter(queue__workspace=workspace).waiting_for(user, timezone.now())
    return waiting.order_by().values_list("item", flat=True).distinct()


def desk_of(workspace: Workspace, user: User) -> list[DeskLine]:
    """Return the open queues for this person: what waits first, then the newest."""
    queues = list(Queue.objects.filter(workspace=workspace).open_to(user).newest_first())
    waiting = _by_queue(
        Slot.objects.filter(queue__in=queues).waiting_for(user, timezone.now()), "queue", Count("item", distinct=True)
    )
    mine = _by_queue(Rating.objects.filter(item__queue__in=queues, rater=user), "item__queue", Count("pk"))
    lines = [DeskLine(queue, mine.get(queue.pk, 0), waiting.get(queue.pk, 0)) for queue in queues]
    return sorted(lines, key=lambda line: not line.waiting)


def progress_in(queue: Queue, user: User) -> DeskLine:
    """Return how far this person is in one queue."""
    waiting = Slot.objects.filter(queue=queue).waiting_for(user, timezone.now())
    mine = Rating.objects.of(queue).filter(rater=user).count()
    return DeskLine(queue, mine, waiting.aggregate(items=Count("item", distinct=True))["items"] or 0)


def task_of(held: assignment.Held) -> Task:
    """Return the item in hand, laid out as its slot says."""
    item = Item.objects.with_answers().get(pk=held.item_id)
    return _task(item, flipped=held.flipped, token=held.token, key=uuid4(), until=held.until)


def task_again(rating: Rating) -> Task:
    """Return a rated item as it was shown, with the answer given."""
    flipped = rating.shown_left == Side.BASELINE
    return _task(
        rating.item,
        flipped=flipped,
        token=None,
        key=rating.idempotency_key,
        answer=rating.answer,
        comment=rating.comment,
    )


def _task(item: Item, *, flipped: bool, **fields: Any) -> Task:
    texts = [item.output_candidate.text, item.output_baseline.text]
    left, right = reversed(texts) if flipped else texts
    inputs = item.output_candidate.case.inputs
    return Task(inputs=[(name, _shown(value)) for name, value in inputs.items()], left=left, right=right, **fields)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else canonical.dumps(value)


def why_empty(queue: Queue, user: User) -> tuple[str, datetime | None]:
    """Return the reason why there is nothing for this person, and until when the items they lack are held."""
    if not queue.is_open:
        return "closed", None
    if user.pk in queue.barred_ids:
        return "barred", None
    left = Slot.objects.filter(queue=queue).unfinished()
    if not left.exists():
        return "finished", None
    held = left.exclude(item__ratings__rater=user).exclude(item__skips__rater=user).order_by("available_at").first()
    if held:
        return "held", held.available_at
    skipped = Skip.objects.filter(item__queue=queue, rater=user).exists()
    return ("skipped" if skipped and not Rating.objects.of(queue).filter(rater=user).exists() else "done"), None


def _by_queue(rows: Any, field: str, count: Count) -> dict[int, int]:
    return dict(rows.order_by().values_list(field).annotate(n=count).values_list(field, "n"))
