"""The page that says which key runs which version, and the snippets that get programs there."""

import ast
import subprocess
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import ApiKey, User, Workspace
from apps.prompts import actions, running, snippets, whereabouts
from apps.prompts.models import Deployment, Environment, Fetch, Label, Prompt, Version
from tests import factories

Environments = dict[str, Environment]


@pytest.fixture
def live(version: Version, environments: Environments, paula: User) -> Deployment:
    return actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)


@pytest.fixture
def newer(live: Deployment, better: Version, paula: User) -> Deployment:
    return actions.deploy(version=better, environment=live.environment, actor=paula, replaces=live)


def fetched(key: ApiKey, version: Version, deployment: Deployment | None, *, ago: float, **fields: object) -> Fetch:
    at = timezone.now() - timedelta(seconds=ago)
    place = deployment.environment.name if deployment else ""
    fields = {"place": place, "first_at": at, "last_at": at, "count": 1, **fields}
    return Fetch.objects.create(key=key, prompt=version.prompt, version=version, deployment=deployment, **fields)


def key(workspace: Workspace, name: str) -> ApiKey:
    return factories.make_api_key(workspace, "prompts:read", name=name)[0]


def dev(prompt: Prompt) -> whereabouts.Whereabouts:
    (place,) = whereabouts.of(prompt, timezone.now())[0]
    return place


def test_nobody_who_fetches_is_said_so(live: Deployment, prompt: Prompt) -> None:
    assert dev(prompt).sentence == "No key has fetched it from dev in the last 7 days."


def test_who_has_not_asked_since_a_promotion_is_behind(
    workspace: Workspace, version: Version, better: Version, live: Deployment, newer: Deployment, prompt: Prompt
) -> None:
    checkout, worker = key(workspace, "checkout"), key(workspace, "worker")
    fetched(checkout, version, live, ago=60)
    fetched(checkout, better, newer, ago=-1)
    fetched(worker, version, live, ago=30)
    place = dev(prompt)
    assert [caller.fetch.key.name for caller in place.behind] == ["worker"]
    assert place.sentence == "1 of 2 keys has version 2. worker has not asked since it went live."


def test_when_all_have_it_the_page_says_after_how_long(
    workspace: Workspace, version: Version, better: Version, live: Deployment, newer: Deployment, prompt: Prompt
) -> None:
    for name, after in (("checkout", 3), ("worker", 41)):
        one = key(workspace, name)
        fetched(one, version, live, ago=60)
        at = newer.at + timedelta(seconds=after)
        fetched(one, better, newer, ago=0, first_at=at, last_at=at)
    assert dev(prompt).sentence.startswith("All 2 keys have version 2; the last had it 41")


def test_going_back_to_an_old_version_is_a_move_of_its_own(
    workspace: Workspace, version: Version, live: Deployment, newer: Deployment, paula: User, prompt: Prompt
) -> None:
    fetched(key(workspace, "checkout"), version, live, ago=60)
    actions.roll_back(prompt=prompt, environment=live.environment, to=live, replaces=newer, actor=paula, reason="Rude.")
    assert len(dev(prompt).behind) == 1


def test_who_pins_an_old_version_is_shown(
    workspace: Workspace, version: Version, newer: Deployment, prompt: Prompt
) -> None:
    fetched(key(workspace, "pinned"), version, None, ago=5)
    (one,) = whereabouts.of(prompt, timezone.now())[1]
    assert (one.fetch.key.name, one.is_behind) == ("pinned", True)


def test_a_fetch_is_counted_with_its_place_and_its_deployment(workspace: Workspace, live: Deployment, client) -> None:
    running.forget()
    _, secret = factories.make_api_key(workspace, "prompts:read", name="checkout")
    headers = {"Authorization": f"Bearer {secret}"}
    for query in ("environment=dev", "environment=dev", "version=1", "label=latest"):
        client.get(f"/api/v1/prompts/support/reply?{query}", headers=headers)
    client.get("/api/v1/prompts?environment=dev", headers=headers)
    client.get("/api/public/v2/prompts/support%2Freply?label=dev", headers=headers)
    running.write_down()
    found = sorted(Fetch.objects.values_list("place", "deployment", "count"), key=str)
    assert found == [("", None, 1), ("dev", live.pk, 4), ("latest", None, 1)]


