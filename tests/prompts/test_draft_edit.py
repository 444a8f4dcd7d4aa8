"""The Draft tab over HTTP: what is kept, what is answered, who may."""

import json
import time
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User, Workspace
from apps.prompts import actions, converting, mistakes, templates
from apps.prompts.models import Draft, Environment, Prompt, Version
from tests import factories
from tests.conftest import ClientOf
from tests.prompts.test_pages import url

CHAT = [
    ("item", "message"), ("role", "system"), ("content", "Be kind."),
    ("item", "examples"),
    ("item", "placeholder"), ("placeholder", "history"),
    ("item", "message"), ("role", "user"), ("content", "Hi {{name}}"),
]  # fmt: skip


@pytest.fixture
def draft(prompt: Prompt, paula: User) -> Draft:
    return actions.open_draft(prompt=prompt, acting_user=paula)


@pytest.fixture
def page_of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def send(client: Client, draft: Draft, fields: Any = (), to: str = "draft_save", **more: Any):
    """Send what the page's script sends: cards in order, then single fields."""
    data: dict[str, Any] = {"format": "mustache", "revision": draft.revision, "examples": "on", **more}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    return client.post(
        url(to, draft.prompt.workspace, prompt_id=draft.prompt_id), data, headers={"Accept": "application/json"}
    )


def test_cards_are_kept_in_their_order(page_of_paula: Client, draft: Draft) -> None:
    rows = [("example-input", "2+2"), ("example-output", "4"), ("example-input", ""), ("example-output", "")]
    answer = send(page_of_paula, draft, [*CHAT, *rows]).json()
    kept = Draft.objects.get()
    assert [item.get("role") or item["type"] for item in kept.messages] == ["system", "examples", "placeholder", "user"]
    assert kept.examples == [{"input": "2+2", "output": "4"}]
    assert answer["revision"] == kept.revision == 2
    assert [message["content"] for message in answer["preview"]] == ["Be kind.", "2+2", "4", "Hi [name]"]
    assert {one["name"]: one["type"] for one in answer["names"]} == {"name": "string", "history": "messages"}


def test_a_look_keeps_nothing(page_of_paula: Client, draft: Draft) -> None:
    answer = send(page_of_paula, draft, CHAT, to="draft_preview").json()
    assert answer["preview"][-1]["content"] == "Hi [name]"
    assert Draft.objects.get().revision == 1


def test_an_older_tab_learns_what_the_other_saved(page_of_paula: Client, draft: Draft) -> None:
    send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", "first")])
    answer = send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", "second")])
    assert answer.status_code == 409
    assert answer.json()["theirs"]["messages"][0]["content"] == "first"
    assert answer.json()["theirs"]["revision"] == 2
    assert Draft.objects.get().messages[0]["content"] == "first"


@pytest.mark.parametrize(
    ("field", "written", "words"),
    [
        ("tools", '[{"type": "function"', "not JSON yet: look at line 1"),
        ("tools", '[{"type": "function", "function": {"name": "a b"}}]', "needs a name"),
        ("tools", "[" * 100_000, "nested too deeply"),
        ("output_schema", '{"type": "strin"}', "not a JSON Schema"),
        ("output_schema", "NaN", "not JSON"),
        ("temperature", "hot", "temperature must be a number"),
        ("max_tokens", "0", "max_tokens must be a number"),
    ],
)
def test_a_part_that_is_half_written_does_not_hold_up_the_text(
    page_of_paula: Client, draft: Draft, field: str, written: str, words: str
) -> None:
    answer = send(page_of_paula, draft, CHAT, **{field: written})
    assert words in str(answer.json()["problems"])
    assert Draft.objects.get().messages[-1]["content"] == "Hi {{name}}"
    refused = send(page_of_paula, Draft.objects.get(), CHAT, to="version_save", message="x", **{field: written})
    assert refused.status_code == 422
    assert not Version.objects.exists()


def test_tools_and_schema_are_kept(page_of_paula: Client, draft: Draft) -> None:
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    send(page_of_paula, draft, CHAT, tools=json.dumps(tools), output_schema='{"type": "object"}', temperature="0,5")
    kept = Draft.objects.get()
    assert (kept.tools, kept.output_schema) == (tools, {"type": "object"})
    assert kept.model_config["parameters"] == {"temperature": 0.5}


