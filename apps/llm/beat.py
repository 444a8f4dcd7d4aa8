"""What the schedule rings for."""

from celery import shared_task
from django.utils import timezone

from apps.llm import hours, outages, retention, sweeper


@shared_task
def sweep_calls() -> None:
    """Charge the calls that a dead process left in flight, and forget who waited for a place long ago."""
    sweeper.sweep(timezone.now())
    sweeper.forget_waiters()


@shared_task
def sum_hours() -> None:
    """Sum up the calls of this hour and of those before that are not summed up for good."""
    hours.refresh(timezone.now())


@shared_task
def probe_lanes() -> None:
    """Ask providers that do not answer whether they are back."""
    outages.probe_lanes()


@shared_task
def sweep_texts() -> None:
    """Bring what is stored down to what the workspaces want kept."""
    retention.sweep(timezone.now())
