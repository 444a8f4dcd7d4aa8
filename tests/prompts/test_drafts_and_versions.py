from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.accounts.models import AuditEvent, User, Workspace
from apps.core.errors import Conflict, DomainError
from apps.prompts import actions
from apps.prompts.actions.prompts import NothingChanged
from apps.prompts.models import Draft, Prompt, Version
from tests import factories


def write(draft: Draft, text: str, revision: int | None = None, **content: object) -> Draft:
    return actions.save_draft(
        draft=draft,
        revision=draft.revision if revision is None else revision,
        content={
            "messages": [{"role": "user", "content": text}],
            "format": "mustache",
            "variables": [],
            "model_config": {},
            **content,
        },
        acting_user=draft.author,
    )


@pytest.fixture
def draft(prompt: Prompt, paula: User) -> Draft:
    return actions.open_draft(prompt=prompt, acting_user=paula)


def test_a_draft_begins_with_the_newest_version(prompt: Prompt, better: Version, paula: User) -> None:
    draft = actions.open_draft(prompt=prompt, acting_user=paula)
    assert (draft.messages, draft.based_on) == (better.messages, better)


def test_a_draft_becomes_the_next_version(draft: Draft, paula: User) -> None:
    version = actions.save_version(draft=write(draft, "Hello {{name}}"), message="first", acting_user=paula)
    assert (version.number, version.variables[0]["name"]) == (1, "name")
    assert not Draft.objects.exists()


def test_two_tabs_do_not_overwrite_each_other(draft: Draft) -> None:
    write(draft, "from the first tab", revision=1)
    with pytest.raises(Conflict, match="another tab"):
        write(draft, "from the second tab", revision=1)
    draft.refresh_from_db()
    assert draft.messages[0]["content"] == "from the first tab"


def test_saving_what_is_already_saved_is_refused(prompt: Prompt, version: Version, paula: User) -> None:
    draft = actions.open_draft(prompt=prompt, acting_user=paula)
    with pytest.raises(NothingChanged, match="version 1"):
        actions.save_version(draft=draft, message="again", acting_user=paula)