def test_the_page_takes_few_queries(
    workspace: Workspace, version: Version, live: Deployment, paula: User, client_of, django_assert_max_num_queries
) -> None:
    for number in range(30):
        fetched(key(workspace, f"key {number}"), version, live, ago=number)
    client = client_of(paula)
    with django_assert_max_num_queries(14):
        page = client.get(f"/w/acme/prompts/{version.prompt_id}/running/")
    assert "key 29" in page.content.decode()


def test_the_page_renews_only_itself(version: Version, live: Deployment, paula: User, client_of) -> None:
    page = client_of(paula).get(f"/w/acme/prompts/{version.prompt_id}/running/", headers={"HX-Request": "true"})
    assert "<html" not in page.content.decode()


def test_an_editor_sets_and_removes_a_label(version: Version, paula: User, client_of) -> None:
    client, place = client_of(paula), f"/w/acme/prompts/{version.prompt_id}/labels/"
    client.post(f"{place}move/", {"name": "stable", "version": 1})
    assert "stable" in client.get(place).content.decode()
    client.post(f"{place}remove/", {"name": "stable"})
    assert not Label.objects.exists()


def test_a_viewer_sees_labels_and_sets_none(version: Version, workspace: Workspace, ravi: User, client_of) -> None:
    client, place = client_of(ravi), f"/w/acme/prompts/{version.prompt_id}/labels/"
    assert "<form" not in client.get(place, headers={"HX-Request": "true"}).content.decode()
    assert client.post(f"{place}move/", {"name": "stable", "version": 1}).status_code == 403


def test_a_label_that_prompts_follow_is_not_taken_away(
    workspace: Workspace, environments: Environments, paula: User, client_of
) -> None:
    child = factories.make_prompt(workspace, "tone", kind="text")
    text = factories.make_version(child, paula, messages=[{"role": "user", "content": "Kind."}], variables=[])
    actions.move_label(version=text, name="stable", actor=paula)
    draft = actions.open_draft(prompt=factories.make_prompt(workspace, "parent"), acting_user=paula)
    message = {"role": "user", "content": "@@@langfusePrompt:name=tone|label=stable@@@"}
    content = {"messages": [message], "format": "mustache", "variables": [], "model_config": {}}
    draft = actions.save_draft(draft=draft, revision=draft.revision, content=content, acting_user=paula)
    actions.save_version(draft=draft, message="first", acting_user=paula)
    client_of(paula).post(f"/w/acme/prompts/{child.pk}/labels/remove/", {"name": "stable"})
    assert Label.objects.exists()


def subject(**fields: object) -> snippets.Subject:
    values = {"customer": "O'Hara", "message": 'Say "hm"\n'}
    known = {"base_url": "http://desk", "name": "support/re ply", "kind": "chat", "environment": "production"}
    return snippets.Subject(**{**known, "format": "mustache", "values": values, **fields})


@pytest.mark.parametrize("placeholders", [(), ("history",)])
@pytest.mark.parametrize("format", ["mustache", "fstring", "jinja"])
def test_every_snippet_can_be_read_by_what_runs_it(format: str, placeholders: tuple[str, ...]) -> None:
    for snippet in snippets.snippets(subject(format=format, placeholders=placeholders)):
        if snippet.label.startswith("Python"):
            ast.parse(snippet.text)
        elif snippet.label.startswith("Shell"):
            assert subprocess.run(["sh", "-n", "-c", snippet.text], check=False).returncode == 0


def test_sdks_of_langfuse_are_offered_what_they_can_fill() -> None:
    labels = [snippet.label for snippet in snippets.snippets(subject(format="jinja"))]
    assert not any("Langfuse" in label for label in labels)
