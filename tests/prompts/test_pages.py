import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User, Workspace
from apps.prompts import actions, boards, snippets
from apps.prompts.models import (
    ChangeRequest,
    Deployment,
    Draft,
    Environment,
    Prompt,
    Version,
)
from tests import factories
from tests.conftest import ClientOf


def url(url_name: str, workspace: Workspace, **kwargs: object) -> str:
    return reverse(url_name, kwargs={"workspace": workspace.slug, **kwargs})


@pytest.fixture
def live(version: Version, environments: dict[str, Environment], paula: User) -> Deployment:
    return actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)


@pytest.fixture
def page_of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


PAGES = ["prompt_detail", "prompt_use", "draft_edit", "version_list", "deployment_list", "change_request_new"]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_of_a_prompt_opens(
    page_of_paula: Client, workspace: Workspace, better: Version, live: Deployment, name: str
) -> None:
    answer = page_of_paula.get(url(name, workspace, prompt_id=better.prompt_id))
    assert answer.status_code == 200
    assert b"support/reply" in answer.content


@pytest.mark.parametrize("name", PAGES)
def test_every_page_of_a_prompt_without_a_version_opens(
    page_of_paula: Client, workspace: Workspace, prompt: Prompt, name: str
) -> None:
    assert page_of_paula.get(url(name, workspace, prompt_id=prompt.pk)).status_code == 200


def test_the_list_says_what_is_live_where(page_of_paula: Client, workspace: Workspace, live: Deployment) -> None:
    content = page_of_paula.get(url("prompt_list", workspace)).content.decode()
    assert "support/reply" in content
    assert "dev" in content


def test_the_empty_list_says_what_to_do(page_of_paula: Client, workspace: Workspace) -> None:
    assert b"No prompts yet" in page_of_paula.get(url("prompt_list", workspace)).content


@pytest.mark.parametrize(("query", "found"), [("reply", True), ("answer customers", True), ("nowhere", False)])
def test_the_list_is_searched_by_name_and_by_text(
    page_of_paula: Client, workspace: Workspace, version: Version, query: str, found: bool
) -> None:
    answer = page_of_paula.get(url("prompt_list", workspace), {"q": query}, headers={"HX-Request": "true"})
    assert (b"support/reply" in answer.content) is found
    assert b"<html" not in answer.content


def test_the_list_needs_as_many_queries_for_thirty_prompts_as_for_one(
    page_of_paula: Client,
    workspace: Workspace,
    paula: User,
    environments: dict[str, Environment],
    django_assert_max_num_queries: object,
) -> None:
    for number in range(30):
        version = factories.make_version(factories.make_prompt(workspace, f"support/p{number}"), paula)
        actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    with django_assert_max_num_queries(18):
        page_of_paula.get(url("prompt_list", workspace))


@pytest.mark.parametrize("name", ["prompt_detail", "change_request_detail"])
def test_a_page_stays_inside_its_query_budget(
    page_of_paula: Client,
    workspace: Workspace,
    change_request: ChangeRequest,
    live: Deployment,
    name: str,
    django_assert_max_num_queries: object,
) -> None:
    arguments = {"prompt_id": live.prompt_id} if name == "prompt_detail" else {"number": change_request.number}
    with django_assert_max_num_queries(36):
        assert page_of_paula.get(url(name, workspace, **arguments)).status_code == 200


def post_draft(client: Client, draft: Draft, text: str, to: str = "draft_save", **more: str):
    data = {"role": "user", "content": text, "format": "mustache", "revision": draft.revision, **more}
    address = url(to, draft.prompt.workspace, prompt_id=draft.prompt_id)
    return client.post(address, data)


@pytest.fixture
def draft(prompt: Prompt, paula: User) -> Draft:
    return actions.open_draft(prompt=prompt, acting_user=paula)


def test_saving_a_version_goes_to_its_page(page_of_paula: Client, draft: Draft) -> None:
    answer = post_draft(page_of_paula, draft, "Dear {{name}}", to="version_save", message="first")
    assert answer.status_code == 302
    assert page_of_paula.get(answer.url).status_code == 200


