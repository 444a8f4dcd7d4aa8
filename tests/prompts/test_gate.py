"""Every blocker by every way to the door: a page, a person's call, a key, with a request and without."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from apps.accounts.models import ApiKey, User, Workspace
from apps.core.errors import DomainError, NotAllowed
from apps.prompts import actions
from apps.prompts.actions.gate import Frozen, NeedsChangeRequest, NotLiveBefore, NotReady
from apps.prompts.freezes import Dated
from apps.prompts.models import ChangeRequest, Deployment, Environment, Version
from tests import factories
from tests.conftest import ClientOf
from tests.prompts.policies import LISBON, SATURDAY, WEDNESDAY, WEEKEND, ask, deploying

Environments = dict[str, Environment]
BLOCKERS: list[tuple[dict[str, Any], datetime, type[DomainError]]] = [
    ({"weekly": [WEEKEND]}, SATURDAY, Frozen),
    ({"dated": [Dated(WEDNESDAY, WEDNESDAY + timedelta(days=1), "Moving")]}, WEDNESDAY, Frozen),
    ({"previous_hours": 0}, WEDNESDAY, NotLiveBefore),
    ({"members": [0]}, WEDNESDAY, NotAllowed),
]
REQUEST_BLOCKERS: list[dict[str, Any]] = [{"approvals": 2}, {"checks": ["legal"]}]


@pytest.fixture
def key(workspace: Workspace) -> ApiKey:
    return factories.make_api_key(workspace, "prompts:promote:production", "prompts:promote:staging")[0]


@pytest.fixture
def approved(change_request: ChangeRequest, ravi: User) -> ChangeRequest:
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    return change_request


@pytest.mark.parametrize(("rules", "at", "refusal"), BLOCKERS)
@pytest.mark.parametrize("way", ["person", "key", "request", "person with request", "key with request"])
def test_no_way_leads_round_a_blocker(
    way: str,
    rules: dict[str, Any],
    at: datetime,
    refusal: type[DomainError],
    approved: ChangeRequest,
    version: Version,
    environments: Environments,
    paula: User,
    key: ApiKey,
    time_machine: TimeMachineFixture,
) -> None:
    time_machine.move_to(at)
    open_door = {} if "request" in way else {"approvals": 0}
    place = ask(environments["production"], **rules, **open_door)
    actor = key if way.startswith("key") else paula
    if way == "request":
        with pytest.raises(refusal):
            actions.promote_change_request(change_request=approved, actor=paula)
    else:
        with pytest.raises(refusal):
            deploying(version, place, actor, approved if "request" in way else None)()
    assert not Deployment.objects.exists()


@pytest.mark.parametrize("rules", REQUEST_BLOCKERS)
def test_a_request_at_hand_is_no_pass_for_what_it_lacks(
    rules: dict[str, Any],
    approved: ChangeRequest,
    version: Version,
    environments: Environments,
    paula: User,
    key: ApiKey,
) -> None:
    place = ask(environments["production"], **rules)
    for actor in (paula, key):
        with pytest.raises(NotReady):
            deploying(version, place, actor, approved)()
        with pytest.raises(NeedsChangeRequest):
            deploying(version, place, actor, None)()


def test_a_request_for_something_else_is_no_pass(
    approved: ChangeRequest, version: Version, better: Version, environments: Environments, paula: User
) -> None:
    with pytest.raises(DomainError, match="something else"):
        deploying(better, environments["production"], paula, approved)()


def test_the_page_refuses_too_and_says_until_when(
    client_of: ClientOf, workspace: Workspace, version: Version, environments: Environments, paula: User,
    time_machine: TimeMachineFixture,
) -> None:  # fmt: skip
    ask(environments["staging"], weekly=[WEEKEND])
    time_machine.move_to(SATURDAY)
    url = f"/w/{workspace.slug}/prompts/{version.prompt_id}/versions/{version.number}/deploy/"
    answer = client_of(paula).post(url, {"environment": "staging"}, follow=True)
    assert "until Monday 08:00, 7 December" in answer.content.decode()
    assert not Deployment.objects.exists()


def test_a_freeze_that_begins_between_page_and_click_counts(
    approved: ChangeRequest, environments: Environments, paula: User, time_machine: TimeMachineFixture
) -> None:
    ask(environments["production"], weekly=[WEEKEND])
    friday = datetime(2026, 12, 4, 16, tzinfo=LISBON)
    time_machine.move_to(friday - timedelta(seconds=1), tick=False)
    assert actions_standing(approved).holds == []
    time_machine.move_to(friday, tick=False)
    with pytest.raises(Frozen, match="until Monday 08:00, 7 December"):
        actions.promote_change_request(change_request=approved, actor=paula)


def actions_standing(request: ChangeRequest) -> Any:
    from apps.prompts import boards

    return boards.standing_of(boards.loaded(ChangeRequest.objects.all()).get(pk=request.pk))


def test_undoing_is_allowed_in_a_freeze(
    version: Version, better: Version, environments: Environments, paula: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(WEDNESDAY)
    place = environments["staging"]
    first, second = (deploying(one, place, paula, None)() for one in (version, better))
    ask(place, weekly=[WEEKEND])
    time_machine.move_to(SATURDAY)
    assert isinstance(first, Deployment)
    assert isinstance(second, Deployment)
    made = actions.roll_back(
        prompt=version.prompt, environment=place, to=first, replaces=second, actor=paula, reason="It rambles"
    )
    assert made.version == version


def test_the_same_text_must_have_been_live_before_for_long_enough(
    version: Version, environments: Environments, paula: User, time_machine: TimeMachineFixture
) -> None:
    place = ask(environments["production"], approvals=0, previous_hours=24)
    time_machine.move_to(WEDNESDAY, tick=False)
    deploying(version, environments["staging"], paula, None)()
    time_machine.move_to(WEDNESDAY + timedelta(hours=23), tick=False)
    with pytest.raises(NotLiveBefore, match="60 more minutes"):
        deploying(version, place, paula, None)()
    time_machine.move_to(WEDNESDAY + timedelta(hours=24), tick=False)
    assert deploying(version, place, paula, None)()


def test_another_text_in_the_environment_before_does_not_count(
    version: Version, better: Version, environments: Environments, paula: User
) -> None:
    place = ask(environments["production"], approvals=0, previous_hours=0)
    deploying(version, environments["staging"], paula, None)()
    with pytest.raises(NotLiveBefore, match="has not been live in staging with this text"):
        deploying(better, place, paula, None)()


def test_a_team_that_is_named_promotes_with_its_keys(
    workspace: Workspace, version: Version, environments: Environments, key: ApiKey
) -> None:
    team = factories.make_team(workspace)
    place = ask(environments["staging"], teams=[team.pk])
    with pytest.raises(NotAllowed, match="names who may"):
        deploying(version, place, key, None)()
    theirs, _ = factories.make_api_key(workspace, "prompts:promote:staging", team=team)
    assert deploying(version, place, theirs, None)()


@pytest.mark.parametrize(
    ("evidence", "hours", "words"),
    [({"n": 0}, 0, "zero cases"), ({"n": 5}, 73, "older than 3 days"), ({}, 72, ""), ({"n": 5}, 0, "")],
)
def test_evidence_must_be_about_something_and_not_too_old(
    evidence: dict[str, int], hours: int, words: str, approved: ChangeRequest, environments: Environments, paula: User,
    time_machine: TimeMachineFixture,
) -> None:  # fmt: skip
    ask(environments["production"], checks=["legal"], max_age_hours=72)
    time_machine.move_to(WEDNESDAY, tick=False)
    actions.report_check(change_request=approved, name="legal", status="passed", summary="Fine", evidence=evidence)
    time_machine.move_to(WEDNESDAY + timedelta(hours=hours), tick=False)
    if words:
        with pytest.raises(NotReady, match=words):
            actions.promote_change_request(change_request=approved, actor=paula)
    else:
        assert actions.promote_change_request(change_request=approved, actor=paula)
