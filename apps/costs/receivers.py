"""What the books do when a workspace changes under them."""

from typing import Any

from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from apps.accounts.models import User, Workspace
from apps.accounts.signals import workspace_created
from apps.costs import ledger_sums, seed


@receiver(workspace_created)
def give_prices(workspace: Workspace, acting_user: User | None, **_: Any) -> None:
    """A new workspace knows the public prices, so that its first call is not unpriced."""
    seed.seed_prices(workspace=workspace, acting_user=acting_user)


@receiver(pre_save, sender=Workspace)
def notice_new_zone(instance: Workspace, **_: Any) -> None:
    """Remember that the days of this workspace are about to begin at another hour."""
    before = Workspace.objects.filter(pk=instance.pk).values_list("time_zone", flat=True).first()
    instance.__dict__["_zone_was"] = before if before != instance.time_zone else None


@receiver(post_save, sender=Workspace)
def rebuild_in_new_zone(instance: Workspace, **_: Any) -> None:
    """Sum the charges anew by the days of the new zone, in the transaction that moved it."""
    if was := instance.__dict__.pop("_zone_was", None):
        ledger_sums.move_days(workspace_id=instance.pk, was=was)
