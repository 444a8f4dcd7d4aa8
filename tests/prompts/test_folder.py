"""For people who keep prompts under version control: a folder becomes one change request, or nothing at all."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.prompts import actions, exporting
from apps.prompts.models import ChangeRequest, Version
from tests import factories


@pytest.fixture
def places(workspace):
    return factories.make_environments(workspace)


@pytest.fixture
def folder(tmp_path: Path, workspace, paula) -> Path:
    """A folder with two exported prompts, one of which then got another text in its file."""
    for name in ("support/reply", "support/classify"):
        prompt = factories.make_prompt(workspace, name)
        factories.make_version(prompt, paula)
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(exporting.file_of(prompt))
    return tmp_path


def change(folder: Path) -> None:
    path = folder / "support/reply.yaml"
    path.write_text(path.read_text().replace("Be brief.", "Be brief and kind."))


def run(verb: str, folder: Path, person="paula@example.com", **options) -> str:
    out = StringIO()
    given = {"workspace": "acme", "environment": "production", **options}
    words = [f"--{name}={value}" for name, value in given.items()]
    call_command("prompts", verb, str(folder), f"--as={person}", *words, stdout=out)
    return out.getvalue()


def test_a_plan_says_what_would_change_and_keeps_nothing(folder, places, workspace):
    change(folder)
    said = run("plan", folder)
    assert "~ support/reply: version 2 in place of nothing" in said
    assert "2 would change" in said
    assert (Version.objects.count(), ChangeRequest.objects.count()) == (2, 0)


def test_applying_opens_one_request_for_all_that_changes(folder, places, workspace):
    change(folder)
    said = run("apply", folder, title="Kinder answers")
    request = ChangeRequest.objects.get()
    assert (request.title, request.state, request.items.count()) == ("Kinder answers", "open", 2)
    assert f"Request #{request.number} asks for 2 of them" in said
    newest = Version.objects.get(prompt__name="support/reply", number=2)
    assert "kind" in newest.messages[0]["content"]


def test_what_is_live_already_is_left_alone(folder, places, workspace, paula):
    for version in Version.objects.select_related("prompt__workspace"):
        actions.deploy(version=version, environment=places["staging"], actor=paula, replaces=None)
    assert "Nothing to change." in run("apply", folder, environment="staging")
    change(folder)
    run("apply", folder, environment="staging")
    assert [item.prompt.name for item in ChangeRequest.objects.get().items.all()] == ["support/reply"]


def test_applying_never_moves_production(folder, places, workspace):
    run("apply", folder)
    assert not places["production"].deployments.exists()


def test_applying_twice_asks_once(folder, places, workspace):
    run("apply", folder)
    with pytest.raises(CommandError, match="already waits"):
        run("apply", folder)
    assert ChangeRequest.objects.count() == 1


@pytest.mark.parametrize(
    "half", ["", "format: galley/prompt\nname: [", "format: galley/prompt\nformat_version: 99\nname: x\n"]
)
def test_a_folder_that_is_half_written_changes_nothing(folder, places, workspace, half):
    change(folder)
    (folder / "support/half.yaml").write_text(half)
    with pytest.raises(CommandError, match=r"half\.yaml(.|\n)*Nothing was changed"):
        run("apply", folder)
    assert (Version.objects.count(), ChangeRequest.objects.count()) == (2, 0)


def test_who_may_not_write_asks_for_nothing(folder, places, workspace, ravi, stranger):
    for person in (ravi, stranger):
        with pytest.raises(CommandError, match="may not write prompts"):
            run("apply", folder, person=person.email)
    with pytest.raises(CommandError, match="Nobody here"):
        run("apply", folder, person="nobody@example.com")


def test_links_and_hidden_files_stay_out(folder, places, workspace, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text("not: a prompt")
    (folder / "link.yaml").symlink_to(outside)
    (folder / ".hidden.yaml").write_text("not: a prompt")
    assert "2 would change" in run("plan", folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workspace": "nowhere"}, "There is no workspace nowhere"),
        ({"environment": "moon"}, "acme has no environment moon"),
    ],
)
def test_what_is_not_there_is_named(folder, places, options, words):
    with pytest.raises(CommandError, match=words):
        run("plan", folder, **options)


def test_a_folder_that_is_none_or_empty_is_told(places, tmp_path, workspace, paula):
    with pytest.raises(CommandError, match="There is no folder"):
        run("plan", tmp_path / "gone")
    with pytest.raises(CommandError, match="no prompt file"):
        run("plan", tmp_path)


def test_more_than_a_request_holds_is_said_with_the_way_out(folder, places, workspace, monkeypatch):
    monkeypatch.setattr("apps.prompts.actions.folder.MOST_PROMPTS", 1)
    change(folder)
    with pytest.raises(CommandError, match=r"2 prompts of this folder.*one subfolder after the other"):
        run("apply", folder, title="Kinder answers")
    assert (Version.objects.count(), ChangeRequest.objects.count()) == (2, 0)
