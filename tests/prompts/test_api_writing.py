"""Writing by key: the same actions, the same refusals, and the key in the books."""

import json

import pytest
from django.test import Client

from apps.accounts.models import ApiKey, AuditEvent, User, Workspace
from apps.core.errors import NotAllowed
from apps.prompts import actions
from apps.prompts.models import ChangeRequest, Deployment, Draft, Environment, Label, Prompt, Version
from apps.prompts.roster import Roster
from tests import factories

Environments = dict[str, Environment]
BODY = {"messages": [{"role": "user", "content": "Hello {{name}}"}], "message": "first", "model": "practice-small"}


def key(workspace: Workspace, *scopes: str, **fields: object) -> tuple[ApiKey, str]:
    return factories.make_api_key(workspace, *scopes, **fields)


def call(secret: str, method: str, path: str, body: object = None):
    send = getattr(Client(), method)
    headers = {"Authorization": f"Bearer {secret}"}
    return send(f"/api/v1/prompts{path}", json.dumps(body), content_type="application/json", headers=headers)


@pytest.fixture
def writer(workspace: Workspace, paula: User) -> str:
    return key(workspace, "prompts:draft", created_by=paula, name="sync")[1]


def test_a_prompt_and_its_first_version_are_made(writer: str, workspace: Workspace, paula: User) -> None:
    made = call(writer, "post", "", {"name": "shop/hello", "tags": ["shop"]})
    saved = call(writer, "post", "/shop/hello/versions", BODY)
    assert (made.status_code, saved.status_code) == (201, 201)
    version = Version.objects.get(prompt__name="shop/hello")
    assert ([v["name"] for v in version.variables], version.author, version.author_key.name) == (
        ["name"],
        paula,
        "sync",
    )
    assert version.prompt.owner == paula


def test_the_books_name_the_key(writer: str, workspace: Workspace) -> None:
    call(writer, "post", "", {"name": "shop/hello"})
    call(writer, "post", "/shop/hello/versions", BODY)
    assert set(AuditEvent.objects.values_list("verb", "actor_name")) == {
        ("created", "API key sync"),
        ("saved version", "API key sync"),
    }


def test_what_equals_the_newest_version_is_no_new_one(writer: str, version: Version) -> None:
    body = {"messages": version.messages, "variables": version.variables, "model": "practice-small", "message": "again"}
    call(writer, "post", "/support/reply/versions", body)
    again = call(writer, "post", "/support/reply/versions", body)
    assert (again.status_code, again.json()["title"]) == (422, "nothing-changed")


