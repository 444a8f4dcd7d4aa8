"""Prompts come in from elsewhere: only what is new, never half, and nothing that is live moves."""

import io
import json
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.prompts import actions, exporting, importing
from apps.prompts.importing import Unreadable, galley, parsing
from apps.prompts.models import Deployment, Environment, Prompt, Version
from tests import factories
from tests.conftest import ClientOf

LANGFUSE = [
    {"name": "support/reply", "version": 2, "type": "chat", "labels": ["production", "latest"], "tags": ["mail"],
     "config": {"model": "gpt-4o", "temperature": 0.3, "odd": 1}, "commitMessage": "kinder",
     "prompt": [{"role": "system", "content": "Be kind to {{name}}."}, {"type": "placeholder", "name": "history"}]},
    {"name": "support/reply", "version": 1, "type": "chat", "labels": [], "tags": [], "config": {},
     "prompt": [{"role": "system", "content": "Be brief."}]},
    {"name": "tone", "version": 1, "type": "text", "prompt": "Kind and calm.", "config": None, "labels": ["latest"]},
]  # fmt: skip


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def zipped(**files: str | bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return target.getvalue()


def damaged(archive: bytes) -> bytes:
    """Break the packed text and leave the directory as it is."""
    start = archive.index(b"a.txt") + len(b"a.txt")
    return archive[:start] + bytes(byte ^ 0xFF for byte in archive[start : start + 12]) + archive[start + 12 :]


def take_in(workspace: Workspace, user: User, data: bytes, name: str = "x.json", dry_run: bool = False):
    batch = importing.read(name, data)
    return actions.import_prompts(workspace=workspace, batch=batch, acting_user=user, dry_run=dry_run)


def test_a_langfuse_export_comes_in_with_all_its_versions_in_order(workspace: Workspace, paula: User) -> None:
    report = take_in(workspace, paula, as_json(LANGFUSE))
    assert report.sentence.startswith("2 new prompts")
    prompt = Prompt.objects.get(name="support/reply")
    one, two = prompt.versions.order_by("number")
    assert one.messages == [{"role": "system", "content": "Be brief."}]
    assert two.message == "kinder"
    assert two.model_config == {"model": "gpt-4o", "parameters": {"temperature": 0.3}, "config": {"odd": 1}}
    assert [(v["name"], v["type"]) for v in two.variables] == [("name", "string"), ("history", "messages")]
    assert prompt.tags == ["mail"]
    notes = next(line.notes for line in report.lines if line.name == "support/reply")
    assert any("production" in note for note in notes)


def test_importing_again_adds_nothing(workspace: Workspace, paula: User) -> None:
    take_in(workspace, paula, as_json(LANGFUSE))
    report = take_in(workspace, paula, as_json(LANGFUSE))
    assert (report.added, report.count("same")) == (0, 2)
    assert Version.objects.count() == 3


def test_a_dry_run_says_the_same_and_keeps_nothing(workspace: Workspace, paula: User) -> None:
    report = take_in(workspace, paula, as_json(LANGFUSE), dry_run=True)
    assert (report.added, report.count("new")) == (3, 2)
    assert not Prompt.objects.exists()


def test_an_import_never_moves_what_is_live(
    workspace: Workspace, paula: User, environments: dict[str, Environment]
) -> None:
    take_in(workspace, paula, as_json(LANGFUSE[1:2]))
    live = actions.deploy(version=Version.objects.get(), environment=environments["dev"], actor=paula, replaces=None)
    take_in(workspace, paula, as_json(LANGFUSE))
    assert list(Deployment.objects.all()) == [live]


def test_one_bad_prompt_leaves_the_others_alone(workspace: Workspace, paula: User) -> None:
    bad = {"name": "bad", "version": 1, "prompt": "{{first name}}", "type": "text"}
    mixed = {"name": "odd", "version": 1, "prompt": 7, "type": "text"}
    report = take_in(workspace, paula, as_json([*LANGFUSE, bad, mixed]))
    assert [(line.name, line.status) for line in report.lines if line.problem] == [("bad", "refused")]
    assert report.problems == ["odd: its text is neither a text nor a list of messages."]
    assert Prompt.objects.count() == 2


def test_a_prompt_that_takes_in_another_comes_after_it(workspace: Workspace, paula: User) -> None:
    parent = {"name": "a", "version": 1, "prompt": "@@@langfusePrompt:name=z|version=1@@@ now", "type": "text"}
    child = {"name": "z", "version": 1, "prompt": "Be kind.", "type": "text"}
    assert take_in(workspace, paula, as_json([parent, child])).count("new") == 2


def test_what_examples_take_in_comes_before_them(workspace: Workspace, paula: User) -> None:
    child = {"name": "tone", "version": 1, "type": "text", "prompt": "Kind.", "config": None, "labels": []}
    tag = "@@@langfusePrompt:name=tone|version=1@@@"
    content = {
        "messages": [{"type": "examples"}, {"role": "user", "content": "@@@broken@@@ {{x}}"}],
        "examples": [{"input": tag, "output": "ok"}],
    }
    parent = importing.Incoming("reply", "chat", [importing.IncomingVersion(content, "in")])
    batch = importing.read("x.json", as_json([child]))
    both = importing.Batch("x", [parent, *batch.prompts])
    lines = actions.import_prompts(workspace=workspace, batch=both, acting_user=paula, dry_run=True).lines
    assert [line.name for line in lines] == ["tone", "reply"]


def test_two_of_one_name_become_two_versions(workspace: Workspace, paula: User) -> None:
    config = {"prompts": [{"label": "same", "raw": "One"}, {"label": "same", "raw": "Two"}]}
    take_in(workspace, paula, as_json(config))
    assert [v.messages[0]["content"] for v in Version.objects.order_by("number")] == ["One", "Two"]


def test_another_kind_under_the_same_name_is_refused(workspace: Workspace, paula: User) -> None:
    factories.make_prompt(workspace, "tone", kind="chat")
    report = take_in(workspace, paula, as_json(LANGFUSE[2:]))
    assert "There is a chat prompt of this name" in report.lines[0].problem


def test_a_folder_of_files_comes_in_by_its_paths(workspace: Workspace, paula: User) -> None:
    data = zipped(**{
        "prompts/support/reply.md": "Reply to {{name}}.", "prompts/logic.txt": "{% if vip %}Dear{% endif %} {{ name }}",
        "prompts/.hidden.txt": "no", "prompts/picture.png": b"\x89PNG", "prompts/empty.txt": " ",
    })  # fmt: skip
    report = take_in(workspace, paula, data, "prompts.zip")
    assert {(p.name, p.versions.get().format) for p in Prompt.objects.all()} == {
        ("support/reply", "mustache"),
        ("logic", "jinja"),
    }
    assert report.problems == ["prompts/empty.txt: it is empty"]


def test_promptfoo_prompts_come_in_with_the_files_they_point_to(workspace: Workspace, paula: User) -> None:
    config = """
prompts:
  - "Translate {{text}}"
  - file://one.txt
  - id: chatty
    raw: '[{"role": "system", "content": "Hi {{name}}"}]'
  - texts/two.md
  - file://evil.py
  - file://missing.txt
  - lost/three.txt
providers: [openai:gpt-4o]
"""
    report = take_in(
        workspace,
        paula,
        zipped(**{"promptfooconfig.yaml": config, "one.txt": "One {{a}}", "texts/two.md": "Two"}),
        "x.zip",
    )
    assert {(p.name, p.kind) for p in Prompt.objects.all()} == {
        ("prompt-1", "text"),
        ("one", "text"),
        ("two", "text"),
        ("chatty", "chat"),
    }
    assert "programs are never run" in report.problems[0]
    assert "missing.txt is not here" in report.problems[1]
    assert "lost/three.txt is not here" in report.problems[2]


def test_a_pasted_prompt_of_openai_comes_in(workspace: Workspace, paula: User) -> None:
    pasted = {
        "id": "pmpt_123", "name": "greeter", "version": "3", "model": "gpt-4.1", "temperature": 0.2,
        "max_output_tokens": 300, "instructions": "Greet {{name}}.",
        "input": [{"role": "developer", "content": [{"type": "input_text", "text": "Be kind."}]}],
        "variables": {"name": "Ines"},
        "tools": [{"type": "function", "name": "look_up", "parameters": {"type": "object"}}, {"type": "web_search"}],
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
    }  # fmt: skip
    report = take_in(workspace, paula, as_json(pasted))
    version = Version.objects.get()
    assert [message["role"] for message in version.messages] == ["system", "system"]
    assert version.model_config == {"model": "gpt-4.1", "parameters": {"temperature": 0.2, "max_tokens": 300}}
    assert version.tools[0]["function"]["name"] == "look_up"
    assert version.output_schema == {"type": "object"}
    assert version.variables[0]["example"] == "Ines"
    assert any("built-in tool" in note for note in report.lines[0].notes)


BILLION = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.json", b'[{"name": "a", "prompt": "half', "breaks off"),
        ("x.json", b"[" * 100_000, "numbers or depths"),
        ("x.json", b'[{"name": "a", "prompt": "x", "version": NaN}]', "numbers or depths"),
        ("x.json", b'{"some": "thing"}', "neither"),
        ("x.json", b"", "empty"),
        ("x.json", b"\xff\xfe\x00", "UTF-8"),
        ("x.json", b"x" * (8 * 2**20 + 1), "at most 8 MB"),
        ("x.yaml", b"a: [1, 2\n", "not YAML"),
        ("x.yaml", b"!!python/object/apply:os.system ['true']", "not YAML"),
        ("x.yaml", BILLION.encode(), "values"),
        ("x.yaml", b"a: &a [*a]", "deep"),
        ("x.yaml", b"format: galley/prompt\nformat_version: 99\nname: a\n", "newer Galley"),
        ("x.yaml", b"format: galley/prompt\nformat_version: 1\nname: a\n", "lacks"),
        ("x.zip", zipped(**{"a.txt": "hello"})[:40], "broken or only half"),
        ("x.zip", damaged(zipped(**{"a.txt": "hello world " * 400})), "broken or only half"),
        ("x.zip", zipped(**{"../../evil.txt": "x"}), "leads out"),
        ("x.zip", zipped(**{"/etc/evil.txt": "x"}), "leads out"),
        ("x.zip", zipped(**{"C:/evil.txt": "x"}), "leads out"),
        ("x.zip", zipped(**{"bomb.txt": "0" * (30 * 2**20)}), "too large"),
        ("x.zip", zipped(**{f"bomb{n}.txt": "0" * (2 * 2**20) for n in range(25)}), "too large"),
        ("x.zip", zipped(**{f"{n}.txt": "" for n in range(4_001)}), "over 4,000 files"),
        ("x.zip", zipped(**{"only.png": b"x"}), "No prompt was found"),
    ],
    # What is made anew each time may not name a test: side by side, two processes would not agree on it.
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_reason(name: str, data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        importing.read(name, data)


@pytest.mark.parametrize(
    "version",
    [
        {"messages": [{"role": "user", "content": "x"}], "variables": "no"},
        {"messages": [{"role": "user", "content": "x"}], "variables": [{"name": 7}]},
        {"messages": [{"role": "user", "content": "{{a}}"}], "variables": [{"name": "a", "type": ["x"]}]},
        {"messages": [{"role": "user", "content": "x"}], "model_config": {"parameters": [1]}},
        {"messages": [{"role": "user", "content": "x"}], "model_config": "no"},
        {"messages": [{"role": "user", "content": "x"}], "format": ["no"]},
        {"messages": [{"role": "user", "content": "x"}], "format": "no"},
        {"messages": [{"role": "user", "content": "x\x00"}]},
        {"messages": [{"role": "evil", "content": "x"}]},
        {"messages": ["x"]},
        {"messages": [{"role": "user", "content": "x"}], "output_schema": {"type": 7}},
        {"messages": [{"role": "user", "content": "x"}], "tools": {"a": 1}},
        {"messages": [{"role": "user", "content": "x"}], "examples": [1]},
    ],
)
def test_a_version_of_the_wrong_shape_is_refused_in_words(
    workspace: Workspace, paula: User, version: dict[str, Any]
) -> None:
    data = {"format": "galley/prompt", "format_version": 1, "name": "a", "kind": "chat", "versions": [version]}
    report = take_in(workspace, paula, as_json(data))
    assert report.lines[0].status == "refused"
    assert report.lines[0].problem
    assert not Prompt.objects.exists()


@pytest.mark.parametrize("value", ["2026-01-01", ".nan", ".inf"])
def test_yaml_values_that_json_lacks_are_refused(workspace: Workspace, paula: User, value: str) -> None:
    data = f"""
format: galley/prompt
format_version: 1
name: a
kind: text
versions:
- messages: [{{role: user, content: x}}]
  output_schema: {{default: {value}}}
"""
    assert "JSON does not have" in take_in(workspace, paula, data.encode(), "a.yaml").lines[0].problem


ODD = st.text(alphabet=st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"]), max_size=80)


@given(st.lists(ODD, min_size=1, max_size=3), ODD)
def test_a_file_reads_back_exactly_what_was_written(texts: list[str], message: str) -> None:
    messages = [{"role": "user", "content": text} for text in texts]
    example = {"input": texts[0], "output": message}
    version = Version(messages=messages, message=message, examples=[example], output_schema={"title": message})
    prompt = Prompt(name="a/b", kind="chat", description=message, tags=["x"])
    read = galley.read(parsing.from_yaml(galley.dump(prompt, [version]), "a.yaml"), "a.yaml")
    assert (read.name, read.description, read.tags) == ("a/b", message, ["x"])
    assert read.versions[0].content["messages"] == messages
    assert read.versions[0].content["examples"] == [example]
    assert read.versions[0].message == message


def test_what_goes_out_comes_back_as_nothing_new(workspace: Workspace, paula: User, better: Version) -> None:
    odd = [
        "other/one",
        "faq: refunds",
        ".drafts/tone",
        "../up",
        "a/../b",
        "50 %",
        "what?",
        "ends.",
        "__MACOSX/x",
        "日本",
    ]
    for name in odd:
        factories.make_version(factories.make_prompt(workspace, name), paula)
    archive = exporting.archive_of(workspace.prompts.all())
    assert take_in(workspace, paula, archive, "x.zip").added == 0
    other = factories.make_workspace("copy")
    assert take_in(other, paula, archive, "x.zip").added == 2 + len(odd)
    assert {*odd} < set(other.prompts.values_list("name", flat=True))
    hashes = [list(Version.objects.filter(prompt__workspace=one).order_by("prompt__name", "number").values_list("content_hash", flat=True)) for one in (workspace, other)]  # fmt: skip
    assert hashes[0] == hashes[1]


@pytest.fixture
def paulas(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def url(name: str, workspace: Workspace, **more: Any) -> str:
    return reverse(name, kwargs={"workspace": workspace.slug, **more})


def test_a_person_looks_first_and_then_imports(paulas: Client, workspace: Workspace) -> None:
    file = SimpleUploadedFile("langfuse.json", as_json(LANGFUSE))
    answer = paulas.post(url("prompt_import", workspace), {"file": file})
    assert b"What would come in" in answer.content
    assert not Prompt.objects.exists()
    answer = paulas.post(url("prompt_import_apply", workspace), {"token": answer.context["token"]})
    assert b"What came in" in answer.content
    assert Prompt.objects.count() == 2


def test_nobody_imports_what_another_read(
    paulas: Client, client_of: ClientOf, olga: User, workspace: Workspace
) -> None:
    answer = paulas.post(url("prompt_import", workspace), {"pasted": json.dumps(LANGFUSE)})
    token = answer.context["token"]
    assert client_of(olga).post(url("prompt_import_apply", workspace), {"token": token}).status_code == 302
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    "data", [{}, {"pasted": "x", "url": "https://example.com"}, {"url": "https://example.com"}, {"pasted": "{"}]
)
def test_a_form_without_one_source_is_refused(paulas: Client, workspace: Workspace, data: dict[str, str]) -> None:
    assert paulas.post(url("prompt_import", workspace), data).status_code == 422


def test_a_private_server_is_not_called(paulas: Client, workspace: Workspace) -> None:
    data = {"url": "http://169.254.169.254/", "public_key": "a", "secret_key": "b"}
    answer = paulas.post(url("prompt_import", workspace), data)
    assert answer.status_code == 422
    assert b"never called" in answer.content


def test_a_prompt_goes_out_as_a_file_and_a_folder_as_a_zip(
    paulas: Client, workspace: Workspace, better: Version
) -> None:
    answer = paulas.get(url("prompt_export", workspace, prompt_id=better.prompt_id), {"version": 2})
    assert "reply-v2.yaml" in answer["Content-Disposition"]
    assert [v.message for v in importing.read("a.yaml", answer.content).prompts[0].versions] == ["kinder"]
    answer = paulas.get(url("prompt_export_all", workspace), {"folder": "support"})
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["support/reply.yaml"]


def test_too_many_prompts_for_one_file_are_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "MAX_PROMPTS", 1)
    for name in ("a", "b"):
        factories.make_prompt(workspace, name)
    with pytest.raises(DomainError, match="folder by folder"):
        exporting.archive_of(workspace.prompts.all())
