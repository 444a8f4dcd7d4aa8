"""What is stored is brought down to what the workspace wants kept: texts to fingerprints, old ones and answers away.

In small batches, each of which is a transaction: a sweep that is killed loses one batch, two at once share the work,
and what a stricter policy left behind while it came into force is found by the next.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, models, transaction

from apps.accounts.models import Workspace
from apps.core import canonical
from apps.llm.models import BodyPolicy, CachedAnswer, Call, CallBody
from apps.llm.models.calls import CallBodyQuerySet

HASHED_AT_ONCE = 200
IN_MEMORY = 20  # bodies; each may be megabytes
DELETED_AT_ONCE = 1_000
LONGEST = 240.0  # seconds of one sweep; the next goes on
COUNTED = 10_000

Kept = BodyPolicy.Kept
STRICTNESS = {Kept.FULL: 0, Kept.HASHED: 1, Kept.NONE: 2}

REDUCE = """
UPDATE llm_callbody SET kept = 'hashed', request = '{}', text = '', tool_calls = '[]',
    request_hash = hashed.request, answer_hash = hashed.answer
FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS hashed (id, request, answer)
WHERE call_id = hashed.id AND kept = 'full'
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Swept:
    """What a sweep did: bodies reduced to fingerprints, bodies deleted, kept answers deleted."""

    hashed: int = 0
    deleted: int = 0
    answers: int = 0


@dataclass(frozen=True)
class Left:
    """How many bodies a sweep has still to do; at COUNTED it stops counting."""

    to_hash: int
    to_delete: int

    @property
    def total(self) -> int:
        return self.to_hash + self.to_delete

    @property
    def is_more(self) -> bool:
        return max(self.to_hash, self.to_delete) >= COUNTED


def is_stricter(before: BodyPolicy, *, kept: str, days: int | None) -> bool:
    """Tell whether something that is kept now would be taken away."""
    if STRICTNESS[Kept(kept)] > STRICTNESS[Kept(before.kept)]:
        return True
    return days is not None and (before.days is None or days < before.days) and kept != Kept.NONE


def sweep(now: datetime, *, seconds: float = LONGEST) -> Swept:
    """Do what is due in every workspace, for so long at most; return what was done."""
    ends = time.monotonic() + seconds
    hashed = deleted = 0
    answers = _delete(CachedAnswer.objects.expired(now), ends)
    for policy in _policies():
        for due in _to_delete(policy, now):
            deleted += _delete(due, ends)
        if policy.kept == Kept.HASHED:
            hashed += _reduce(_to_hash(policy), ends)
        if policy.reuse_for is None:
            answers += _delete(CachedAnswer.objects.filter(workspace=policy.workspace_id), ends)
    swept = Swept(hashed, deleted, answers)
    if swept != Swept():
        log.info("texts swept", **vars(swept))
    return swept


def left(policy: BodyPolicy, now: datetime) -> Left:
    """Return how much of what the policy does not keep is still there."""
    to_hash = _to_hash(policy)[:COUNTED].count() if policy.kept == Kept.HASHED else 0
    return Left(to_hash, min(COUNTED, sum(due[:COUNTED].count() for due in _to_delete(policy, now))))


def _policies() -> Iterator[BodyPolicy]:
    """Yield what holds in each workspace: as it is now, not as a process remembers it."""
    chosen = {policy.workspace_id: policy for policy in BodyPolicy.objects.all()}
    for workspace_id in Workspace.objects.order_by("id").values_list("pk", flat=True):
        yield chosen.get(workspace_id) or BodyPolicy(workspace_id=workspace_id)


def _to_hash(policy: BodyPolicy) -> CallBodyQuerySet:
    # A call in flight still gets its answer, and is hashed when it has it.
    return CallBody.objects.filter(workspace=policy.workspace_id).full().ended()


def _to_delete(policy: BodyPolicy, now: datetime) -> list[CallBodyQuerySet]:
    """Return what is due to go: each half is a range of its own index."""
    bodies = CallBody.objects.filter(workspace=policy.workspace_id)
    halves = [bodies.full(), bodies.reduced()]
    if policy.kept == Kept.NONE:
        return [half.ended() for half in halves]
    if policy.days is None:
        return []
    return [half.older_than(now - timedelta(days=policy.days)) for half in halves]


def _delete(due: "models.QuerySet[Any]", ends: float) -> int:
    """Delete in batches until nothing is due or the time is over."""
    deleted, last = 0, None
    while time.monotonic() < ends:
        with transaction.atomic():
            if not (ids := _claimed(due, last, DELETED_AT_ONCE)):
                break
            deleted += due.model._default_manager.filter(pk__in=ids).delete()[0]
            last = ids[-1]
    return deleted


def _reduce(due: CallBodyQuerySet, ends: float) -> int:
    """Put fingerprints in the place of texts, in batches, until none is due or the time is over."""
    reduced, last = 0, None
    while time.monotonic() < ends:
        with transaction.atomic():
            if not (ids := _claimed(due, last, HASHED_AT_ONCE)):
                break
            hashes = [_hashes_of(body) for body in _bodies(ids)]
            with connection.cursor() as cursor:
                cursor.execute(REDUCE, [list(column) for column in zip(*hashes, strict=True)])
                reduced += cursor.rowcount
            last = ids[-1]
    return reduced


def _claimed(due: "models.QuerySet[Any]", last: Any, most: int) -> list[Any]:
    """Lock the next rows that are due, and return their keys. Rows that another sweep holds are left to it."""
    # On from the last one: what was done before it is dead in the index, and would be walked over again.
    rows = due if last is None else due.filter(pk__gt=last)
    rows = rows.order_by("pk").select_for_update(skip_locked=True, of=("self",))
    return list(rows.values_list("pk", flat=True)[:most])


def _bodies(ids: list[Any]) -> Iterator[CallBody]:
    wanted = ("request", "text", "tool_calls", "request_hash", "answer_hash", "call__state")
    bodies = CallBody.objects.filter(pk__in=ids).select_related("call").only(*wanted)
    return bodies.iterator(chunk_size=IN_MEMORY)


def _hashes_of(body: CallBody) -> tuple[Any, str, str]:
    """Return the body's id and its fingerprints: of what is there, or those that it has already."""
    asked = canonical.sha256(body.request) if body.request else body.request_hash
    is_answer = body.text or body.tool_calls or body.call.state == Call.State.ANSWERED
    answered = canonical.sha256([body.text, body.tool_calls]) if is_answer else ""
    return body.pk, asked, body.answer_hash or answered
