"""What happens by the clock."""

from celery import shared_task
from django.utils import timezone

from apps.costs import partitions


@shared_task
def make_partitions() -> None:
    """Make the ledger's partitions for the months ahead."""
    partitions.ensure_around(timezone.now())
