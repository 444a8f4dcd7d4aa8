"""Doorbells: a run stands in the database, a task only says that somebody should look at it."""

import logging

from celery import shared_task
from django.db import InterfaceError, OperationalError

from apps.experiments import faults, runner

logger = logging.getLogger(__name__)


SHARED_FROM = 64


def ring(run_id: int, outputs: int) -> None:
    """Ask for work on a run after commit; two workers share a run that is long enough."""
    for _ in range(2 if outputs >= SHARED_FROM else 1):
        advance_run.delay_on_commit(run_id=run_id)


@shared_task
def advance_run(*, run_id: int) -> None:
    """Work on a run for a while, and ring again when there is more to do."""
    try:
        more = runner.advance(run_id)
    except (OperationalError, InterfaceError):
        # The database went away: nothing is wrong with the run, and the wake-up finds it when the leases lapse.
        logger.exception("run %s waits for the database", run_id)
        return
    except Exception:
        reference = faults.new_id()
        logger.exception("fault %s: run %s could not go on", reference, run_id)
        runner.fail(run_id, reason=f"{faults.words(reference)} Resume the run once it is mended.")
        raise
    if more:
        advance_run.delay(run_id=run_id)
