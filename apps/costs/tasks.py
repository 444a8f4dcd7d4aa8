"""Doorbells of the books: what is to be done stands in the database, a task only says that somebody should look."""

import logging
from typing import Any

from celery import shared_task
from django.db import InterfaceError, OperationalError

from apps.costs import proving, repricing

logger = logging.getLogger(__name__)


@shared_task
def advance_repricing(*, repricing_id: int) -> None:
    """Price a stretch of a period anew, and ring again when there is more."""
    try:
        more = repricing.advance(repricing_id)
    except (OperationalError, InterfaceError):
        # The database went away: what was committed stays done, and the wake-up goes on from there.
        logger.exception("re-pricing %s waits for the database", repricing_id)
        return
    except Exception:
        logger.exception("re-pricing %s could not go on", repricing_id)
        repricing.fail(repricing_id, reason="Something went wrong; the log says what. Resume it once it is mended.")
        raise
    if more:
        advance_repricing.delay(repricing_id=repricing_id)


@shared_task
def prove_books(*, workspace_id: int, **_: Any) -> None:
    """Recount the books of one workspace because somebody asked. Whoever waits sees it come to nothing and asks again."""
    proving.run(workspace_id)