@pytest.mark.parametrize(
    ("text", "words"), [("a\x00b", "null byte"), ("x" * 1_100_000, "at most 1,024"), ("ก" * 400_000, "at most 1,024")]
)
def test_what_cannot_be_kept_is_refused_in_words_and_changes_nothing(
    page_of_paula: Client, draft: Draft, text: str, words: str
) -> None:
    answer = send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", text)])
    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert Draft.objects.get().revision == 1


@pytest.mark.parametrize(
    "text", ["‏مرحبا {{name}}", "สวัสดี {{name}}", "👩🏽‍🚀 {{name}}", "<script>alert(1)</script>{{name}}"]
)
def test_any_script_is_kept_and_shown_as_text(page_of_paula: Client, draft: Draft, text: str) -> None:
    answer = send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", text)])
    assert answer.json()["preview"][0]["content"] == text.replace("{{name}}", "[name]")
    page = page_of_paula.get(url("draft_edit", draft.prompt.workspace, prompt_id=draft.prompt_id)).content
    assert b"<script>alert" not in page
    assert b"\\u003Cscript" in page or b"script" not in text.encode()


@pytest.mark.parametrize(
    ("format", "text", "place"),
    [
        ("mustache", "👩‍🚀 Dear {{first name}}", (11, 25)),
        ("fstring", "Dear {first name} {x}", (5, 17)),
        ("fstring", "Dear {{x}} {", (11, 12)),
        ("jinja", "one\n{% if x %}\ntwo {% endfor %}", (15, 31)),
        ("jinja", "a {{ x|shout }}", (7, 12)),
        ("mustache", "a @@@langfusePrompt:name=x@@@", (2, 29)),
    ],
)
def test_a_mistake_is_placed_where_browsers_count_it(format: str, text: str, place: tuple[int, int]) -> None:
    found = mistakes.of_messages([{"role": "user", "content": text}], format)
    assert [(one.start, one.end) for one in found] == [place]


def test_details_of_a_name_outlive_its_absence(page_of_paula: Client, draft: Draft) -> None:
    told = {"variable": "name", "variable-0-example": "Ines", "variable-0-required": "on"}
    send(page_of_paula, draft, CHAT, **told)
    draft.refresh_from_db()
    send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", "Hi")], **told)
    page = page_of_paula.get(url("draft_edit", draft.prompt.workspace, prompt_id=draft.prompt_id)).content.decode()
    assert 'data-variable="name"' in page
    assert "data-absent" in page
    draft.refresh_from_db()
    answer = send(page_of_paula, draft, CHAT, **told).json()
    assert answer["preview"][-1]["content"] == "Hi Ines"


