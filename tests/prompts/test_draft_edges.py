"""What a draft does at its edges: half a name, an old tab, somebody who only looked, a prompt that is put away."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.prompts import (
    actions,
    composition,
    converting,
    editor,
    exporting,
    importing,
    templates,
    variables,
    writing,
)
from apps.prompts.models import Draft, Environment, Prompt, Version
from apps.prompts.references import BadReference
from tests import factories
from tests.conftest import ClientOf
from tests.prompts.test_draft_edit import send
from tests.prompts.test_pages import url

CARDS = [("item", "message"), ("role", "user"), ("content", "Hi {{name}}")]


@pytest.fixture
def draft(prompt: Prompt, paula: User) -> Draft:
    return actions.open_draft(prompt=prompt, acting_user=paula)


@pytest.fixture
def page_of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def placeholders(draft: Draft) -> list[str]:
    draft.refresh_from_db()
    return [item["name"] for item in draft.messages if item.get("type") == "placeholder"]


@pytest.mark.parametrize("half", ["", "2nd", "a b", "earlier"])
def test_half_a_placeholders_name_holds_up_nothing(page_of_paula: Client, draft: Draft, half: str) -> None:
    names = [("item", "placeholder"), ("placeholder", "history"), ("item", "placeholder"), ("placeholder", "earlier")]
    send(page_of_paula, draft, [*names, *CARDS])
    assert placeholders(draft) == ["history", "earlier"]
    names[1] = ("placeholder", half)
    words = [*CARDS[:2], ("content", "Dear {{name}}")]
    answer = send(page_of_paula, draft, [*names[2:], *names[:2], *words] if half == "earlier" else [*names, *words])
    assert "needs a name of its own" in answer.json()["problems"]["messages"]
    draft.refresh_from_db()
    assert draft.messages[-1]["content"] == "Dear {{name}}"
    assert len(set(placeholders(draft))) == len(placeholders(draft))


def test_an_old_page_without_a_script_never_overwrites_what_it_did_not_show(
    page_of_paula: Client, draft: Draft
) -> None:
    send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", "theirs")])
    data = {"item": "message", "role": "user", "content": "mine", "format": "mustache", "revision": 1, "message": "x"}
    for _ in range(2):
        answer = page_of_paula.post(url("version_save", draft.prompt.workspace, prompt_id=draft.prompt_id), data)
        assert answer.status_code == 422
        assert 'name="revision" value="1"' in answer.content.decode()
    assert Draft.objects.get().messages[0]["content"] == "theirs"


def test_what_an_older_tab_is_told_is_what_stands_in_the_database(
    page_of_paula: Client, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = actions.save_draft

    def late(**given: Any) -> Draft:
        monkeypatch.setattr(actions, "save_draft", save)
        content = {**draft.content(), "messages": [{"role": "user", "content": "came in between"}]}
        save(draft=draft, revision=1, content=content, acting_user=draft.author)
        return save(**given)

    monkeypatch.setattr(actions, "save_draft", late)
    answer = send(page_of_paula, draft, CARDS)
    assert answer.status_code == 409
    assert answer.json()["theirs"]["messages"][0]["content"] == "came in between"


def test_who_only_looked_is_not_said_to_write(page_of_paula: Client, draft: Draft, olga: User) -> None:
    other = actions.open_draft(prompt=draft.prompt, acting_user=olga)
    assert editor.others(draft) == []
    actions.save_draft(draft=other, revision=1, content=other.content(), acting_user=olga)
    assert [one["author"] for one in editor.others(draft)] == ["Olga"]


def test_a_draft_that_nobody_wrote_to_begins_with_what_is_newest(prompt: Prompt, paula: User) -> None:
    old = factories.make_version(prompt, paula)
    draft = actions.open_draft(prompt=prompt, acting_user=paula)
    new = factories.make_version(prompt, paula, messages=[{"role": "user", "content": "Newer"}])
    assert actions.open_draft(prompt=prompt, acting_user=paula).based_on == new
    actions.save_draft(draft=Draft.objects.get(pk=draft.pk), revision=1, content=new.content(), acting_user=paula)
    factories.make_version(prompt, paula, messages=[{"role": "user", "content": "Newest"}])
    assert actions.open_draft(prompt=prompt, acting_user=paula).based_on == new
    actions.discard_draft(draft=draft, acting_user=paula)
    actions.open_draft(prompt=prompt, acting_user=paula, start_from=old)
    assert actions.open_draft(prompt=prompt, acting_user=paula).based_on == old


def test_an_archived_prompt_is_not_written_to(page_of_paula: Client, draft: Draft, paula: User) -> None:
    send(page_of_paula, draft, CARDS)
    draft.refresh_from_db()
    actions.archive_prompt(prompt=draft.prompt, acting_user=paula)
    prompt = Prompt.objects.get()
    with pytest.raises(DomainError, match="archived"):
        actions.open_draft(prompt=prompt, acting_user=paula)
    with pytest.raises(DomainError, match="archived"):
        actions.save_version(draft=Draft.objects.select_related("prompt").get(), message="x", acting_user=paula)
    assert not Version.objects.exists()


def test_a_number_comes_back_as_it_was_written(page_of_paula: Client, draft: Draft) -> None:
    send(page_of_paula, draft, CARDS, temperature="0.12345678", top_p="1")
    draft.refresh_from_db()
    assert editor.written(draft, None)["temperature"] == "0.12345678"
    assert editor.written(draft, None)["top_p"] == "1"


@pytest.mark.parametrize("tools", ["{}", "false", "0", '"x"'])
def test_what_is_no_list_of_tools_is_named(page_of_paula: Client, draft: Draft, tools: str) -> None:
    assert "tools" in send(page_of_paula, draft, CARDS, tools=tools).json()["problems"]


def takes_in(prompt: Prompt, names: list[str], author: User) -> Draft:
    tags = " ".join(f"@@@langfusePrompt:name={name}|version=1@@@" for name in names)
    return Draft(prompt=prompt, author=author, messages=[{"role": "user", "content": tags}])


def test_chips_are_read_together(workspace: Workspace, prompt: Prompt, paula: User) -> None:
    names = [f"part-{number}" for number in range(20)]
    for name in names:
        child = factories.make_prompt(workspace, name, kind="text")
        factories.make_version(child, paula, messages=[{"role": "user", "content": f"I am {name}."}], variables=[])
    counts = []
    for some in (names[:1], [*names, "nobody"]):
        with CaptureQueriesContext(connection) as queries:
            found = writing.chips(takes_in(prompt, some, paula))
        counts.append(len(queries))
    assert counts == [1, 2], "one more finds out about what is not there"
    assert [chip.text for chip in found[:20]] == [f"I am {name}." for name in names]
    assert "nobody" in found[20].problem


def test_the_prompt_as_a_whole_stays_below_its_size(workspace: Workspace, prompt: Prompt, paula: User) -> None:
    child = factories.make_prompt(workspace, "long", kind="text")
    factories.make_version(child, paula, messages=[{"role": "user", "content": "x" * 900_000}], variables=[])
    once = takes_in(prompt, ["long"], paula).messages[0]
    for count in (2, 3):
        draft = Draft(prompt=prompt, author=paula, messages=[once] * count)
        if count == 2:
            assert composition.resolve(draft, workspace_id=workspace.pk)
        else:
            with pytest.raises(BadReference, match="over 2 MB"):
                composition.resolve(draft, workspace_id=workspace.pk)


def test_a_version_is_shown_whole(page_of_paula: Client, prompt: Prompt, paula: User) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "description": "Finds it", "parameters": {"type": "object"}}}  # fmt: skip
    version = factories.make_version(
        prompt,
        paula,
        messages=[{"type": "placeholder", "name": "earlier"}, {"type": "examples"}, {"role": "user", "content": "Hi"}],
        examples=[{"input": "two and two", "output": "four"}],
        tools=[tool],
        output_schema={"type": "object", "title": "Answer"},
        variables=[
            {
                "name": "n",
                "type": "string",
                "required": True,
                "default": None,
                "example": "",
                "description": "Whose it is",
            }
        ],
        model_config={"model": "practice-small", "parameters": {}, "config": {"region": "eu"}},
    )
    place = {"prompt_id": prompt.pk, "number": version.number}
    key, _ = factories.make_api_key(prompt.workspace, "prompts:draft", name="nightly")
    written = factories.make_version(prompt, paula, author_key=key)
    for number, who in ((version.number, "Paula"), (written.number, "API key nightly")):
        assert (
            f"{who} <time"
            in page_of_paula.get(
                url("version_detail", prompt.workspace, prompt_id=prompt.pk, number=number)
            ).content.decode()
        )
    page = page_of_paula.get(url("version_detail", prompt.workspace, **place)).content.decode()
    for words in ("earlier", "two and two", "four", "look_up", "Finds it", "Answer", "Whose it is", "region", "eu"):
        assert words in page


@given(
    parts=st.lists(
        st.sampled_from(["{{a}}", "{a}", "{", "}", "{{", "}}", "{% if a %}", "{# #}", " ", "b"]), max_size=8
    ),
    before=st.sampled_from(sorted(templates.FORMATS)),
    after=st.sampled_from(sorted(templates.FORMATS)),
)
def test_a_text_that_is_said_to_fit_asks_for_the_same_variables(parts: list[str], before: str, after: str) -> None:
    text = "".join(parts)
    try:
        wanted = set(templates.names_in([text], before))
    except DomainError:
        return
    written, unfit = converting.converted(text, before, after)
    if not unfit:
        assert set(templates.names_in([written], after)) == wanted


@pytest.mark.parametrize(
    ("kind", "format", "text", "filled"),
    [
        ("list", "jinja", "A{% for x in v %}{{ x }}{% endfor %}{{ v }}B", "AB"),
        ("object", "jinja", "A{% if v %}{{ v.name }}{% endif %}{{ v }}B", "AB"),
        ("list", "mustache", "A{{v}}B", "AB"),
        ("object", "fstring", "A{v}B", "AB"),
    ],
)
def test_a_list_or_an_object_that_was_left_out_is_nothing(kind: str, format: str, text: str, filled: str) -> None:
    contract = variables.declared(
        [{"role": "user", "content": text}], format, [{"name": "v", "type": kind, "required": False}]
    )
    assert templates.fill(text, format, variables.fill(contract, {})) == filled


def test_what_went_out_is_known_although_what_it_takes_in_asks_for_more_by_now(
    workspace: Workspace, paula: User, environments: dict[str, Environment]
) -> None:
    child = factories.make_prompt(workspace, "tone", kind="text")
    plain = factories.make_version(child, paula, messages=[{"role": "user", "content": "Kind."}], variables=[])
    live = actions.deploy(version=plain, environment=environments["dev"], actor=paula, replaces=None)
    parent = factories.make_prompt(workspace, "reply", kind="text")
    tag = {"role": "user", "content": "@@@langfusePrompt:name=tone|label=dev@@@"}
    draft = actions.open_draft(prompt=parent, acting_user=paula)
    content = {**draft.content(), "messages": [tag]}
    draft = actions.save_draft(draft=draft, revision=draft.revision, content=content, acting_user=paula)
    actions.save_version(draft=draft, message="first", acting_user=paula)
    archive = exporting.archive_of(workspace.prompts.filter(pk=parent.pk))
    asking = factories.make_version(child, paula, messages=[{"role": "user", "content": "{{mood}}."}])
    actions.deploy(version=asking, environment=environments["dev"], actor=paula, replaces=live)
    batch = importing.read("x.zip", archive)
    assert actions.import_prompts(workspace=workspace, batch=batch, acting_user=paula, dry_run=False).added == 0
