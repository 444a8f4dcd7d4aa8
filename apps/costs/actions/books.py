"""What finance may ask of the books as a whole."""

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import DomainError
from apps.costs import proving, tasks
from apps.costs.models import Retention

MOST_MONTHS, MOST_REASON = 600, 2_000


class RetentionRefused(DomainError):
    """The charges cannot be kept for so long, or so short."""


@transaction.atomic
def verify_books(*, workspace: Workspace, acting_user: User) -> bool:
    """Have a worker recount the books; False, and nothing done, when a recount is under way already."""
    if not proving.begin(workspace.pk):
        return False
    tasks.prove_books.delay_on_commit(workspace_id=workspace.pk)
    audit.record(workspace=workspace, actor=acting_user, verb="asked for a recount of the books", target=workspace)
    return True


@transaction.atomic
def keep_charges(*, workspace: Workspace, months: int | None, reason: str, acting_user: User) -> None:
    """Keep charges for so many whole months, or for ever. Raises RetentionRefused for a number that makes no sense."""
    if months is not None and not 1 <= months <= MOST_MONTHS:
        raise RetentionRefused(f"Keep charges for 1 to {MOST_MONTHS} months, or for ever.")
    reason = text.clean(reason, field="reason", max_bytes=MOST_REASON).strip()
    before = Retention.objects.select_for_update().filter(workspace=workspace).first()
    if (before.months if before else None) == months:
        return
    if months is None:
        Retention.objects.filter(workspace=workspace).delete()
    else:
        Retention.objects.update_or_create(workspace=workspace, defaults={"months": months})
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="changed how long charges are kept",
        target=workspace,
        before={"months": before.months if before else None},
        after={"months": months},
        reason=reason,
    )
