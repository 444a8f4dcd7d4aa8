"""Fetching by environment, version and label: what a body holds, what an ETag promises, what a refusal says."""

import json

import pytest
from django.test import Client

from apps.accounts.models import User, Workspace
from apps.prompts import actions, delivery
from apps.prompts.models import Deployment, DeploymentArm, Environment, Prompt, Version
from tests import factories

Environments = dict[str, Environment]


@pytest.fixture
def secret(workspace: Workspace) -> str:
    return factories.make_api_key(workspace, "prompts:read")[1]


@pytest.fixture
def live(version: Version, environments: Environments, paula: User) -> Deployment:
    return actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)


def get(secret: str, path: str, **headers: str):
    return Client().get(f"/api/v1/prompts{path}", headers={"Authorization": f"Bearer {secret}", **headers})


def post(secret: str, path: str, body: object, method: str = "post"):
    send = getattr(Client(), method)
    headers = {"Authorization": f"Bearer {secret}"}
    return send(f"/api/v1/prompts{path}", json.dumps(body), content_type="application/json", headers=headers)


REFUSALS = {
    "/nowhere?environment=dev": "unknown-prompt",
    "/support/reply?environment=moon": "unknown-environment",
    "/support/reply?environment=staging": "nothing-live",
    "/support/reply?version=9": "unknown-version",
    "/support/reply?label=stable": "unknown-label",
    "?environment=moon": "unknown-environment",
}


@pytest.mark.parametrize(("path", "title"), REFUSALS.items(), ids=REFUSALS.values())
def test_a_refusal_says_what_of_the_question_is_unknown(secret: str, live: Deployment, path: str, title: str) -> None:
    answer = get(secret, path)
    assert (answer.status_code, answer.json()["title"]) == (404, title)
    assert answer["Content-Type"].startswith("application/problem+json")


def test_of_an_archived_prompt_a_version_is_served_by_its_number_alone(
    secret: str, version: Version, environments: Environments, paula: User
) -> None:
    actions.move_label(version=version, name="stable", actor=paula)
    Prompt.objects.update(archived_at="2026-01-01T00:00Z")
    assert get(secret, "/support/reply?version=1").json()["version"] == 1
    for other in ("label=stable", "label=latest", "environment=dev"):
        assert get(secret, f"/support/reply?{other}").json()["title"] == "archived"


def test_a_stranger_learns_nothing_of_what_others_have(live: Deployment, environments: Environments) -> None:
    _, secret = factories.make_api_key(factories.make_workspace("elsewhere"), "prompts:read")
    mine, nobodys = get(secret, "/support/reply?version=1").json(), get(secret, "/nowhere?version=1").json()
    assert mine["detail"].replace("support/reply", "nowhere") == nobodys["detail"]


def test_a_name_with_folders_may_be_percent_encoded(secret: str, live: Deployment) -> None:
    assert get(secret, "/support%2Freply?environment=dev").json()["version"] == 1


def test_a_prompt_may_be_called_like_a_word_of_the_api(
    secret: str, workspace: Workspace, paula: User, environments: Environments
) -> None:
    version = factories.make_version(factories.make_prompt(workspace, "video/render"), paula)
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    assert get(secret, "/video/render?environment=dev").json()["name"] == "video/render"


def test_a_label_is_fetched_and_latest_is_the_newest(
    secret: str, version: Version, better: Version, paula: User
) -> None:
    actions.move_label(version=version, name="stable", actor=paula)
    found = [get(secret, f"/support/reply?label={label}").json()["version"] for label in ("stable", "latest")]
    assert found == [1, 2]


@pytest.fixture
def snippet(workspace: Workspace, paula: User) -> Version:
    prompt = factories.make_prompt(workspace, "shared/tone", kind="text")
    messages = [{"role": "user", "content": "Be kind to {{customer}}."}]
    return factories.make_version(prompt, paula, messages=messages, variables=factories.VARIABLES[:1])


@pytest.fixture
def parent(workspace: Workspace, paula: User, snippet: Version) -> Version:
    messages = [
        {"role": "system", "content": "@@@langfusePrompt:name=shared/tone|label=dev@@@"},
        {"type": "examples"},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{message}}"},
    ]
    history = {**factories.VARIABLES[1], "name": "history", "type": "messages", "required": False}
    return factories.make_version(
        factories.make_prompt(workspace, "support/composed"),
        paula,
        messages=messages,
        examples=[{"input": "Where?", "output": "Here, {{customer}}."}],
        variables=[*factories.VARIABLES, history],
    )


@pytest.fixture
def composed(parent: Version, snippet: Version, environments: Environments, paula: User) -> Deployment:
    for version in (snippet, parent):
        made = actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    return made


def test_references_and_examples_are_put_in_and_named(secret: str, composed: Deployment) -> None:
    body = get(secret, "/support/composed?environment=dev").json()
    assert body["messages"] == [
        {"role": "system", "content": "Be kind to {{customer}}."},
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "Here, {{customer}}."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{message}}"},
    ]
    assert body["references"] == [{"name": "shared/tone", "version": 1, "label": "dev"}]


