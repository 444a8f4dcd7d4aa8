import pytest

from apps.accounts.models import User, Workspace
from apps.prompts import actions
from apps.prompts.models import ChangeRequest, Environment, Prompt, Version
from tests import factories
from tests.llm.conftest import connection, fresh, model, provider, set_provider  # noqa: F401  (fixtures)


@pytest.fixture
def environments(workspace: Workspace) -> dict[str, Environment]:
    return factories.make_environments(workspace)


@pytest.fixture
def prompt(workspace: Workspace, paula: User) -> Prompt:
    return factories.make_prompt(workspace, owner=paula)


@pytest.fixture
def version(prompt: Prompt, paula: User) -> Version:
    return factories.make_version(prompt, paula)


@pytest.fixture
def better(prompt: Prompt, paula: User, version: Version) -> Version:
    messages = [{"role": "system", "content": "Be brief and kind."}, version.messages[1]]
    return factories.make_version(prompt, paula, messages=messages, message="kinder")


@pytest.fixture
def change_request(version: Version, environments: dict[str, Environment], paula: User) -> ChangeRequest:
    return actions.open_change_request(
        version=version, environment=environments["production"], title="First", acting_user=paula
    )