def test_a_version_that_cannot_be_filled_is_refused_with_the_text_still_there(
    page_of_paula: Client, draft: Draft
) -> None:
    answer = post_draft(page_of_paula, draft, "Dear {{first name}}", to="version_save", message="no")
    assert answer.status_code == 422
    assert b"Dear {{first name}}" in answer.content
    assert not Version.objects.exists()


def test_a_new_prompt_opens_its_draft(page_of_paula: Client, workspace: Workspace) -> None:
    answer = page_of_paula.post(url("prompt_new", workspace), {"name": "a/b", "kind": "chat"})
    assert answer.url == url("draft_edit", workspace, prompt_id=Prompt.objects.get().pk)


def test_a_taken_name_is_said_beside_the_field(page_of_paula: Client, workspace: Workspace, prompt: Prompt) -> None:
    answer = page_of_paula.post(url("prompt_new", workspace), {"name": prompt.name, "kind": "chat"})
    assert answer.status_code == 422
    assert b"already a prompt" in answer.content


def test_two_versions_are_compared(page_of_paula: Client, workspace: Workspace, better: Version) -> None:
    answer = page_of_paula.get(url("version_compare", workspace, prompt_id=better.prompt_id), {"from": 1, "to": 2})
    assert b"<ins>" in answer.content


@pytest.mark.parametrize(
    "query", [{}, {"from": "x", "to": "1"}, {"from": "1", "to": "99"}, {"from": "1", "to": "9" * 99}]
)
def test_a_comparison_with_nothing_is_not_found(
    page_of_paula: Client, workspace: Workspace, better: Version, query: dict[str, str]
) -> None:
    answer = page_of_paula.get(url("version_compare", workspace, prompt_id=better.prompt_id), query)
    assert answer.status_code == 404


def test_proposing_opens_a_request(
    page_of_paula: Client, workspace: Workspace, version: Version, environments: dict[str, Environment]
) -> None:
    answer = page_of_paula.post(
        url("change_request_new", workspace, prompt_id=version.prompt_id),
        {"version": version.pk, "environment": environments["production"].pk, "title": "Kinder"},
    )
    assert page_of_paula.get(answer.url).status_code == 200


def test_approving_ones_own_request_is_forbidden_with_the_reason(
    client_of: ClientOf, workspace: Workspace, version: Version, environments: dict[str, Environment], olga: User
) -> None:
    request = actions.open_change_request(
        version=version, environment=environments["production"], title="Mine", acting_user=olga
    )
    answer = client_of(olga).post(
        url("change_request_review", workspace, number=request.number), {"decision": "approve"}
    )
    assert answer.status_code == 403
    assert b"eyes of somebody else" in answer.content


def test_a_request_is_reviewed_and_promoted_by_hand(
    client_of: ClientOf, workspace: Workspace, change_request: ChangeRequest, better: Version, ravi: User, paula: User
) -> None:
    number = change_request.number
    client_of(ravi).post(url("change_request_review", workspace, number=number), {"decision": "approve"})
    client_of(paula).post(url("change_request_promote", workspace, number=number))
    change_request.refresh_from_db()
    assert change_request.state == ChangeRequest.State.APPLIED
    assert client_of(ravi).get(url("change_request_dossier", workspace, number=number)).status_code == 200


def test_what_is_live_is_rolled_back_by_hand_with_a_reason(
    page_of_paula: Client, workspace: Workspace, live: Deployment, better: Version, paula: User
) -> None:
    made = actions.deploy(version=better, environment=live.environment, actor=paula, replaces=live)
    target = boards.undo_target(made)
    assert target == live
    to = {"to": live.pk, "replaces": made.pk, "reason": ""}
    address = url("version_roll_back", workspace, prompt_id=live.prompt_id)
    page_of_paula.post(address, to)
    assert Deployment.objects.current().get() == made
    page_of_paula.post(address, {**to, "reason": "It answered in verse."})
    now = Deployment.objects.current().get()
    assert (now.version, now.kind, now.reason) == (live.version, "roll_back", "It answered in verse.")


