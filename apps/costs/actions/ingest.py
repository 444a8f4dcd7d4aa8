"""What people decide about charges that came from outside."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core.errors import Conflict, DomainError
from apps.costs.ingest import booking, mending, status
from apps.costs.ingest.booking import Became, Outcome
from apps.costs.ingest.drafts import Sender
from apps.costs.models import Quarantined

MOST_AT_ONCE = 500


class StillRefused(DomainError):
    """The charge cannot be booked with these changes either."""

    code = "still-refused"


class AlreadyDecided(Conflict):
    """Somebody has booked or dismissed it."""


@transaction.atomic
def mend_quarantined(
    *, workspace: Workspace, quarantined_id: int, changes: Mapping[str, Any], acting_user: User, alike: bool = False
) -> int:
    """Book a charge that was set aside, with what was wrong put right; return how many were booked.

    With `alike`, what it was called (model, provider, dialect, team) is put right in the others that `status.alike`
    finds too, and whose word counts where a cost looks wrong; those that this does not help stay. What was counted,
    what it cost and when it was is never carried over.
    Raises AlreadyDecided, and StillRefused when the charge itself cannot be booked so.
    """
    carried = {name: value for name, value in changes.items() if name in (*status.CARRIED, *status.JUDGED)}
    row = _locked(workspace, quarantined_id)
    others = _at_once(status.alike(row)) if alike and carried else []
    now = timezone.now()
    refused = mending.try_again([row], changes, person=acting_user, now=now)
    if refused:
        raise StillRefused(refused[row.pk].message)
    stay = mending.try_again(others, carried, person=acting_user, now=now)
    booked = 1 + len(others) - len(stay)
    facts = {"changed": sorted(changes), "booked": booked, "source": row.source, "was": row.reason}
    if others:
        facts["carried_over"] = sorted(carried)
    audit.record(workspace=workspace, actor=acting_user, verb="mended a quarantined charge", target=row, after=facts)
    return booked


def _locked(workspace: Workspace, quarantined_id: int) -> Quarantined:
    booking.take_turns(workspace.pk)
    row = workspace.quarantined.select_for_update().open().filter(pk=quarantined_id).first()
    if row is None:
        raise AlreadyDecided("Somebody has decided about this charge already.")
    return row


def _at_once(others: QuerySet[Quarantined]) -> list[Quarantined]:
    return list(others.select_for_update().order_by("pk")[: MOST_AT_ONCE - 1])


@transaction.atomic
def retry_quarantined(*, workspace: Workspace, ids: Sequence[int], acting_user: User) -> int:
    """Try charges that were set aside again as they are, and return how many were booked; the others stay aside.

    Ids that nothing waits under are passed over.
    """
    booking.take_turns(workspace.pk)
    rows = list(workspace.quarantined.select_for_update().open().filter(pk__in=ids).order_by("pk"))
    stay = mending.try_again(rows, {}, person=acting_user, now=timezone.now())
    booked = len(rows) - len(stay)
    if rows:
        facts = {"tried": len(rows), "booked": booked}
        audit.record(
            workspace=workspace, actor=acting_user, verb="retried quarantined charges", target=workspace, after=facts
        )
    return booked


@transaction.atomic
def dismiss_quarantined(
    *, workspace: Workspace, quarantined_id: int, reason: str, acting_user: User, alike: bool = False
) -> int:
    """Leave a charge that was set aside out of the books for good; return how many were dismissed.

    With `alike`, the others of its source with the same fault too. Raises DomainError without a reason, AlreadyDecided.
    """
    reason = reason.strip()
    if not reason:
        raise DomainError("Say why the charge does not belong in the books.")
    row = _locked(workspace, quarantined_id)
    others = _at_once(status.same_fault(row)) if alike else []
    now = timezone.now()
    ids = [row.pk, *(other.pk for other in others)]
    Quarantined.objects.filter(pk__in=ids).update(
        state=Quarantined.State.DISMISSED, decided_by=acting_user, decided_at=now
    )
    facts = {"dismissed": len(ids), "source": row.source, "was": row.reason}
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="dismissed a quarantined charge",
        target=row,
        after=facts,
        reason=reason[:2000],
    )
    return len(ids)


def book_sheet(
    *, workspace: Workspace, source: str, items: Sequence[Mapping[str, Any]], acting_user: User
) -> list[Outcome]:
    """Book the lines of a sheet, each thousand in a transaction of its own, and record that somebody did.

    A sheet that is sent again after an accident changes nothing twice.
    """
    outcomes = list(booking.take(Sender(workspace.pk, source), items))
    facts = {"source": source, **{name.value: sum(outcome.became == name for outcome in outcomes) for name in Became}}
    with transaction.atomic():
        audit.record(workspace=workspace, actor=acting_user, verb="booked a sheet", target=workspace, after=facts)
    return outcomes
