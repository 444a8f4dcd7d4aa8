"""What other rooms announce and raters care about. These run inside the sender's transaction and only call an action."""

from typing import Any

from django.dispatch import receiver

from apps.experiments.models import Run
from apps.experiments.signals import run_finished
from apps.prompts.models import ChangeRequest
from apps.prompts.signals import change_request_closed, change_request_opened
from apps.reviews import actions


@receiver(run_finished, dispatch_uid="reviews_ask_people")
def ask_people(run: Run, **kwargs: Any) -> None:
    actions.ask_people(run=run)


@receiver(change_request_opened, dispatch_uid="reviews_expect_people")
def expect_people(change_request: ChangeRequest, **kwargs: Any) -> None:
    actions.expect_people(change_request=change_request)


@receiver(change_request_closed, dispatch_uid="reviews_stop_asking")
def stop_asking(change_request: ChangeRequest, **kwargs: Any) -> None:
    actions.close_queues_of(change_request=change_request)