def test_what_blocks_is_said_when_promoting_too_early(
    page_of_paula: Client, workspace: Workspace, change_request: ChangeRequest
) -> None:
    page = url("change_request_detail", workspace, number=change_request.number)
    answer = page_of_paula.post(
        url("change_request_promote", workspace, number=change_request.number),
        headers={"Referer": f"http://testserver{page}"},
        follow=True,
    )
    assert b"more approval" in answer.content
    assert not Deployment.objects.exists()


@pytest.mark.parametrize("name", ["environment_list", "environment_edit"])
def test_admins_read_policies_as_sentences(
    client_of: ClientOf, workspace: Workspace, environments: dict[str, Environment], olga: User, name: str
) -> None:
    arguments = {"name": "production"} if name == "environment_edit" else {}
    answer = client_of(olga).get(url(name, workspace, **arguments))
    assert b"nobody approves their own" in answer.content


def test_a_policy_is_changed(
    client_of: ClientOf, workspace: Workspace, environments: dict[str, Environment], olga: User
) -> None:
    client_of(olga).post(
        url("environment_edit", workspace, name="production"), {"approvals": 2, "checks": ["tests", "people"]}
    )
    assert environments["production"].__class__.objects.get(name="production").policy == {
        "approvals": 2,
        "self_approval": False,
        "checks": ["people", "tests"],
    }


@pytest.mark.parametrize("name", ["prompt_detail", "version_list", "draft_edit"])
def test_the_prompt_of_another_workspace_is_not_there(
    client_of: ClientOf, stranger: User, prompt: Prompt, name: str
) -> None:
    elsewhere = stranger.memberships.get().workspace
    assert client_of(stranger).get(url(name, elsewhere, prompt_id=prompt.pk)).status_code == 404


def test_a_version_refused_for_an_older_tab_still_shows_the_typed_text(page_of_paula: Client, draft: Draft) -> None:
    post_draft(page_of_paula, draft, "from another tab")
    answer = post_draft(page_of_paula, draft, "typed here", to="version_save", message="mine")
    assert answer.status_code == 422
    assert b"typed here" in answer.content
    assert b'value="mine"' in answer.content


def test_adding_a_message_in_an_older_tab_keeps_the_editor(page_of_paula: Client, draft: Draft) -> None:
    post_draft(page_of_paula, draft, "from another tab")
    answer = post_draft(page_of_paula, draft, "typed here", op="add")
    assert b"typed here" in answer.content
    assert b"another tab" in answer.content


@pytest.mark.parametrize("temperature", ["hot", "3", "NaN"])
def test_a_parameter_out_of_range_is_named_and_the_text_is_kept(
    page_of_paula: Client, draft: Draft, temperature: str
) -> None:
    answer = post_draft(page_of_paula, draft, "typed here", to="version_save", message="x", temperature=temperature)
    assert b"temperature must be a number from 0 to 2" in answer.content
    assert b"typed here" in answer.content


@pytest.mark.parametrize("reason", ["x" * 4_001, "null \x00 byte"])
def test_a_reason_that_cannot_be_kept_stops_the_promotion(
    page_of_paula: Client, workspace: Workspace, better: Version, live: Deployment, reason: str
) -> None:
    data = {"environment": "dev", "replaces": live.pk, "reason": reason}
    page_of_paula.post(url("version_deploy", workspace, prompt_id=better.prompt_id, number=2), data)
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize("path", ["prompts/?q=%00", "prompts/?folder=%00", "prompts/%00/"])
def test_an_address_with_a_null_byte_is_refused_in_words(page_of_paula: Client, path: str) -> None:
    answer = page_of_paula.get(f"/w/acme/{path}")
    assert answer.status_code == 400
    assert b"null byte" in answer.content