def test_unresolved_a_prompt_comes_as_it_was_written(secret: str, composed: Deployment, parent: Version) -> None:
    body = get(secret, "/support/composed?environment=dev&resolve=false").json()
    assert (body["messages"], body["examples"]) == (parent.messages, parent.examples)
    assert (body["references"], body["resolved"]) == ([], False)


@pytest.mark.parametrize("path", ["/support/composed?environment=dev", "?environment=dev"])
def test_the_tag_of_a_parent_changes_when_its_child_moves(
    secret: str, composed: Deployment, snippet: Version, paula: User, path: str
) -> None:
    etag = get(secret, path)["ETag"]
    newer = factories.make_version(
        snippet.prompt, paula, messages=[{"role": "user", "content": "Hi {{customer}}"}], variables=snippet.variables
    )
    live = Deployment.objects.get(prompt=snippet.prompt)
    actions.deploy(version=newer, environment=composed.environment, actor=paula, replaces=live)
    again = get(secret, path, **{"If-None-Match": etag})
    assert again.status_code == 200
    assert "Hi {{customer}}" in again.content.decode()


def test_values_are_filled_in_with_what_a_prompt_takes_in(secret: str, composed: Deployment) -> None:
    values = {"customer": "Ines", "message": "Hm?", "history": [{"role": "user", "content": "{{not}} filled"}]}
    answer = post(secret, "/support/composed/render?environment=dev", {"values": values})
    assert [message["content"] for message in answer.json()["messages"]] == [
        "Be kind to Ines.",
        "Where?",
        "Here, Ines.",
        "{{not}} filled",
        "Hm?",
    ]


def test_values_that_do_not_fit_are_each_named(secret: str, live: Deployment) -> None:
    answer = post(secret, "/support/reply/render?environment=dev", {"values": {"customer": 3, "extra": "x"}})
    assert answer.status_code == 422
    assert answer.json()["problems"].keys() == {"customer", "extra", "message"}


@pytest.mark.parametrize("body", [[], {"values": "x"}, "x"])
def test_a_body_of_another_shape_is_refused_in_words(secret: str, live: Deployment, body: object) -> None:
    assert post(secret, "/support/reply/render?environment=dev", body).status_code == 422


@pytest.fixture
def split(live: Deployment, better: Version, version: Version, paula: User) -> Deployment:
    """Version 1 at 70 and version 2 at 30 percent."""
    made = Deployment.objects.create(
        prompt=live.prompt, environment=live.environment, previous=live, actor=paula, salt="ab12"
    )
    for which, weight in ((version, 70), (better, 30)):
        DeploymentArm.objects.create(deployment=made, version=which, weight=weight)
    return made


def test_of_several_versions_the_heaviest_comes_with_the_weights_of_all(secret: str, split: Deployment) -> None:
    body = get(secret, "/support/reply?environment=dev").json()
    assert (body["version"], body["salt"]) == (1, "ab12")
    assert body["arms"] == [{"version": 1, "weight": 70}, {"version": 2, "weight": 30}]


def test_a_key_gets_the_same_version_every_time_and_all_get_their_share(secret: str, split: Deployment) -> None:
    once, twice = (
        [get(secret, f"/support/reply?environment=dev&key=user-{n}").json()["version"] for n in range(12)]
        for _ in range(2)
    )
    assert once == twice
    shares = [delivery.bucket([70, 30], "ab12", f"user-{n}") for n in range(4_000)]
    assert 0.27 < sum(shares) / len(shares) < 0.33


def test_a_key_that_may_see_one_environment_sees_nothing_else(
    workspace: Workspace, live: Deployment, version: Version, environments: Environments
) -> None:
    _, narrow = factories.make_api_key(workspace, "prompts:read:dev")
    assert get(narrow, "/support/reply?environment=dev").status_code == 200
    assert get(narrow, "?environment=dev").status_code == 200
    for path in ("/support/reply", "/support/reply?version=1", "/support/reply?label=latest", "?environment=staging"):
        assert get(narrow, path).status_code == 403, path


def test_a_text_prompt_has_its_text_apart(secret: str, composed: Deployment) -> None:
    assert get(secret, "/shared/tone?environment=dev").json()["text"] == "Be kind to {{customer}}."


def test_what_cannot_be_put_together_does_not_hold_up_the_others(
    secret: str, composed: Deployment, live: Deployment, snippet: Version
) -> None:
    Prompt.objects.filter(pk=snippet.prompt_id).update(name="shared/renamed")
    body = get(secret, "?environment=dev").json()
    assert [one["name"] for one in body["prompts"]] == ["shared/renamed", "support/reply"]
    assert [one["name"] for one in body["broken"]] == ["support/composed"]
    assert get(secret, "/support/composed?environment=dev").status_code == 422


def test_a_whole_environment_takes_as_many_queries_as_one_prompt(
    secret: str, composed: Deployment, live: Deployment, django_assert_max_num_queries: object
) -> None:
    get(secret, "?environment=dev")
    with django_assert_max_num_queries(8):
        get(secret, "?environment=dev")
