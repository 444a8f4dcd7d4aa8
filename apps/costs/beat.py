"""What happens by the clock."""

import contextlib

from celery import shared_task
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.costs import actions, partitions, proving, repricing, retention, tasks, verification
from apps.costs.budgets import alerts, sweeping


@shared_task
def make_partitions() -> None:
    """Make the ledger's partitions for the months ahead, and let go of those that nobody keeps."""
    now = timezone.now()
    partitions.ensure_around(now)
    retention.let_go(now)


@shared_task
def verify_books() -> None:
    """Recount the books of every workspace, keep the outcome, and tell of those that do not agree any more."""
    for _ in verification.verify():
        pass
    for workspace in Workspace.objects.order_by("pk"):
        proving.warn(workspace)


@shared_task
def expire_reservations() -> None:
    """Give back what budgets hold for calls that never came back, and clear away what ended long ago."""
    now = timezone.now()
    sweeping.expire(now)
    sweeping.clear(now)


@shared_task
def tell_budgets() -> None:
    """Tell owners and finance of budgets that are used up, or will be."""
    alerts.tell(timezone.now())


@shared_task
def propose_prices() -> None:
    """Propose to every workspace what the installed public list says differently of its models; nothing is changed."""
    for workspace in Workspace.objects.order_by("pk"):
        with contextlib.suppress(actions.NothingNew):
            actions.propose_public_prices(workspace=workspace, acting_user=None)


@shared_task
def wake_repricings() -> None:
    """Ring again for every re-pricing that waits or whose worker died."""
    for repricing_id in repricing.unfinished():
        tasks.advance_repricing.delay(repricing_id=repricing_id)