def test_what_is_live_is_known_however_long_the_history(
    page_of_paula: Client, workspace: Workspace, version: Version, better: Version, paula: User,
    environments: dict[str, Environment],
) -> None:  # fmt: skip
    live = actions.deploy(version=version, environment=environments["staging"], actor=paula, replaces=None)
    before = None
    for round_number in range(201):
        wanted = better if round_number % 2 else version
        before = actions.deploy(version=wanted, environment=environments["dev"], actor=paula, replaces=before)
    answer = page_of_paula.get(url("deployment_list", workspace, prompt_id=version.prompt_id))
    assert answer.content.count(b"since <time") == 2
    assert live.pk


@pytest.mark.parametrize("format", ["mustache", "fstring", "jinja"])
def test_the_python_to_copy_fills_what_is_live(
    page_of_paula: Client, workspace: Workspace, prompt: Prompt, paula: User, environments: dict[str, Environment],
    format: str,
) -> None:  # fmt: skip
    text = {"mustache": "Hi {{name}}", "fstring": "Hi {name}", "jinja": "Hi {{ name }}"}[format]
    variable = {
        "name": "name",
        "type": "string",
        "required": True,
        "default": None,
        "example": "Ines",
        "description": "",
    }
    version = factories.make_version(
        prompt, paula, messages=[{"role": "user", "content": text}], format=format, variables=[variable]
    )
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    subject = snippets.Subject(
        base_url="http://x", name="a", kind="chat", environment="dev", format=format, values={"name": "Ines"}
    )
    made = {snippet.label: snippet.text for snippet in snippets.snippets(subject)}
    lines = made["Python: the standard library"].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("values"))
    code = "\n".join([*(line for line in lines if line.startswith(("import", "from"))), *lines[start:]])
    names: dict[str, object] = {"prompt": {"messages": version.messages}}
    exec(code, names)
    assert names["messages"] == [{"role": "user", "content": "Hi Ines"}]
    assert page_of_paula.get(url("prompt_use", workspace, prompt_id=prompt.pk)).status_code == 200


def test_an_undo_never_offers_what_was_undone(
    page_of_paula: Client, version: Version, better: Version, paula: User, environments: dict[str, Environment]
) -> None:
    dev = environments["dev"]
    zero = factories.make_version(version.prompt, paula, message="zero", model_config={"model": "z"})
    start = actions.deploy(version=zero, environment=dev, actor=paula, replaces=None)
    first = actions.deploy(version=version, environment=dev, actor=paula, replaces=start)
    second = actions.deploy(version=better, environment=dev, actor=paula, replaces=first)
    undone = actions.roll_back(
        prompt=version.prompt, environment=dev, to=first, replaces=second, actor=paula, reason="Curt."
    )
    assert boards.undo_target(second) == first
    assert boards.undo_target(undone) == start


def test_examples_of_several_lines_and_empty_defaults_survive_an_autosave(page_of_paula: Client, draft: Draft) -> None:
    fields = {"variable": "name", "variable-0-example": "Dear\r\nInes", "variable-0-empty-default": "on"}
    post_draft(page_of_paula, draft, "Hi {{name}}", **fields)
    kept = Draft.objects.get().variables[0]
    assert (kept["example"], kept["default"]) == ("Dear\nInes", "")


@pytest.mark.parametrize("text", ["plain", "  two spaces before", "\nnewline first", "\n\n  both {{name}}\n"])
def test_the_editor_holds_the_text_exactly_as_it_was_saved(page_of_paula: Client, draft: Draft, text: str) -> None:
    post_draft(page_of_paula, draft, text)
    page = page_of_paula.get(url("draft_edit", draft.prompt.workspace, prompt_id=draft.prompt_id)).content.decode()
    found = re.search(r'<textarea[^>]*name="content"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    # A browser drops the first newline of a textarea, and nothing else.
    assert found
    assert html.unescape(found[1]).removeprefix("\n") == text
