"""What the clock starts."""

from celery import shared_task

from apps.experiments import tasks
from apps.experiments.models import Run


@shared_task
def wake_runs() -> None:
    """Ring for every run that should be moving and that nobody holds: the bell was lost, or the worker died."""
    for run_id in Run.objects.asleep().order_by("id").values_list("pk", flat=True)[:100]:
        # A bell that nobody hears in time is rung again; the old one must not pile up behind a busy worker.
        tasks.advance_run.apply_async(kwargs={"run_id": run_id}, expires=15)