BAD = {
    "no text": {"message": "x"},
    "unknown role": {**BODY, "messages": [{"role": "tool", "content": "x"}]},
    "broken template": {**BODY, "messages": [{"role": "user", "content": "{{a b}}"}]},
    "null byte": {**BODY, "messages": [{"role": "user", "content": "a\x00b"}]},
    "unknown format": {**BODY, "format": "erb"},
    "unknown parameter": {**BODY, "parameters": {"heat": 3}},
    "bad tool": {**BODY, "tools": [{"type": "function"}]},
    "reference to nothing": {
        **BODY,
        "messages": [{"role": "user", "content": "@@@langfusePrompt:name=x|version=1@@@"}],
    },
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_could_not_be_filled_is_refused_in_words(writer: str, prompt: Prompt, body: dict[str, object]) -> None:
    answer = call(writer, "post", "/support/reply/versions", body)
    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"]
    assert not Version.objects.exists()


def test_a_missing_message_is_refused(writer: str, prompt: Prompt) -> None:
    assert call(writer, "post", "/support/reply/versions", {"text": "x"}).status_code == 400


def test_a_draft_of_a_key_is_its_own(writer: str, version: Version, paula: User) -> None:
    actions.open_draft(prompt=version.prompt, acting_user=paula)
    revisions = [call(writer, "put", "/support/reply/draft", BODY).json()["revision"] for _ in range(2)]
    assert revisions == [1, 2]
    assert sorted(draft.by for draft in Draft.objects.all()) == ["API key sync", "Paula"]


def test_a_draft_of_a_key_is_shown_to_people(writer: str, version: Version, paula: User, client_of) -> None:
    call(writer, "put", "/support/reply/draft", BODY)
    page = client_of(paula).get(f"/w/acme/prompts/{version.prompt_id}/draft/")
    assert "API key sync has a draft" in page.content.decode()


def test_a_label_is_moved_and_taken_away(writer: str, version: Version, better: Version) -> None:
    for number in (1, 2):
        assert call(writer, "put", "/support/reply/labels", {"label": "stable", "version": number}).status_code == 200
    assert Label.objects.get().version == better
    assert call(writer, "delete", "/support/reply/labels?label=stable").status_code == 204
    assert not Label.objects.exists()


@pytest.mark.parametrize("name", ["production", "staging", "latest", "Stable", "a b", "x" * 37, ""])
def test_some_names_are_no_labels(writer: str, version: Version, environments: Environments, name: str) -> None:
    answer = call(writer, "put", "/support/reply/labels", {"label": name, "version": 1})
    assert answer.status_code in (400, 422)
    assert not Label.objects.exists()


def test_a_change_request_is_opened_for_who_made_the_key(
    workspace: Workspace, version: Version, environments: Environments, paula: User
) -> None:
    _, secret = key(workspace, "prompts:propose", created_by=paula, name="sync")
    body = {"version": 1, "environment": "production", "title": "First"}
    answer = call(secret, "post", "/support/reply/change-requests", body)
    request = ChangeRequest.objects.get()
    assert (answer.status_code, request.author, request.author_key.name) == (201, paula, "sync")
    assert answer.json()["url"].endswith(f"/w/acme/prompts/requests/{request.number}/")


def test_nobody_approves_what_their_own_key_asked_for(
    workspace: Workspace, environments: Environments, olga: User, prompt: Prompt, ravi: User
) -> None:
    _, secret = key(workspace, "prompts:propose", "prompts:draft", created_by=ravi)
    call(secret, "post", "/support/reply/versions", BODY)
    call(secret, "post", "/support/reply/change-requests", {"version": 1, "environment": "production", "title": "Mine"})
    with pytest.raises(NotAllowed):
        actions.review_change_request(change_request=ChangeRequest.objects.get(), decision="approve", acting_user=ravi)


def test_a_key_whose_maker_is_gone_asks_for_nothing(
    workspace: Workspace, version: Version, environments: Environments
) -> None:
    _, secret = key(workspace, "prompts:propose")
    body = {"version": 1, "environment": "production", "title": "First"}
    assert call(secret, "post", "/support/reply/change-requests", body).status_code == 403


def deployment(environment: str, **more: object) -> dict[str, object]:
    return {"version": 1, "environment": environment, **more}


def test_a_key_puts_live_where_it_may(workspace: Workspace, version: Version, environments: Environments) -> None:
    mine, secret = key(workspace, "prompts:promote:staging")
    assert call(secret, "post", "/support/reply/deployments", deployment("staging")).status_code == 201
    assert Deployment.objects.get().actor_key == mine
    assert call(secret, "post", "/support/reply/deployments", deployment("dev")).status_code == 403


def test_no_key_goes_round_the_policy_of_production(
    workspace: Workspace, version: Version, environments: Environments
) -> None:
    for scopes in (["admin"], ["prompts:promote:production", "prompts:draft"]):
        _, secret = key(workspace, *scopes)
        answer = call(secret, "post", "/support/reply/deployments", deployment("production"))
        assert (answer.status_code, answer.json()["title"]) == (403, "needs-change-request")
    assert not Deployment.objects.exists()


def test_a_program_that_saw_something_else_live_is_told(
    workspace: Workspace, version: Version, better: Version, environments: Environments
) -> None:
    _, secret = key(workspace, "prompts:promote:dev")
    call(secret, "post", "/support/reply/deployments", deployment("dev", replaces=None))
    answer = call(secret, "post", "/support/reply/deployments", {**deployment("dev", replaces=None), "version": 2})
    assert answer.status_code == 409


def test_a_key_goes_back_one_step_with_a_reason(
    workspace: Workspace, version: Version, better: Version, environments: Environments
) -> None:
    _, secret = key(workspace, "prompts:promote:dev")
    for number in (1, 2):
        call(secret, "post", "/support/reply/deployments", {**deployment("dev"), "version": number})
    answer = call(secret, "post", "/support/reply/roll-back", {"environment": "dev", "reason": "It was rude."})
    assert (answer.status_code, answer.json()["version"]) == (201, 1)


WRITES = [
    ("post", "", "prompts:draft"),
    ("post", "/support/reply/versions", "prompts:draft"),
    ("put", "/support/reply/draft", "prompts:draft"),
    ("put", "/support/reply/labels", "prompts:draft"),
    ("delete", "/support/reply/labels", "prompts:draft"),
    ("post", "/support/reply/change-requests", "prompts:propose"),
    ("post", "/support/reply/deployments", "prompts:promote:dev"),
    ("post", "/support/reply/roll-back", "prompts:promote:dev"),
]


@pytest.mark.parametrize(("method", "path", "wanted"), WRITES)
def test_each_write_takes_its_own_scope(
    workspace: Workspace, version: Version, environments: Environments, method: str, path: str, wanted: str
) -> None:
    for scope in {write[2] for write in WRITES} | {"prompts:read", "prompts:read:dev"}:
        _, secret = key(workspace, scope)
        status = call(secret, method, path, {}).status_code
        assert (status == 403) == (scope != wanted), (scope, status)
    assert call("sk-gly-none", method, path, {}).status_code == 401


def test_nothing_of_another_workspace_is_written(version: Version, environments: Environments) -> None:
    other = factories.make_workspace("elsewhere")
    _, secret = key(other, "prompts:draft", "prompts:propose", "prompts:promote:dev")
    for method, path, _ in WRITES[1:]:
        body = {**BODY, "label": "x", "version": 1, "environment": "dev", "title": "t", "reason": "r"}
        answer = call(secret, method, f"{path}?label=x", body)
        assert (answer.status_code, answer.json()["title"]) == (404, "unknown-prompt")
    assert Roster(other.pk).reviewers == set()


def test_a_name_that_ends_like_the_address_of_a_version_is_fetched_by_langfuse_too(
    workspace: Workspace, environments: Environments, paula: User
) -> None:
    version = factories.make_version(factories.make_prompt(workspace, "x/versions/3"), paula)
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    headers = {"Authorization": f"Bearer {key(workspace, 'prompts:read')[1]}"}
    address = "/api/public/v2/prompts/x/versions/3"
    answer = Client().get(address, {"label": "dev"}, headers=headers)
    assert (answer.status_code, answer.json()["name"], answer.json()["version"]) == (200, "x/versions/3", 1)
    assert Client().patch(address, {"newLabels": ["a"]}, "application/json", headers=headers).status_code == 403
