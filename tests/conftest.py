"""The cast: Paula writes and publishes, Ravi reviews, Ana and Amir rate, Fay pays, Olga runs the desk."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoDbBlocker

from apps.accounts.models import User, Workspace
from apps.accounts.rights import Role
from tests import db_guards, factories

ClientOf = Callable[[User], Client]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Make the test database one that can be flushed."""
    with django_db_blocker.unblock():
        db_guards.switch_off()


@pytest.fixture
def workspace(db: None) -> Workspace:
    return factories.make_workspace()


@pytest.fixture
def paula(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Paula", Role.EDITOR, Role.PUBLISHER, environments=["*"])


@pytest.fixture
def ravi(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Ravi", Role.REVIEWER)


@pytest.fixture
def ana(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Ana", Role.ANNOTATOR)


@pytest.fixture
def amir(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Amir", Role.ANNOTATOR)


@pytest.fixture
def fay(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Fay", Role.FINANCE)


@pytest.fixture
def olga(workspace: Workspace) -> User:
    return factories.make_member(workspace, "Olga", Role.ADMIN)


@pytest.fixture
def stranger(db: None) -> User:
    other = factories.make_workspace("elsewhere")
    return factories.make_member(other, "Stranger", Role.ADMIN)


@pytest.fixture
def client_of() -> ClientOf:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
