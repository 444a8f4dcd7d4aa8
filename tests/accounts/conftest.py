from typing import Any

import pytest

from apps.accounts.models import Membership, User, Workspace
from apps.accounts.rights import Role
from llmops_site import celery_app
from tests import factories


@pytest.fixture
def oscar(workspace: Workspace) -> User:
    """A second admin."""
    return factories.make_member(workspace, "Oscar", Role.ADMIN)


@pytest.fixture
def seat(workspace: Workspace) -> Any:
    """Return a person's membership."""

    def find(user: User) -> Membership:
        return Membership.objects.get(workspace=workspace, user=user)

    return find


@pytest.fixture
def eager_tasks() -> Any:
    """Run tasks where they are sent from."""
    celery_app.conf.task_always_eager = True
    yield
    celery_app.conf.task_always_eager = False
