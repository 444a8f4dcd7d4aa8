"""The audit chain: what was done, by whom, to what, and proof that nothing was taken out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models
from django.utils import timezone

from apps.accounts.models import ApiKey, AuditEvent, User, Workspace

Actor = User | ApiKey | None
SYSTEM = "Galley"
LOCK_SPACE = 0x6A11E7


def record(  # noqa: PLR0913  the event's own fields
    *,
    workspace: Workspace,
    actor: Actor,
    verb: str,
    target: models.Model,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    at: datetime | None = None,
) -> AuditEvent:
    """Append an event to the workspace's chain: ids, names and hashes, never prompt text.

    Call it last inside the action's transaction: it takes the chain's lock until commit.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, workspace.pk])
    last = AuditEvent.objects.filter(workspace=workspace).order_by("-number").first()
    event = AuditEvent(
        workspace=workspace,
        number=last.number + 1 if last else 1,
        actor=actor if isinstance(actor, User) else None,
        actor_key=actor if isinstance(actor, ApiKey) else None,
        actor_name=name_of(actor),
        verb=verb,
        target_type=target._meta.label_lower,
        target_id=str(target.pk),
        target_name=str(target)[:300],
        before=before,
        after=after,
        reason=reason,
        at=(at or timezone.now()).astimezone(UTC),
        prev_hash=last.hash if last else "",
    )
    event.hash = event.computed_hash()
    event.save(force_insert=True)
    return event


def name_of(actor: Actor) -> str:
    if isinstance(actor, ApiKey):
        return f"API key {actor.name}"
    return str(actor) if actor else SYSTEM


@dataclass(frozen=True)
class Break:
    """A place where the chain does not hold: the event's number and what is wrong, in words."""

    number: int
    problem: str


def breaks(workspace: Workspace) -> Iterator[Break]:
    """Walk the chain from its start and yield every place where it does not hold."""
    expected, prev_hash = 1, ""
    for event in AuditEvent.objects.filter(workspace=workspace).order_by("number").iterator(chunk_size=2000):
        if event.number != expected:
            yield Break(expected, f"event {expected} is missing")
        if event.prev_hash != prev_hash:
            yield Break(event.number, "does not continue the event before it")
        if event.computed_hash() != event.hash:
            yield Break(event.number, "was changed after it was written")
        expected, prev_hash = event.number + 1, event.hash


@dataclass(frozen=True)
class Proof:
    """What walking a chain showed: how many events hold, the hash of the newest, and the first break if any."""

    events: int
    head: str
    first_break: Break | None


def verify(workspace: Workspace) -> Proof:
    """Walk the workspace's chain from its start."""
    last = AuditEvent.objects.filter(workspace=workspace).order_by("-number").first()
    return Proof(last.number if last else 0, last.hash if last else "", next(breaks(workspace), None))
