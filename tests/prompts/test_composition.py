"""Prompts inside prompts: what comes out, and everything that is refused."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.prompts import actions, composition, parents, rendering
from apps.prompts.models import Deployment, Environment, Label, Prompt, Version, VersionReference
from apps.prompts.references import BadReference, Reference
from apps.prompts.variables import ContractError
from tests import factories
from tests.prompts.test_races import Work, at_once, crashes, slowly

Environments = dict[str, Environment]


def tag(name: str, which: int | str) -> str:
    version, label = (which, None) if isinstance(which, int) else (None, which)
    return Reference(name, version, label).tag


def write(prompt: Prompt, author: User, text: str, **fields: Any) -> Version:
    """Save a text as the prompt's next version, as a person does."""
    draft = actions.open_draft(prompt=prompt, acting_user=author)
    content = {
        "messages": [{"role": "user", "content": text}],
        "format": "mustache",
        "variables": [],
        "model_config": {},
    }
    draft = actions.save_draft(draft=draft, revision=draft.revision, content={**content, **fields}, acting_user=author)
    draft.refresh_from_db()
    return actions.save_version(draft=draft, message="as it was", acting_user=author)


def snippet(workspace: Workspace, author: User, name: str, text: str, **fields: Any) -> Version:
    return write(factories.make_prompt(workspace, name, kind="text"), author, text, **fields)


def put_live(version: Version, environment: Environment) -> Deployment:
    """Put a version live past every rule: what a test begins with."""
    previous = Deployment.objects.by_prompt(environment.pk, [version.prompt_id]).get(version.prompt_id)
    deployment = Deployment.objects.create(prompt=version.prompt, environment=environment, previous=previous)
    deployment.arms.create(version=version)
    return deployment


def text_of(version: Version) -> str:
    return str(composition.resolve(version, workspace_id=version.prompt.workspace_id).messages[0]["content"])


