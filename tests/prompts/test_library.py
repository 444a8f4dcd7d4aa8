"""The list of prompts: found by words, narrowed, kept in order."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import AuditEvent, User, Workspace
from apps.core.errors import DomainError
from apps.prompts import actions, folders
from apps.prompts.models import Environment, Prompt, PromptWords, Version
from tests import factories
from tests.conftest import ClientOf


@pytest.fixture
def paulas(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def names(client: Client, workspace: Workspace, **query: Any) -> list[str]:
    answer = client.get(reverse("prompt_list", kwargs={"workspace": workspace.slug}), query)
    return [row.prompt.name for row in answer.context["rows"]]


def text(words: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": words}], "variables": []}


@pytest.fixture
def shelf(workspace: Workspace, paula: User, ravi: User) -> dict[str, Prompt]:
    rows = [
        ("support/mail/reply", ["mail", "de"], paula, "Answer politely, and never promise a refund."),
        ("support/chat/greet", ["chat"], ravi, "Greet the customer by name."),
        ("legal/summary", ["de"], None, "Fasse den Vertrag zusammen: Kündigung, Fristen."),
        ("loose", [], paula, "ช่วยแปลข้อความนี้ 👩‍💻"),
    ]
    found = {}
    for name, tags, owner, words in rows:
        found[name] = factories.make_prompt(workspace, name, tags=tags, owner=owner, description=f"About {name}")
        factories.make_version(found[name], paula, **text(words))
    return found


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("reply", ["support/mail/reply"]),
        ("REFUND", ["support/mail/reply"]),
        ("politely ref", ["support/mail/reply"]),
        ("mail refund", ["support/mail/reply"]),
        ("pport/chat", ["support/chat/greet"]),
        ("kündigung", ["legal/summary"]),
        ("fristen.", ["legal/summary"]),
        ("ช่วยแปลข้อความนี้", ["loose"]),
        ("greet contract", []),
        ("' & | ! :* (", []),
        ("user", []),
    ],
)
def test_prompts_are_found_by_the_words_they_hold(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt], query: str, wanted: list[str]
) -> None:
    assert names(paulas, workspace, q=query) == wanted


def test_the_words_of_earlier_versions_still_find_a_prompt(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt], paula: User
) -> None:
    factories.make_version(shelf["loose"], paula, **text("Something else"))
    assert names(paulas, workspace, q="ช่วย") == ["loose"]
    assert names(paulas, workspace, q="something") == ["loose"]


def test_a_new_name_and_new_tags_find_a_prompt_at_once(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt]
) -> None:
    Prompt.objects.filter(pk=shelf["loose"].pk).update(name="kept/zebra", tags=["striped"])
    assert names(paulas, workspace, q="zeb") == names(paulas, workspace, q="striped") == ["kept/zebra"]
    assert names(paulas, workspace, q="loose") == ["kept/zebra"]  # its description says so still


def test_a_text_of_a_megabyte_of_different_words_can_be_saved_and_found(
    paulas: Client, workspace: Workspace, prompt: Prompt, paula: User
) -> None:
    words = " ".join(f"w{number:x}" for number in range(150_000))[: 1024 * 1024]
    factories.make_version(prompt, paula, **text(words))
    assert names(paulas, workspace, q="w1f") == [prompt.name]
    for number in range(3):
        other = " ".join(f"v{number}{n:x}" for n in range(30_000))
        factories.make_version(prompt, paula, **text(other))
    assert PromptWords.objects.count() == 1


def test_nothing_of_another_workspace_is_found(
    client_of: ClientOf, stranger: User, workspace: Workspace, shelf: dict[str, Prompt]
) -> None:
    other = Workspace.objects.get(slug="elsewhere")
    assert names(client_of(stranger), other, q="refund") == []


def test_folder_tag_owner_and_words_narrow_together(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt], paula: User
) -> None:
    assert names(paulas, workspace, folder="support") == ["support/chat/greet", "support/mail/reply"]
    assert names(paulas, workspace, tag="de") == ["legal/summary", "support/mail/reply"]
    assert names(paulas, workspace, tag="de", owner=paula.pk) == ["support/mail/reply"]
    assert names(paulas, workspace, folder="support", q="greet") == ["support/chat/greet"]


@pytest.mark.parametrize(
    "query",
    [{"owner": "x"}, {"owner": "9" * 99}, {"sort": "evil"}, {"page": "-3"}, {"folder": "//"}, {"tag": "'; --"}],
)
def test_odd_filters_break_nothing(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt], query: dict[str, str]
) -> None:
    names(paulas, workspace, **query)


@pytest.mark.parametrize("sort", ["name", "changed", "served"])
def test_every_order_shows_every_prompt(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt], sort: str
) -> None:
    assert sorted(names(paulas, workspace, sort=sort)) == sorted(shelf)


def test_the_last_changed_comes_first_when_asked(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt], paula: User
) -> None:
    factories.make_version(shelf["legal/summary"], paula, **text("Neu."))
    assert names(paulas, workspace, sort="changed")[0] == "legal/summary"


def test_the_tree_is_open_on_the_way() -> None:
    counts = [("a", 1), ("a/b", 2), ("a/b/c", 3), ("d", 4)]
    lines = [(one.path, one.depth, one.count, one.is_here) for one in folders.tree(counts, "a/b")]
    assert lines == [("a", 0, 6, False), ("a/b", 1, 5, True), ("a/b/c", 2, 3, False), ("d", 0, 4, False)]


def test_the_list_stays_inside_its_query_budget(
    paulas: Client, workspace: Workspace, shelf: dict[str, Prompt], environments: dict[str, Environment], paula: User,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for prompt in shelf.values():
        version = prompt.versions.get()
        actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
        actions.open_change_request(
            version=version, environment=environments["production"], title="Up", acting_user=paula
        )
    with django_assert_max_num_queries(15):
        names(paulas, workspace, q="e", folder="support")


def rename(prompt: Prompt, name: str, paula: User, **known: Any) -> Prompt:
    known = {"description": "", "owner": paula, "tags": [], **known}
    return actions.update_prompt(prompt=prompt, name=name, acting_user=paula, **known)


def test_a_prompt_that_nobody_fetches_is_moved_to_another_folder(prompt: Prompt, paula: User) -> None:
    assert rename(prompt, "sales/reply", paula, tags=["b", "a", "b"]).tags == ["a", "b"]
    assert AuditEvent.objects.filter(verb="changed").count() == 1


def test_a_prompt_that_was_live_keeps_its_name(
    version: Version, environments: dict[str, Environment], paula: User
) -> None:
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    with pytest.raises(DomainError, match="programs ask for it by this name"):
        rename(version.prompt, "elsewhere", paula)
    assert rename(version.prompt, version.prompt.name, paula, description="New").description == "New"


def test_a_prompt_that_others_take_in_keeps_its_name_and_stays(workspace: Workspace, paula: User) -> None:
    child = factories.make_prompt(workspace, "parts/tone", kind="text")
    factories.make_version(child, paula, **text("Be kind."))
    parent = factories.make_prompt(workspace, "parent", kind="text")
    draft = actions.open_draft(prompt=parent, acting_user=paula)
    draft.messages = [{"role": "user", "content": "@@@langfusePrompt:name=parts/tone|version=1@@@"}]
    draft.save()
    actions.save_version(draft=draft, message="takes it in", acting_user=paula)
    for attempt in (lambda: rename(child, "x", paula), lambda: actions.archive_prompt(prompt=child, acting_user=paula)):
        with pytest.raises(DomainError, match="parent"):
            attempt()


def test_a_taken_name_and_a_stranger_as_owner_are_refused(
    workspace: Workspace, prompt: Prompt, paula: User, stranger: User
) -> None:
    factories.make_prompt(workspace, "taken")
    with pytest.raises(DomainError, match="already a prompt"):
        rename(prompt, "taken", paula)
    with pytest.raises(DomainError, match="not a member"):
        rename(prompt, prompt.name, paula, owner=stranger)


def test_an_archived_prompt_leaves_the_list_and_comes_back(
    paulas: Client, workspace: Workspace, version: Version
) -> None:
    place = {"workspace": workspace.slug, "prompt_id": version.prompt_id}
    paulas.post(reverse("prompt_archive", kwargs=place))
    assert names(paulas, workspace) == []
    assert names(paulas, workspace, archived="on") == [version.prompt.name]
    paulas.post(reverse("prompt_unarchive", kwargs=place))
    assert names(paulas, workspace) == [version.prompt.name]


def test_what_is_live_cannot_be_archived(version: Version, environments: dict[str, Environment], paula: User) -> None:
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    with pytest.raises(DomainError, match="live in dev"):
        actions.archive_prompt(prompt=version.prompt, acting_user=paula)


def test_the_settings_page_says_who_uses_it_and_saves(paulas: Client, workspace: Workspace, version: Version) -> None:
    url = reverse("prompt_settings", kwargs={"workspace": workspace.slug, "prompt_id": version.prompt_id})
    assert b"No prompt takes it in" in paulas.get(url).content
    assert paulas.post(url, {"name": "new/name", "tags": "a, b"}).status_code == 302
    assert Prompt.objects.get().name == "new/name"
    assert paulas.post(url, {"name": "bad//name"}).status_code == 422


def test_readers_may_look_at_the_list_and_not_at_the_settings(
    client_of: ClientOf, ravi: User, workspace: Workspace, version: Version
) -> None:
    client = client_of(ravi)
    assert names(client, workspace) == [version.prompt.name]
    place = {"workspace": workspace.slug, "prompt_id": version.prompt_id}
    assert client.get(reverse("prompt_settings", kwargs=place)).status_code == 403
