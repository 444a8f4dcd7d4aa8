"""Environments: their names, their order and what holds on to them, also at the same moment."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import AuditEvent, User, Workspace
from apps.core.errors import DomainError
from apps.prompts import actions, composition, rules
from apps.prompts.actions.environments import InUse
from apps.prompts.actions.gate import NotReady
from apps.prompts.freezes import Dated
from apps.prompts.models import ChangeRequest, Draft, Environment, Version
from tests import factories
from tests.conftest import ClientOf
from tests.prompts.policies import WEEKEND, ask, deploying
from tests.prompts.test_races import at_once, crashes, slowly

FREEZE = Dated(datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC), "New year")
Environments = dict[str, Environment]


def test_a_new_environment_is_as_strict_as_the_last(
    workspace: Workspace, environments: Environments, olga: User
) -> None:
    made = actions.create_environment(workspace=workspace, name="canary", acting_user=olga)
    assert made.policy == environments["production"].policy
    assert made == workspace.environments.ranked().last()


@pytest.mark.parametrize("name", ["", "Prod", "a b", "latest", "dev", "x" * 37, "-x", "ünter", "a/b"])
def test_a_name_that_programs_could_not_write_is_refused(
    workspace: Workspace, environments: Environments, olga: User, name: str
) -> None:
    with pytest.raises(DomainError):
        actions.create_environment(workspace=workspace, name=name, acting_user=olga)


def test_environments_change_places(workspace: Workspace, environments: Environments, olga: User) -> None:
    assert actions.move_environment(environment=environments["staging"], up=False, acting_user=olga)
    assert [one.name for one in workspace.environments.ranked()] == ["staging", "dev", "production"]
    assert not actions.move_environment(environment=environments["production"], up=True, acting_user=olga)
    assert AuditEvent.objects.filter(verb="reordered").count() == 1


def test_what_nobody_knows_yet_is_renamed_and_deleted(environments: Environments, olga: User) -> None:
    made = actions.rename_environment(environment=environments["dev"], name="sandbox", acting_user=olga)
    actions.delete_environment(environment=made, acting_user=olga)
    assert not Environment.objects.filter(pk=made.pk).exists()


def test_everything_that_holds_on_is_named(
    workspace: Workspace, environments: Environments, version: Version, paula: User, olga: User
) -> None:
    place = environments["staging"]
    deploying(version, place, paula, None)()
    factories.make_api_key(workspace, "prompts:promote:staging", name="deployer")
    factories.make_member(workspace, "Sam", environments=["staging"])
    messages = [{"role": "user", "content": "@@@langfusePrompt:name=tone|label=staging@@@"}]
    factories.make_prompt(workspace, "tone", kind="text")
    composition.record(factories.make_version(factories.make_prompt(workspace, "parent"), paula, messages=messages))
    # The parts of a tag stand in any order.
    drafted = [{"role": "user", "content": "@@@langfusePrompt:label=staging|name=tone@@@"}]
    Draft.objects.create(prompt=factories.make_prompt(workspace, "drafted"), author=paula, messages=drafted)
    factories.make_api_key(workspace, "prompts:read:staging", name="reader")
    ask(place, approvals=1)
    newer = factories.make_version(version.prompt, paula, message="newer")
    actions.open_change_request(version=newer, environment=place, title="Newer", acting_user=paula)
    for act in (
        lambda: actions.delete_environment(environment=place, acting_user=olga),
        lambda: actions.rename_environment(environment=place, name="stage", acting_user=olga),
    ):
        with pytest.raises(InUse) as refused:
            act()
        said = " ".join(refused.value.details["uses"])
        for part in ("#1", "support/reply", "deployer", "reader", "Sam", "parent", "drafted"):
            assert part in said


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"approvals": 11}, "0 to 10"),
        ({"checks": ["spend"]}, "which amount"),
        ({"checks": ["no spaces"]}, "cannot be a check's name"),
        ({"members": [0]}, "not a member"),
        ({"teams": [0]}, "A team"),
        ({"weekly": [rules.Weekly(0, 0)]}, "differs"),
        ({"weekly": [rules.Weekly(0, 10079)]}, "nothing could ever"),
        ({"max_age_hours": 0}, "hours old"),
        ({"previous_hours": 9999}, "hours"),
    ],
)
def test_a_policy_that_nobody_could_meet_is_refused(
    environments: Environments, olga: User, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(DomainError, match=words):
        actions.update_policy(environment=environments["production"], acting_user=olga, **asked)


def test_a_policy_reads_as_a_sentence() -> None:
    asked = rules.Rules(approvals=2, checks=("tests", "people"), weekly=(WEEKEND,), previous_hours=24)
    assert rules.sentence(asked, "production", previous="staging") == (
        "Production needs 2 approvals, nobody approves their own, Tests and People must pass, the same text must have "
        "been live in staging for 24 hours, not between Friday 16:00 and Monday 08:00. What was live before may be put "
        "back at any time."
    )
    assert rules.of(rules.stored(asked)) == rules.of(rules.stored(rules.of(rules.stored(asked))))


FORM = {
    "approvals": 2,
    "checks": ["tests", "people", "spend"],
    "others": "legal",
    "spend_amount": "50",
    "previous": "on",
    "previous_hours": "24",
    "weekly-0-from_day": "4",
    "weekly-0-from_time": "16:00",
    "weekly-0-to_day": "0",
    "weekly-0-to_time": "08:00",
    "dated-0-start": "2026-12-24T12:00",
    "dated-0-end": "2027-01-02T08:00",
    "dated-0-reason": "Holidays",
}


def test_the_form_says_what_it_asks_for_and_saves_it(
    client_of: ClientOf, environments: Environments, olga: User
) -> None:
    client, where = client_of(olga), "/w/acme/prompts/environments/production/"
    said = client.post(f"{where}preview/", FORM).content.decode()
    assert "Production needs 2 approvals, nobody approves their own, Tests, People, Spend and legal must pass" in said
    assert "not between Friday 16:00 and Monday 08:00" in said
    assert "cannot come together" in said
    assert client.post(where, FORM).status_code == 302
    policy = Environment.objects.get(name="production").policy
    assert policy["weekly"] == [{"from": "fri 16:00", "to": "mon 08:00"}]
    assert policy["dated"][0]["from"] == "2026-12-24T12:00:00+00:00"
    assert policy["previous_hours"] == 24
    assert client.get(where).status_code == client.get("/w/acme/prompts/environments/").status_code == 200
    half = {**FORM, "weekly-0-to_time": ""}
    assert client.post(where, half).status_code == 422
    assert "both times" in client.post(f"{where}preview/", half).content.decode()


def test_the_pages_rename_move_and_delete(client_of: ClientOf, environments: Environments, olga: User, version: Version, paula: User) -> None:  # fmt: skip
    client, where = client_of(olga), "/w/acme/prompts/environments/"
    assert client.post(where, {"name": "canary"}).status_code == 302
    assert client.post(f"{where}canary/move/", {"to": "earlier"}).status_code == 302
    assert client.post(f"{where}canary/rename/", {"name": "probe"}).status_code == 302
    assert client.post(f"{where}probe/delete/").status_code == 302
    deploying(version, environments["dev"], paula, None)()
    assert "cannot be deleted now" in client.get(f"{where}dev/delete/").content.decode()
    assert client_of(paula).get(where).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_of_a_deletion_and_a_request_at_once_one_is_told(
    version: Version, environments: Environments, paula: User, olga: User
) -> None:
    place = environments["staging"]

    def delete() -> object:
        return actions.delete_environment(environment=place, acting_user=olga)

    def open_one() -> object:
        return actions.open_change_request(version=version, environment=place, title="New", acting_user=paula)

    outcomes = at_once(slowly(delete), open_one)
    assert crashes(outcomes) == []
    assert sum(isinstance(outcome, DomainError) for outcome in outcomes) == 1
    assert Environment.objects.filter(pk=place.pk).exists() == ChangeRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_policy_that_is_tightened_in_the_same_moment_counts(
    change_request: ChangeRequest, environments: Environments, ravi: User, paula: User, olga: User
) -> None:
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)

    def tighten() -> object:
        return actions.update_policy(environment=environments["production"], approvals=2, acting_user=olga)

    def promote() -> object:
        threading_pause()
        return actions.promote_change_request(change_request=change_request, actor=paula)

    outcomes = at_once(slowly(tighten), promote)
    assert isinstance(outcomes[1], NotReady)


def threading_pause() -> None:
    """Let the other one reach its lock first."""
    import time

    time.sleep(0.1)
    assert not transaction.get_connection().in_atomic_block


def test_nothing_is_asked_of_an_environment_that_does_not_come_before(
    environments: Environments, workspace: Workspace, olga: User
) -> None:
    dev, staging = environments["dev"], environments["staging"]
    actions.update_policy(environment=staging, previous_hours=24, acting_user=olga)
    with pytest.raises(DomainError, match="would be the first"):
        actions.move_environment(environment=staging, up=False, acting_user=olga)
    with pytest.raises(DomainError, match="would be the first"):
        actions.delete_environment(environment=dev, acting_user=olga)
    assert [place.name for place in workspace.environments.ranked()] == ["dev", "staging", "production"]


def test_a_label_and_an_environment_never_share_a_name(
    environments: Environments, version: Version, workspace: Workspace, paula: User, olga: User
) -> None:
    actions.move_label(version=version, name="canary", actor=paula)
    with pytest.raises(DomainError, match="label canary"):
        actions.create_environment(workspace=workspace, name="canary", acting_user=olga)


def test_a_place_is_not_guarded_while_what_is_live_there_follows_an_open_door(
    environments: Environments, workspace: Workspace, paula: User, olga: User
) -> None:
    place = environments["staging"]
    child = factories.make_version(
        factories.make_prompt(workspace, "tone", kind="text"),
        paula,
        messages=[{"role": "user", "content": "Be warm."}],
        variables=[],
    )
    messages = [{"role": "user", "content": "@@@langfusePrompt:name=tone|label=latest@@@"}]
    parent = factories.make_version(
        factories.make_prompt(workspace, "reply", kind="text"), paula, messages=messages, variables=[]
    )
    composition.record(parent)
    live = actions.deploy(version=parent, environment=place, actor=paula, replaces=None)
    with pytest.raises(DomainError, match="changes without what staging asks for"):
        actions.update_policy(environment=place, dated=[FREEZE], acting_user=olga)
    actions.take_down(prompt=parent.prompt, environment=place, replaces=live, actor=paula, reason="Pin it.")
    actions.update_policy(environment=place, dated=[FREEZE], acting_user=olga)
    with pytest.raises(DomainError, match="changes without what staging asks for"):
        actions.deploy(version=parent, environment=place, actor=paula, replaces=None)
    assert child.number == 1
