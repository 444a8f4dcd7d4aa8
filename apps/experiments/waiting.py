"""Which runs cannot go on while a model does not answer."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from apps.experiments.models import Run


def count(workspace_id: int, model_ids: Collection[int], since: datetime) -> int:
    """Return how many runs wait for these models: those that are active, and those that stopped since they are down."""
    stopped = Q(state=Run.State.FAILED, finished_at__gte=since)
    runs = Run.objects.filter(Q(state__in=Run.ACTIVE) | stopped, workspace=workspace_id)
    return runs.filter(arms__model__in=model_ids).distinct().count()