@pytest.mark.parametrize(
    "text", ["‏مرحبا ‮evil‬", "👩🏽‍🚀 🧵", "tab\tand\nnewline", "  spaces  ", "{{name}} <script>alert(1)</script>"]
)
def test_any_text_is_stored_exactly(draft: Draft, paula: User, text: str) -> None:
    version = actions.save_version(draft=write(draft, text), message="exact", acting_user=paula)
    assert Version.objects.get(pk=version.pk).messages[0]["content"] == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("null \x00 byte", "null byte"),
        ("half \ud83d emoji", "half of a Unicode"),
        ("x" * 1_100_000, "at most 1,024"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words(draft: Draft, text: str, words: str) -> None:
    with pytest.raises(DomainError, match=words):
        write(draft, text)
    assert Draft.objects.get(pk=draft.pk).revision == 1


@pytest.mark.parametrize(
    "parameters", [{"temperature": 3}, {"temperature": float("nan")}, {"max_tokens": 0}, {"magic": 1}, {"seed": "x"}]
)
def test_parameters_out_of_range_are_refused(draft: Draft, parameters: dict[str, object]) -> None:
    with pytest.raises(DomainError):
        write(draft, "x", model_config={"model": "m", "parameters": parameters})


def test_an_unfinished_text_is_kept_as_draft_but_is_no_version(draft: Draft, paula: User) -> None:
    draft = write(draft, "Dear {{#if")
    kept = write(draft, "Dear {{first name}}")
    with pytest.raises(DomainError, match="not a variable"):
        actions.save_version(draft=kept, message="no", acting_user=paula)
    assert Draft.objects.get(pk=draft.pk).messages[0]["content"] == "Dear {{first name}}"


@pytest.mark.parametrize("statement", ["UPDATE {} SET message = 'changed'", "DELETE FROM {}"])
def test_the_database_refuses_to_alter_a_version(version: Version, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append_only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(Version._meta.db_table))
    assert Version.objects.get(pk=version.pk).message == version.message


@pytest.mark.parametrize("name", ["", "  ", "a||b", "/lead", "trail/", "a//b", "new", "x" * 256, "nul\x00"])
def test_a_bad_name_is_refused(workspace: Workspace, paula: User, name: str) -> None:
    with pytest.raises(DomainError):
        actions.create_prompt(workspace=workspace, name=name, acting_user=paula)


def test_a_name_is_taken_once_in_a_workspace_only(workspace: Workspace, paula: User, prompt: Prompt) -> None:
    with pytest.raises(DomainError, match="already a prompt"):
        actions.create_prompt(workspace=workspace, name=prompt.name, acting_user=paula)
    other = factories.make_workspace("other")
    assert actions.create_prompt(workspace=other, name=prompt.name, acting_user=paula).pk


def test_the_audit_log_has_the_version_but_not_its_text(draft: Draft, paula: User) -> None:
    actions.save_version(draft=write(draft, "CANARY-TEXT"), message="first", acting_user=paula)
    event = AuditEvent.objects.get(verb="saved version")
    assert event.after["number"] == 1
    assert "CANARY" not in str(AuditEvent.objects.values_list())


DEEP: Any = {"type": "object"}
for _ in range(60):
    DEEP = {"type": "object", "properties": {"a": DEEP}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"messages": [{"role": "user", "content": 3}]}, "Message 1 has no text"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "Message 1 needs one of the roles"),
        ({"messages": [{"type": "placeholder", "name": "a b"}]}, "place 1 needs a name"),
        ({"messages": [{"type": "examples"}, {"type": "examples"}]}, "one place only"),
        ({"messages": [{"type": "placeholder", "name": "h"}] * 2}, "h stands there twice"),
        ({"messages": [{"type": "image"}]}, "of a kind that Galley does not know"),
        ({"examples": [{"input": "x"}]}, "Example 1 needs an input and an output"),
        ({"examples": [{"input": "x", "output": "y" * 2**20}]}, "The examples are 1.0 MB"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "Tool 1 needs a name"),
        ({"tools": [{"function": {"name": "a"}}, {"function": {"name": "a"}}]}, "two tools called a"),
        ({"tools": [{"function": {"name": "a", "parameters": {"type": 3}}}]}, "parameters of the tool a"),
        ({"tools": [{"function": {"name": "a", "description": 3}}]}, "description of the tool a"),
        ({"output_schema": DEEP}, "nested over 40 deep"),
        ({"output_schema": {"minimum": float("nan")}}, "not JSON"),
        ({"output_schema": {"description": "a\x00b"}}, "null byte"),
        ({"output_schema": {"description": "x" * 300_000}}, "over 256 kB"),
    ],
)
def test_a_wrong_shape_is_refused_by_name(prompt: Prompt, paula: User, changes: dict[str, Any], words: str) -> None:
    draft = actions.open_draft(prompt=prompt, acting_user=paula)
    content = {
        "messages": [{"role": "user", "content": "x"}],
        "format": "mustache",
        "variables": [],
        "model_config": {},
    }
    with pytest.raises(DomainError, match=words):
        actions.save_draft(draft=draft, revision=1, content={**content, **changes}, acting_user=paula)


def test_placeholders_examples_and_tools_come_through_to_the_version_and_its_hash(prompt: Prompt, paula: User) -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    content = {
        "messages": [
            {"role": "system", "content": "Hi"},
            {"type": "examples"},
            {"type": "placeholder", "name": "history"},
        ],
        "examples": [{"input": "{{a}}", "output": "b"}],
        "tools": [tool],
        "format": "mustache",
        "variables": [],
        "model_config": {},
    }
    hashes = set()
    for examples in (content["examples"], [{"input": "{{a}}", "output": "c"}]):
        draft = actions.open_draft(prompt=prompt, acting_user=paula)
        draft = actions.save_draft(
            draft=draft, revision=draft.revision, content={**content, "examples": examples}, acting_user=paula
        )
        version = actions.save_version(draft=draft, message="examples", acting_user=paula)
        hashes.add(version.content_hash)
    assert [(v["name"], v["type"]) for v in version.variables] == [("a", "string"), ("history", "messages")]
    assert (version.tools, len(hashes)) == ([tool], 2)


def test_a_text_prompt_stays_one_text(workspace: Workspace, paula: User) -> None:
    draft = actions.open_draft(prompt=factories.make_prompt(workspace, "t", kind="text"), acting_user=paula)
    content = {"format": "mustache", "variables": [], "model_config": {}}
    for items in (
        [{"type": "examples"}],
        [{"type": "placeholder", "name": "h"}],
        [{"role": "user", "content": "x"}] * 2,
    ):
        with pytest.raises(DomainError, match="one text"):
            actions.save_draft(draft=draft, revision=1, content={**content, "messages": items}, acting_user=paula)