@pytest.mark.parametrize(
    "op", ["add", "placeholder", "examples", "row", "up:1", "down:0", "remove:0", "remove:9", "x:y"]
)
def test_the_buttons_work_without_a_script(page_of_paula: Client, draft: Draft, op: str) -> None:
    address = url("draft_save", draft.prompt.workspace, prompt_id=draft.prompt_id)
    data = {"revision": 1, "role": ["system", "user"], "content": ["a", "b"], "op": op, "examples": "on"}
    answer = page_of_paula.post(address, data, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain
    count = {"add": 3, "placeholder": 3, "examples": 3, "remove:0": 1}.get(op, 2)
    assert len(Draft.objects.get().messages) == count
    if op in ("up:1", "down:0"):
        assert [item["content"] for item in Draft.objects.get().messages] == ["b", "a"]


def test_a_reference_is_a_chip_that_says_where_it_leads(
    page_of_paula: Client, draft: Draft, paula: User, environments: dict[str, Environment]
) -> None:
    child = factories.make_prompt(draft.prompt.workspace, "shared/tone", kind="text")
    version = factories.make_version(
        child, paula, messages=[{"role": "user", "content": "Be {{mood}}."}],
        variables=[{"name": "mood", "type": "string", "required": True, "default": None, "example": "warm", "description": ""}],
    )  # fmt: skip
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    tag = "@@@langfusePrompt:name=shared/tone|label=dev@@@"
    missing = "@@@langfusePrompt:name=shared/nothing|version=3@@@"
    answer = send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", tag)]).json()
    chip = answer["references"][0]
    assert (chip["number"], chip["text"], chip["wanted"]) == (1, "Be {{mood}}.", "dev")
    assert chip["url"] == url("version_detail", draft.prompt.workspace, prompt_id=child.pk, number=1)
    assert answer["preview"][0]["content"] == "Be warm."
    draft.refresh_from_db()
    answer = send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", missing)]).json()
    assert "cannot be taken in" in answer["references"][0]["problem"]
    choices = page_of_paula.get(
        url("draft_references", draft.prompt.workspace, prompt_id=draft.prompt_id), {"q": "tone"}, headers={"HX-Request": "true"}
    )  # fmt: skip
    assert tag in choices.content.decode()
    assert b"<html" not in choices.content


def test_who_else_writes_is_said(page_of_paula: Client, draft: Draft, olga: User, version: Version) -> None:
    hers = actions.open_draft(prompt=draft.prompt, acting_user=olga)
    actions.save_draft(draft=hers, revision=1, content=hers.content(), acting_user=olga)
    address = url("draft_company", draft.prompt.workspace, prompt_id=draft.prompt_id)
    answer = page_of_paula.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "Olga is editing too" in answer
    assert "saved version 1" in answer
    assert "<html" not in answer


def test_a_save_says_what_a_call_costs_beside_live(
    page_of_paula: Client, draft: Draft, version: Version, paula: User, environments: dict[str, Environment]
) -> None:
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    answer = send(page_of_paula, draft, CHAT, model="practice-small").json()
    assert "tokens (live: " in answer["weight"]
    assert "price list does not say" in answer["assumption"]


@pytest.mark.parametrize("name", ["draft_edit", "draft_company", "draft_references"])
def test_pages_of_the_draft_refuse_a_post(page_of_paula: Client, draft: Draft, name: str) -> None:
    assert page_of_paula.post(url(name, draft.prompt.workspace, prompt_id=draft.prompt_id)).status_code == 405


@pytest.mark.parametrize("name", ["draft_save", "draft_preview", "draft_convert", "draft_discard", "version_save"])
def test_what_changes_or_reads_a_text_refuses_a_get(page_of_paula: Client, draft: Draft, name: str) -> None:
    assert page_of_paula.get(url(name, draft.prompt.workspace, prompt_id=draft.prompt_id)).status_code == 405


@pytest.mark.parametrize("name", ["draft_save", "draft_preview", "draft_convert", "version_save"])
def test_strangers_find_nothing_and_readers_may_not(
    client_of: ClientOf, draft: Draft, stranger: User, ravi: User, olga: User, name: str
) -> None:
    here = url(name, draft.prompt.workspace, prompt_id=draft.prompt_id)
    assert client_of(stranger).post(here).status_code == 404
    assert client_of(ravi).post(here).status_code == 403
    # A draft is its author's alone, an admin's rights notwithstanding.
    assert client_of(olga).post(here).status_code == 404


def test_typing_stays_inside_its_query_budget(
    page_of_paula: Client, draft: Draft, paula: User, environments: dict[str, Environment], django_assert_max_num_queries: Any
) -> None:  # fmt: skip
    live = factories.make_version(draft.prompt, paula)
    actions.deploy(version=live, environment=environments["dev"], actor=paula, replaces=None)
    for number in range(20):
        actions.open_draft(prompt=draft.prompt, acting_user=factories.make_user(f"author{number}"))
    many = [("item", "message"), ("role", "user"), ("content", " ".join(f"{{{{v{n}}}}}" for n in range(300)))]
    with django_assert_max_num_queries(9):
        send(page_of_paula, draft, many, to="draft_preview")
    with django_assert_max_num_queries(24):
        send(page_of_paula, draft, many)
    with django_assert_max_num_queries(26):
        page_of_paula.get(url("draft_edit", draft.prompt.workspace, prompt_id=draft.prompt_id))


NAMES = st.sampled_from(["a", "name", "x_1"])
LITERALS = st.text(alphabet="abc {}\n%#", max_size=8)


@given(st.lists(st.tuples(LITERALS, NAMES), max_size=5), st.sampled_from(["mustache", "fstring", "jinja"]))
def test_a_converted_text_says_the_same(pieces: list[tuple[str, str]], after: str) -> None:
    text = "".join(f"{literal.replace('{', '').replace('}', '')}{{{{{name}}}}}" for literal, name in pieces)
    values = {"a": "1", "name": "Ines", "x_1": "z"}
    spelled, unfit = converting.converted(text, "mustache", after)
    assert unfit == []
    assert templates.fill(spelled, after, values) == templates.fill(text, "mustache", values)


def test_what_has_no_match_in_another_format_is_named(
    page_of_paula: Client, draft: Draft, workspace: Workspace
) -> None:
    text = [("item", "message"), ("role", "user"), ("content", "{% if a %}{{ b }}{% endif %}{{ c|upper }}")]
    answer = send(page_of_paula, draft, text, to="draft_convert", to_="", format="jinja")
    assert answer.status_code == 422
    data = {"format": "jinja", "to": "fstring", "role": "user", "content": text[2][1]}
    answer = page_of_paula.post(url("draft_convert", workspace, prompt_id=draft.prompt_id), data).json()
    assert answer["unfit"] == ["{% if a %}", "{% endif %}", "{{ c|upper }}"]
    assert answer["messages"][0].startswith("{{% if a %}}{b}")


def test_ten_thousand_names_are_refused_before_anybody_remarks_on_each(page_of_paula: Client, draft: Draft) -> None:
    words = " ".join(f"{{{{a{number}}}}}" for number in range(10_000))
    fields = [("item", "message"), ("role", "user"), ("content", words)]
    began = time.process_time()
    answer = send(page_of_paula, draft, fields, to="draft_preview").json()
    assert time.process_time() - began < 5
    assert "at most 1,000" in str(answer["problem"])
    assert len(answer["findings"]) < 20


def test_what_a_prompt_inside_says_of_its_variable_outlives_a_row_that_says_nothing(
    page_of_paula: Client, draft: Draft, paula: User, environments: dict[str, Environment]
) -> None:
    mood = {
        "name": "mood",
        "type": "string",
        "required": False,
        "default": "kind",
        "example": "warm",
        "description": "",
    }
    child = factories.make_prompt(draft.prompt.workspace, "shared/tone", kind="text")
    messages = [{"role": "user", "content": "Be {{mood}}."}]
    version = factories.make_version(child, paula, messages=messages, variables=[mood])
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    tag = "@@@langfusePrompt:name=shared/tone|label=dev@@@"
    row = [("variable-key", "1"), ("variable", "mood"), ("variable-1-type", "string"), ("variable-1-required", "on")]
    answer = send(page_of_paula, draft, [("item", "message"), ("role", "user"), ("content", tag), *row]).json()
    [named] = [one for one in answer["names"] if one["name"] == "mood"]
    assert (named["default"], named["required"], named["example"]) == ("kind", False, "warm")


def test_a_model_that_is_not_connected_here_stays_chosen(page_of_paula: Client, draft: Draft) -> None:
    Draft.objects.filter(pk=draft.pk).update(model_config={"model": "gpt-elsewhere", "parameters": {}})
    page = page_of_paula.get(url("draft_edit", draft.prompt.workspace, prompt_id=draft.prompt_id)).content.decode()
    assert '<option value="gpt-elsewhere" selected>' in page


@pytest.mark.parametrize("odd", [{"op": "up:²"}, {"format": "word"}])
def test_nonsense_in_a_field_breaks_nothing(page_of_paula: Client, draft: Draft, odd: dict[str, str]) -> None:
    fields = [("item", "message"), ("role", "user"), ("content", "Hello.")]
    for to in ("draft_preview", "draft_save"):
        assert send(page_of_paula, draft, fields, to=to, **odd).status_code < 500
        draft.refresh_from_db()