def test_a_version_takes_in_what_a_number_and_an_environment_lead_to(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    tone = snippet(workspace, paula, "shared/tone", "Be kind to {{customer}}.")
    put_live(tone, environments["dev"])
    write(tone.prompt, paula, "Be brief.")
    both = f"{tag('shared/tone', 2)} {tag('shared/tone', 'dev')} End."
    parent = snippet(workspace, paula, "parent", both)
    resolved = composition.resolve(parent, workspace_id=workspace.pk)
    assert resolved.messages[0]["content"] == "Be brief. Be kind to {{customer}}. End."
    assert resolved.references == [
        {"name": "shared/tone", "version": 2, "label": None},
        {"name": "shared/tone", "version": 1, "label": "dev"},
    ]
    assert [variable["name"] for variable in parent.variables] == ["customer"]
    filled = rendering.messages_of(parent, {"customer": "Ines"})
    assert filled[0]["content"] == "Be brief. Be kind to Ines. End."


def test_a_value_that_looks_like_a_reference_is_never_followed(workspace: Workspace, paula: User) -> None:
    secret = snippet(workspace, paula, "secret", "Our margin is 40 %.")
    parent = snippet(workspace, paula, "parent", "Hello {{name}} " + tag("secret", 1))
    filled = rendering.messages_of(parent, {"name": tag("secret", 1)})
    assert filled[0]["content"] == f"Hello {tag('secret', 1)} {text_of(secret)}"


def test_a_label_leads_to_another_version_once_it_is_moved(workspace: Workspace, paula: User) -> None:
    one = snippet(workspace, paula, "tone", "One.")
    two = write(one.prompt, paula, "Two.")
    label = Label.objects.create(prompt=one.prompt, name="winner", version=one)
    parent = snippet(workspace, paula, "parent", tag("tone", "winner"))
    mark = composition.resolve(parent, workspace_id=workspace.pk).mark
    Label.objects.filter(pk=label.pk).update(version=two)
    assert text_of(parent) == "Two."
    assert composition.resolve(parent, workspace_id=workspace.pk).mark != mark


def test_examples_take_others_in_too(workspace: Workspace, paula: User) -> None:
    snippet(workspace, paula, "tone", "Kindly.")
    chat = factories.make_prompt(workspace, "chat")
    version = write(
        chat,
        paula,
        "",
        messages=[
            {"role": "system", "content": "Answer."},
            {"type": "examples"},
            {"type": "placeholder", "name": "history"},
        ],
        examples=[{"input": "Hi {{who}}", "output": tag("tone", 1)}],
    )
    said = [{"role": "user", "content": "{{who}}"}]
    filled = rendering.messages_of(version, {"who": "Ines", "history": said})
    assert [message["content"] for message in filled] == ["Answer.", "Hi Ines", "Kindly.", "{{who}}"]


def test_everything_that_is_missing_is_listed_in_one_sentence(workspace: Workspace, paula: User) -> None:
    snippet(workspace, paula, "tone", "Kindly.")
    with pytest.raises(BadReference) as refusal:
        snippet(workspace, paula, "parent", tag("nobody", 1) + tag("tone", 7) + tag("tone", "production"))
    for words in ("no prompt nobody", "tone has no version 7", "nothing of tone is live in “production”"):
        assert words in refusal.value.message


@pytest.mark.parametrize(
    "broken",
    ["name=a", "version=1", "name=a|version=x", "name=a|version=1|label=b", "label=b|name=", "name=a|version=²"],
)
def test_a_tag_that_cannot_be_read_is_refused(workspace: Workspace, paula: User, broken: str) -> None:
    with pytest.raises(BadReference):
        snippet(workspace, paula, "parent", f"@@@langfusePrompt:{broken}@@@")


def test_a_chat_prompt_an_archived_one_and_one_of_another_format_are_not_taken_in(
    workspace: Workspace, paula: User
) -> None:
    write(factories.make_prompt(workspace, "chat"), paula, "Hello.")
    with pytest.raises(BadReference, match="chat is a chat prompt"):
        snippet(workspace, paula, "one", tag("chat", 1))
    snippet(workspace, paula, "fine", "Dear {name}", format="fstring")
    with pytest.raises(BadReference, match="must be written in the same"):
        snippet(workspace, paula, "two", tag("fine", 1))
    old = snippet(workspace, paula, "old", "Old.")
    actions.archive_prompt(prompt=old.prompt, acting_user=paula)
    with pytest.raises(BadReference, match="Archived"):
        snippet(workspace, paula, "three", tag("old", 1))


def test_a_variable_of_two_types_names_both_places(workspace: Workspace, paula: User) -> None:
    number = {"name": "limit", "type": "integer"}
    snippet(workspace, paula, "length", "At most {{limit}} words.", variables=[number])
    with pytest.raises(ContractError, match="limit is a string in this prompt and a integer in length v1"):
        snippet(
            workspace, paula, "parent", tag("length", 1) + "{{limit}}", variables=[{"name": "limit", "type": "string"}]
        )


def test_another_workspace_has_nothing_to_take_in(workspace: Workspace, paula: User) -> None:
    elsewhere = factories.make_workspace("elsewhere")
    factories.make_version(
        factories.make_prompt(elsewhere, "tone", kind="text"), messages=[{"role": "user", "content": "x"}]
    )
    with pytest.raises(BadReference, match="no prompt tone"):
        snippet(workspace, paula, "parent", tag("tone", 1))


def test_prompts_go_five_levels_deep_and_not_six(workspace: Workspace, paula: User) -> None:
    snippet(workspace, paula, "p0", "end")
    for level in range(1, 6):
        snippet(workspace, paula, f"p{level}", tag(f"p{level - 1}", 1))
    with pytest.raises(BadReference, match="p6 → p5 → p4 → p3 → p2 → p1 → p0 is deeper"):
        snippet(workspace, paula, "p6", tag("p5", 1))


def test_a_bomb_of_references_is_refused_before_it_fills_the_memory(workspace: Workspace, paula: User) -> None:
    snippet(workspace, paula, "b0", "x" * 900_000)
    with pytest.raises(BadReference, match="2 MB"):
        snippet(workspace, paula, "b1", tag("b0", 1) * 1_000)
    snippet(workspace, paula, "e0", "x")
    snippet(workspace, paula, "e1", tag("e0", 1) * 500)
    with pytest.raises(BadReference, match="over 1,000 times"):
        snippet(workspace, paula, "e2", tag("e1", 1) * 500)


def test_nobody_takes_itself_in(workspace: Workspace, paula: User) -> None:
    own = snippet(workspace, paula, "own", "Text.")
    with pytest.raises(BadReference, match="own cannot take itself in"):
        write(own.prompt, paula, tag("own", 1))


def test_a_circle_is_refused_with_its_prompts_in_order(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    a = snippet(workspace, paula, "a", "Text.")
    put_live(a, environments["dev"])
    b = snippet(workspace, paula, "b", tag("a", "dev"))
    put_live(b, environments["dev"])
    with pytest.raises(BadReference, match="a → b → a"):
        write(a.prompt, paula, tag("b", "dev"))


def test_a_circle_that_only_an_undo_would_close_is_refused_when_it_is_written(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    b = snippet(workspace, paula, "b", "Text.")
    put_live(b, environments["dev"])
    a = snippet(workspace, paula, "a", tag("b", "dev"))
    put_live(a, environments["dev"])
    put_live(write(a.prompt, paula, "Alone."), environments["dev"])
    with pytest.raises(BadReference, match="b → a → b"):
        write(b.prompt, paula, tag("a", "dev"))


def test_a_promotion_that_closes_a_circle_is_refused(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    dev = environments["dev"]
    a = snippet(workspace, paula, "a", "Text.")
    live = put_live(a, dev)
    b = factories.make_version(
        factories.make_prompt(workspace, "b", kind="text"),
        messages=[{"role": "user", "content": tag("a", "dev")}],
        variables=[],
    )
    composition.record(b)
    put_live(b, dev)
    # Written past the rule for writing, as a restored database could hold it.
    back = factories.make_version(a.prompt, messages=[{"role": "user", "content": tag("b", "dev")}], variables=[])
    with pytest.raises(BadReference, match="circle"):
        actions.deploy(version=back, environment=dev, actor=paula, replaces=live)


def test_a_child_whose_move_would_break_a_parent_that_is_live_is_refused(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    dev = environments["dev"]
    tone = snippet(workspace, paula, "tone", "At most {{limit}}.", variables=[{"name": "limit", "type": "integer"}])
    live = put_live(tone, dev)
    parent = snippet(workspace, paula, "parent", tag("tone", "dev"))
    other = write(tone.prompt, paula, "At most {{limit}}.", variables=[{"name": "limit", "type": "string"}])
    put_live(parent, dev)
    with pytest.raises(BadReference, match="parent v1 takes tone in and would break: limit"):
        actions.deploy(version=other, environment=dev, actor=paula, replaces=live)
    assert text_of(parent) == "At most {{limit}}."


def test_a_guarded_place_does_not_follow_what_moves_unasked(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    tone = snippet(workspace, paula, "tone", "Kindly.")
    put_live(tone, environments["dev"])
    put_live(tone, environments["production"])
    Label.objects.create(prompt=tone.prompt, name="winner", version=tone)
    for label in ("dev", "winner", "latest"):
        parent = snippet(workspace, paula, f"parent-{label}", tag("tone", label))
        composition.check_move(parent, "dev")
        with pytest.raises(BadReference, match="without what production asks for"):
            composition.check_move(parent, "production")
    for which in (1, "production"):
        composition.check_move(snippet(workspace, paula, f"fine-{which}", tag("tone", which)), "production")


def test_what_others_take_in_cannot_be_archived_and_the_refusal_names_them(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    tone = snippet(workspace, paula, "tone", "Kindly.")
    middle = snippet(workspace, paula, "middle", tag("tone", 1))
    snippet(workspace, paula, "top", tag("middle", 1))
    write(middle.prompt, paula, "No longer.")
    # The newest text of the one between does not use it; the version that the top is pinned to still does.
    assert [str(version) for version in composition.parents_of(tone.prompt)] == ["top v1"]
    with pytest.raises(DomainError, match="top"):
        actions.archive_prompt(prompt=tone.prompt, acting_user=paula)


def test_old_versions_that_nothing_leads_to_hold_nobody(workspace: Workspace, paula: User) -> None:
    tone = snippet(workspace, paula, "tone", "Kindly.")
    parent = snippet(workspace, paula, "parent", tag("tone", 1))
    write(parent.prompt, paula, "Alone.")
    assert composition.parents_of(tone.prompt) == []
    actions.archive_prompt(prompt=tone.prompt, acting_user=paula)
    assert text_of(parent) == "Kindly."


def test_parents_by_label_are_those_that_its_move_changes(
    workspace: Workspace, paula: User, environments: Environments
) -> None:
    tone = snippet(workspace, paula, "tone", "Kindly.")
    for name in ("dev", "staging"):
        put_live(tone, environments[name])
    snippet(workspace, paula, "pinned", tag("tone", 1))
    snippet(workspace, paula, "by-dev", tag("tone", "dev"))
    over = snippet(workspace, paula, "over", tag("by-dev", 1))
    found = parents.of(tone.prompt, "dev")
    assert [str(parent.version) for parent in found] == ["by-dev v1", "over v1"]
    assert [str(version) for version in found[1].through] == ["by-dev v1"]
    assert over.pk == found[1].version.pk
    assert [str(version) for version in composition.parents_of(tone.prompt, label="staging")] == []


def test_many_are_resolved_with_as_many_queries_as_one(
    workspace: Workspace, paula: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    snippet(workspace, paula, "tone", "Kindly.")
    snippet(workspace, paula, "middle", tag("tone", 1))
    versions = [snippet(workspace, paula, f"top{number}", tag("middle", 1)) for number in range(12)]
    with django_assert_max_num_queries(3):
        found = list(composition.resolve_many(versions, workspace_id=workspace.pk))
    assert {resolved.messages[0]["content"] for resolved in found} == {"Kindly."}


def test_a_text_without_references_costs_no_query(
    version: Version, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(0):
        rendering.messages_of(version, {"customer": "Ines", "message": "@@@"})


@pytest.mark.django_db(transaction=True)
def test_two_people_who_close_a_circle_at_once_do_not_both_succeed(
    workspace: Workspace, paula: User, olga: User
) -> None:
    one, two = (snippet(workspace, paula, name, "Text.") for name in ("one", "two"))

    def closing(version: Version, author: User, other: str) -> Work:
        draft = actions.open_draft(prompt=version.prompt, acting_user=author)
        content = {
            "messages": [{"role": "user", "content": tag(other, "latest")}],
            "format": "mustache",
            "variables": [],
            "model_config": {},
        }
        draft = actions.save_draft(draft=draft, revision=draft.revision, content=content, acting_user=author)
        return lambda: actions.save_version(draft=draft, message="closing", acting_user=author)

    outcomes = at_once(slowly(closing(one, paula, "two")), slowly(closing(two, olga, "one")))
    assert crashes(outcomes) == []
    assert sum(isinstance(outcome, BadReference) for outcome in outcomes) == 1
    assert VersionReference.objects.count() == 1
