"""Asking for a past period to be priced anew; `costs.repricing` does it."""

from datetime import date

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.costs import tasks
from apps.costs.models import Repricing

EARLIEST = date(2000, 1, 1)


class RepricingRefused(DomainError):
    """The period cannot be priced anew as it is asked for."""


class RepricingUnderWay(Conflict):
    """The very same work waits or runs already, or has not failed."""


@transaction.atomic
def reprice_period(  # noqa: PLR0913  a period has this many facts
    *,
    workspace: Workspace,
    first: date,
    last: date,
    reason: str,
    acting_user: User,
    provider: str = "",
    model: str = "",
    only_unpriced: bool = False,
) -> Repricing:
    """Have the charges of these days (the workspace's) priced at what the list says of their moments.

    Corrections are written by a worker. Raises RepricingRefused, and RepricingUnderWay when that already waits.
    """
    # One at a time, so that a button that is pressed twice asks once.
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    scope = {"first": first, "last": last, "provider": provider, "model": model, "only_unpriced": only_unpriced}
    if workspace.repricings.filter(state__in=_ACTIVE, **scope).exists():
        raise RepricingUnderWay("This period is being priced anew already.")
    found = ask(
        workspace=workspace,
        first=first,
        last=last,
        provider=provider,
        model=model,
        only_unpriced=only_unpriced,
        reason=reason,
        acting_user=acting_user,
    )
    _tell(found, acting_user, "asked for re-pricing", found.reason)
    return found


def ask(  # noqa: PLR0913  a period has this many facts
    *,
    workspace: Workspace,
    first: date,
    last: date,
    provider: str,
    model: str,
    only_unpriced: bool,
    reason: str,
    acting_user: User,
) -> Repricing:
    """Write down what is to be priced anew, and ring for it after commit; whoever calls it tells the audit log.

    The same work that has not begun yet does for both; one that has begun saw the prices of before.
    """
    today = timezone.now().astimezone(workspace.zone).date()
    cleaned = " ".join(text.clean(reason, field="The reason").split())
    if not cleaned or len(cleaned) > 500:
        raise RepricingRefused("Say in up to 500 characters why the period is priced anew.")
    if not EARLIEST <= first <= last <= today:
        raise RepricingRefused("The period ends today at the latest, and not before it begins.")
    if bool(model) and not provider:
        raise RepricingRefused("Say whose model it is.")
    scope = {"first": first, "last": last, "provider": provider, "model": model, "only_unpriced": only_unpriced}
    waiting = workspace.repricings.filter(state=Repricing.State.QUEUED, reached=None, **scope)
    # Locked, it is not begun before the prices that it is asked for are there.
    found = waiting.select_for_update(no_key=True).order_by("pk").first()
    if found is None:
        found = Repricing(workspace=workspace, reason=cleaned, asked_by=acting_user, **scope)
        found.save(force_insert=True)
    tasks.advance_repricing.delay_on_commit(repricing_id=found.pk)
    return found


@transaction.atomic
def resume_repricing(*, repricing: Repricing, acting_user: User) -> Repricing:
    """Let a re-pricing that failed go on where it stopped. Raises RepricingUnderWay when it has not failed."""
    rows = Repricing.objects.filter(pk=repricing.pk, state=Repricing.State.FAILED)
    if not rows.update(state=Repricing.State.QUEUED, error="", finished_at=None):
        raise RepricingUnderWay("This re-pricing has not failed; there is nothing to resume.")
    repricing.refresh_from_db()
    tasks.advance_repricing.delay_on_commit(repricing_id=repricing.pk)
    _tell(repricing, acting_user, "resumed re-pricing", "")
    return repricing


def _tell(found: Repricing, actor: User, verb: str, reason: str) -> None:
    scope = {
        "first": found.first.isoformat(),
        "last": found.last.isoformat(),
        "provider": found.provider,
        "model": found.model,
        "only_unpriced": found.only_unpriced,
    }
    audit.record(workspace=found.workspace, actor=actor, verb=verb, target=found, after=scope, reason=reason)


_ACTIVE = (Repricing.State.QUEUED, Repricing.State.RUNNING)
