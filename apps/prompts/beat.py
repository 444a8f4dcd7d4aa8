"""What happens by the clock."""

from celery import shared_task

from apps.prompts import actions, spend_board


@shared_task
def refresh_forecasts() -> None:
    """Forecast anew what the open requests cost, before yesterday's traffic counts for today."""
    for request in spend_board.outdated():
        actions.refresh_spend_check(change_request=request)
