"""What this room does when others announce something."""

from typing import Any

from django.dispatch import receiver

from apps.accounts.models import User, Workspace
from apps.accounts.signals import workspace_created
from apps.prompts import actions


@receiver(workspace_created)
def give_environments(workspace: Workspace, acting_user: User | None, **_: Any) -> None:
    """A new workspace has places for prompts to be live in."""
    actions.create_environments(workspace=workspace, acting_user=acting_user)
