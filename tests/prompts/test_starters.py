"""What a new prompt may begin with."""

import pytest

from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.prompts import actions, contents, lint, rendering, starters, variables
from apps.prompts.models import Draft
from apps.prompts.starters import Starter


@pytest.mark.parametrize("starter", starters.STARTERS, ids=lambda starter: starter.name)
def test_every_starter_can_be_saved_and_filled_at_once(workspace: Workspace, paula: User, starter: Starter) -> None:
    prompt = actions.create_prompt(workspace=workspace, name="new-one", starter=starter.name, acting_user=paula)
    draft = Draft.objects.select_related("prompt").get(prompt=prompt, author=paula)
    assert (prompt.kind, draft.examples) == (starter.kind, starter.examples)
    version = actions.save_version(draft=draft, message="begun", acting_user=paula)
    filled = rendering.messages_of(version, variables.example_values(version.variables))
    assert all(message["content"] for message in filled)


@pytest.mark.parametrize(
    "starter", [starters.ROLE, starters.FEW_SHOT, starters.STEPS], ids=lambda starter: starter.name
)
def test_a_starter_with_words_in_it_gives_no_reason_for_a_remark(starter: Starter) -> None:
    draft = Draft(**starter.content())
    assert lint.findings(draft, draft.variables) == []


def test_a_starter_is_never_changed_by_who_uses_it() -> None:
    starters.ROLE.content()["messages"].clear()
    assert starters.ROLE.messages


def test_an_unknown_starter_is_refused(workspace: Workspace, paula: User) -> None:
    with pytest.raises(DomainError, match="no starter called nothing"):
        actions.create_prompt(workspace=workspace, name="new-one", starter="nothing", acting_user=paula)


def test_examples_without_a_place_are_not_saved_as_a_version(workspace: Workspace, paula: User) -> None:
    prompt = actions.create_prompt(workspace=workspace, name="new-one", starter="few-shot", acting_user=paula)
    draft = Draft.objects.select_related("prompt").get(prompt=prompt)
    draft.messages = [item for item in draft.messages if item.get("type") != "examples"]
    with pytest.raises(DomainError, match="stand nowhere"):
        contents.finished(draft)
