"""What the schedule rings for."""

from celery import shared_task
from django.utils import timezone

from apps.llm import sweeper


@shared_task
def sweep_calls() -> None:
    """Charge the calls that a dead process left in flight."""
    sweeper.sweep(timezone.now())
