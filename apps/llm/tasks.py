"""Doorbells: what is due stands in the database, a task only says that somebody should look at it."""

from celery import shared_task
from django.utils import timezone

from apps.llm import retention


@shared_task
def sweep_bodies() -> None:
    """Bring what is stored down to what the workspaces want kept."""
    retention.sweep(timezone.now())
