import threading

import pytest
from django.db import connection

from apps.accounts.models import Membership, User
from apps.accounts.rights import Role
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.prompts import actions
from apps.prompts.actions.deployments import NeedsChangeRequest
from apps.prompts.models import Deployment, Environment, Version
from tests import factories

Environments = dict[str, Environment]


def test_an_open_environment_takes_a_version_at_once(version: Version, environments: Environments, paula: User) -> None:
    made = actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    assert made.version == version


def test_a_guarded_environment_wants_a_change_request(version: Version, environments: Environments, olga: User) -> None:
    with pytest.raises(NeedsChangeRequest):
        actions.deploy(version=version, environment=environments["production"], actor=olga, replaces=None)


def test_the_right_is_held_per_environment(version: Version, environments: Environments, paula: User) -> None:
    Membership.objects.filter(user=paula).update(environments=["dev"])
    assert actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    with pytest.raises(NotAllowed):
        actions.deploy(version=version, environment=environments["staging"], actor=paula, replaces=None)


@pytest.mark.parametrize("role", [Role.EDITOR, Role.REVIEWER, Role.ANNOTATOR, Role.FINANCE, Role.VIEWER])
def test_no_other_role_changes_what_is_live(version: Version, environments: Environments, role: Role) -> None:
    person = factories.make_member(version.prompt.workspace, "Other", role, environments=["*"])
    with pytest.raises(NotAllowed):
        actions.deploy(version=version, environment=environments["dev"], actor=person, replaces=None)


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["prompts:promote:dev"], True),
        (["prompts:promote:staging"], False),
        (["prompts:read"], False),
        (["admin"], True),
    ],
)
def test_a_key_needs_the_scope_of_that_environment(
    version: Version, environments: Environments, scopes: list[str], allowed: bool
) -> None:
    key, _ = factories.make_api_key(version.prompt.workspace, *scopes)
    if allowed:
        assert actions.deploy(version=version, environment=environments["dev"], actor=key, replaces=None)
    else:
        with pytest.raises(NotAllowed):
            actions.deploy(version=version, environment=environments["dev"], actor=key, replaces=None)


def test_a_key_of_another_workspace_may_nothing(version: Version, environments: Environments) -> None:
    key, _ = factories.make_api_key(factories.make_workspace("other"), "admin")
    with pytest.raises(NotAllowed):
        actions.deploy(version=version, environment=environments["dev"], actor=key, replaces=None)


def test_what_the_page_did_not_show_is_not_replaced(
    version: Version, better: Version, environments: Environments, paula: User, olga: User
) -> None:
    first = actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    actions.deploy(version=better, environment=environments["dev"], actor=olga, replaces=first)
    third = factories.make_version(version.prompt, paula, message="third", format="jinja")
    with pytest.raises(Conflict, match="Olga put version 2 live"):
        actions.deploy(version=third, environment=environments["dev"], actor=paula, replaces=first)


def test_rolling_back_puts_back_what_was_live_and_keeps_the_history(
    version: Version, better: Version, environments: Environments, paula: User
) -> None:
    dev = environments["dev"]
    first = actions.deploy(version=version, environment=dev, actor=paula, replaces=None)
    second = actions.deploy(version=better, environment=dev, actor=paula, replaces=first)
    undone = actions.roll_back(
        prompt=version.prompt, environment=dev, to=first, replaces=second, actor=paula, reason="Too curt."
    )
    assert undone.version == version
    assert Deployment.objects.count() == 3


def test_rolling_back_needs_a_reason(
    version: Version, better: Version, environments: Environments, paula: User
) -> None:
    dev = environments["dev"]
    first = actions.deploy(version=version, environment=dev, actor=paula, replaces=None)
    second = actions.deploy(version=better, environment=dev, actor=paula, replaces=first)
    with pytest.raises(DomainError, match="Say why"):
        actions.roll_back(prompt=version.prompt, environment=dev, to=first, replaces=second, actor=paula, reason=" ")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("people", [2, 8])
def test_of_people_who_promote_at_once_one_wins_and_the_others_are_told(
    version: Version, better: Version, environments: Environments, paula: User, olga: User, people: int
) -> None:
    first = actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    others = [
        factories.make_version(version.prompt, paula, message=str(n), model_config={"model": str(n), "parameters": {}})
        for n in range(people)
    ]
    outcomes: list[object] = []
    start = threading.Barrier(people)

    def promote(wanted: Version) -> None:
        start.wait()
        try:
            outcomes.append(actions.deploy(version=wanted, environment=environments["dev"], actor=olga, replaces=first))
        except Conflict as error:
            outcomes.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=promote, args=(wanted,)) for wanted in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if isinstance(outcome, Deployment)]
    assert len(winners) == 1
    losers = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(losers) == people - 1
    assert all(f"Olga put version {winners[0].version.number} live" in loser.message for loser in losers)
