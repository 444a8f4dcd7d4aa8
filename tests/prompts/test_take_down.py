"""Ending what is live: programs are told, the history keeps it, one click brings it back."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Membership, User, Workspace
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.prompts import actions, boards, composition, history
from apps.prompts.actions.library import StillUsed
from apps.prompts.models import Deployment, Environment, Prompt, Version
from apps.prompts.references import BadReference
from apps.prompts.stays import Stays
from tests import factories

Environments = dict[str, Environment]


@pytest.fixture
def live(version: Version, environments: Environments, paula: User) -> Deployment:
    return actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)


def down(live: Deployment, actor: Any, reason: str = "No longer wanted.") -> Deployment:
    return actions.take_down(
        prompt=live.prompt, environment=live.environment, replaces=live, actor=actor, reason=reason
    )


def text_version(workspace: Workspace, author: User, name: str, text: str) -> Version:
    prompt = factories.make_prompt(workspace, name, kind="text")
    made = factories.make_version(prompt, author, messages=[{"role": "user", "content": text}], variables=[])
    composition.record(made)
    return made


def fetch(prompt: Prompt, secret: str) -> Any:
    headers = {"authorization": f"Bearer {secret}"}
    return Client().get(f"/api/v1/prompts/{prompt.name}", {"environment": "dev"}, headers=headers)


def test_nothing_is_live_afterwards(live: Deployment, paula: User, workspace: Workspace) -> None:
    made = down(live, paula)
    assert boards.live_of(live.prompt) == []
    assert [tip.pk for tip in boards.tips_of(live.prompt)] == [made.pk]
    now = timezone.now()
    assert history.as_of(workspace, now, [live.prompt]) == {}
    assert history.as_of(workspace, live.at, [live.prompt]) == {live.prompt_id: {live.environment_id: live}}
    [lane] = history.lanes_of_prompt(live.prompt, [live.environment], history.window("day", now))
    assert [segment.ended_at for segment in lane.segments] == [made.at]
    assert Stays([live.environment_id], [live.prompt_id]).of(live.version, live.environment, now) == made.at - live.at


def test_it_needs_the_right_and_a_reason(live: Deployment, paula: User, ana: User) -> None:
    with pytest.raises(NotAllowed):
        down(live, ana)
    with pytest.raises(DomainError, match="Say why"):
        down(live, paula, reason=" \n")
    assert boards.live_of(live.prompt) == [live]


def test_of_two_who_take_it_down_one_is_told(live: Deployment, paula: User) -> None:
    down(live, paula)
    with pytest.raises(Conflict, match="Nothing is live"):
        down(live, paula)


def test_what_others_take_in_stays(workspace: Workspace, environments: Environments, paula: User) -> None:
    child = text_version(workspace, paula, "tone", "Be warm.")
    here = actions.deploy(version=child, environment=environments["dev"], actor=paula, replaces=None)
    parent = text_version(workspace, paula, "reply", "@@@langfusePrompt:name=tone|label=dev@@@")
    outer = actions.deploy(version=parent, environment=environments["dev"], actor=paula, replaces=None)
    with pytest.raises(BadReference, match="reply v1"):
        down(here, paula)
    down(outer, paula)
    assert down(here, paula)


def test_one_click_puts_it_back_without_new_evidence(live: Deployment, paula: User) -> None:
    made = down(live, paula)
    to = boards.undo_target(made)
    assert to == live
    back = actions.roll_back(
        prompt=live.prompt, environment=live.environment, to=live, replaces=None, actor=paula, reason="Too early."
    )
    assert back.previous == made
    assert back.replaced is None
    assert boards.live_of(live.prompt) == [back]
    with pytest.raises(DomainError, match="not the state before"):
        actions.roll_back(
            prompt=live.prompt, environment=live.environment, to=made, replaces=back, actor=paula, reason="x"
        )


def test_a_version_goes_live_after_it_by_the_usual_way(live: Deployment, paula: User) -> None:
    made = down(live, paula)
    again = actions.deploy(version=live.version, environment=live.environment, actor=paula, replaces=None)
    assert again.previous == made
    assert again.salt == live.salt


def test_then_it_can_be_archived_and_nothing_archived_goes_live(live: Deployment, paula: User) -> None:
    with pytest.raises(StillUsed, match="Take it down"):
        actions.archive_prompt(prompt=live.prompt, acting_user=paula)
    down(live, paula)
    actions.archive_prompt(prompt=live.prompt, acting_user=paula)
    with pytest.raises(DomainError, match="archived"):
        actions.deploy(version=live.version, environment=live.environment, actor=paula, replaces=None)
    with pytest.raises(DomainError, match="archived"):
        actions.roll_back(
            prompt=live.prompt, environment=live.environment, to=live, replaces=None, actor=paula, reason="x"
        )


def test_programs_are_answered_404_at_once_and_can_do_it_themselves(
    live: Deployment, workspace: Workspace, paula: User
) -> None:
    scopes = ("prompts:read", "prompts:promote:dev")
    secret = factories.make_api_key(workspace, *scopes, created_by=paula)[1]
    prompt = live.prompt
    assert fetch(prompt, secret).status_code == 200
    body = {"environment": "dev", "reason": "Wrong answers."}
    headers = {"authorization": f"Bearer {secret}"}
    at = f"/api/v1/prompts/{prompt.name}"
    assert Client().post(f"{at}/take-down", body, "application/json", headers=headers).status_code == 204
    assert fetch(prompt, secret).status_code == 404
    assert Client().post(f"{at}/take-down", body, "application/json", headers=headers).status_code == 422
    assert Client().post(f"{at}/roll-back", body, "application/json", headers=headers).status_code == 201
    assert fetch(prompt, secret).status_code == 200


def test_the_page_takes_down_and_puts_back(live: Deployment, paula: User, client_of: Any) -> None:
    client, prompt = client_of(paula), live.prompt
    at = f"/w/{prompt.workspace.slug}/prompts/{prompt.pk}"
    answer = client.post(f"{at}/take-down/", {"replaces": live.pk, "reason": "Wrong."}, follow=True)
    assert b"Nothing is live" in answer.content
    assert b"Taken down" in answer.content
    tip = boards.tips_of(prompt)[0]
    assert client.post(f"{at}/take-down/", {"replaces": tip.pk, "reason": "Wrong."}).status_code == 409
    answer = client.post(f"{at}/roll-back/", {"replaces": tip.pk, "to": live.pk, "reason": "Right."}, follow=True)
    assert b"live again" in answer.content


def test_a_release_of_something_new_is_undone_by_taking_it_down(
    version: Version, environments: Environments, paula: User, ravi: User
) -> None:
    Membership.objects.filter(user=paula).update(environments=["*"])
    place = environments["production"]
    request = actions.open_change_request(version=version, environment=place, title="New", acting_user=paula)
    for check in place.required_checks:
        actions.report_check(change_request=request, name=check, status="passed", summary="ok")
    actions.review_change_request(change_request=request, decision="approve", comment="", acting_user=ravi)
    actions.promote_change_request(change_request=request, actor=paula)
    [made] = actions.undo_release(change_request=request, reason="Not yet.", acting_user=paula)
    assert made.is_take_down
    assert made.change_request == request
    assert boards.live_of(version.prompt) == []


def test_an_environment_that_was_live_in_once_is_not_deleted(live: Deployment, paula: User, olga: User) -> None:
    down(live, paula)
    with pytest.raises(DomainError, match="their history"):
        actions.delete_environment(environment=live.environment, acting_user=olga)
