"""What this room does when the rooms below announce something."""

from typing import Any

from django.dispatch import receiver

from apps.accounts.models import User
from apps.experiments import actions
from apps.prompts.models import ChangeRequest
from apps.prompts.signals import change_request_opened


@receiver(change_request_opened)
def start_tests(change_request: ChangeRequest, acting_user: User | None = None, **_: Any) -> None:
    """Test the version that is asked for against what is live, in the name of whoever asked for it."""
    acting_user = acting_user or change_request.author
    actions.start_change_request_tests(change_request=change_request, acting_user=acting_user)
