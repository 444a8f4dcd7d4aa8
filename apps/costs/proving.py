"""Recounts a workspace's books because somebody asked, and tells how far that has come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.accounts.rights import Role
from apps.costs import verification
from apps.notices.actions import notify

# A recount that a worker took and never ended is forgotten after this; its outcome would have been a row.
FORGOTTEN_AFTER = timedelta(minutes=30)


@dataclass(frozen=True)
class Progress:
    """A recount under way: since when, whether a worker has it yet, and what it has proved so far."""

    asked_at: datetime
    is_started: bool = False
    months: int = 0
    charges: int = 0


def _place(workspace_id: int) -> str:
    return f"costs.proving.{workspace_id}"


def begin(workspace_id: int) -> bool:
    """Note that a recount was asked for; False when one is under way already."""
    return bool(cache.add(_place(workspace_id), _kept(Progress(timezone.now())), FORGOTTEN_AFTER.total_seconds()))


def progress(workspace_id: int) -> Progress | None:
    """Return the recount under way, if there is one."""
    kept: dict[str, Any] | None = cache.get(_place(workspace_id))
    return Progress(**kept) if kept else None


def run(workspace_id: int) -> None:
    """Recount the books of the workspace, telling after each month how far it has come."""
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None:
        return
    asked = progress(workspace_id)
    at = asked.asked_at if asked else timezone.now()
    months = charges = 0
    _tell(workspace_id, Progress(at, True))
    try:
        for total in verification.verify([workspace]):
            months, charges = months + 1, charges + total.calls
            _tell(workspace_id, Progress(at, True, months, charges))
    finally:
        cache.delete(_place(workspace_id))
    warn(workspace)


def warn(workspace: Workspace) -> bool:
    """Tell finance and admins when the last recount does not agree and the one before did; return whether it was so."""
    last, before = (*workspace.verifications.order_by("-finished_at", "-pk")[:2], None, None)[:2]
    if last is None or last.agrees or (before and not before.agrees):
        return False
    who = Q(roles__contains=[Role.FINANCE]) | Q(roles__contains=[Role.ADMIN])
    notify(
        users=[member.user for member in workspace.memberships.filter(who).select_related("user")],
        workspace=workspace,
        kind="books",
        title="The books do not agree",
        body=f"A recount found {last.differences:,} sums that are not what the charges add up to.",
        url=reverse("books_state", kwargs={"workspace": workspace.slug}),
    )
    return True


def _tell(workspace_id: int, found: Progress) -> None:
    cache.set(_place(workspace_id), _kept(found), FORGOTTEN_AFTER.total_seconds())


def _kept(found: Progress) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Progress.__dataclass_fields__}
