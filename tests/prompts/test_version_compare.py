import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.prompts import actions
from apps.prompts.models import Draft, Environment, Prompt, Version
from tests import factories
from tests.conftest import ClientOf


@pytest.fixture
def paulas(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def compare(client: Client, version: Version, **query: object):
    place = {"workspace": version.prompt.workspace.slug, "prompt_id": version.prompt_id}
    return client.get(reverse("version_compare", kwargs=place), {**query})


def text_of(answer) -> str:
    return answer.content.decode()


def test_two_versions_are_compared_in_a_sentence_and_word_by_word(paulas: Client, better: Version) -> None:
    page = text_of(compare(paulas, better, **{"from": 1, "to": 2}))
    assert "1 message changed." in page
    assert "<ins>" in page


def test_the_own_draft_is_compared_with_what_is_live(
    paulas: Client, better: Version, paula: User, environments: dict[str, Environment]
) -> None:
    actions.deploy(version=better, environment=environments["dev"], actor=paula, replaces=None)
    draft = actions.open_draft(prompt=better.prompt, acting_user=paula)
    Draft.objects.filter(pk=draft.pk).update(messages=[{"role": "system", "content": "Be brief and cold."}])
    page = text_of(compare(paulas, better, **{"from": "live:dev", "to": "draft"}))
    assert "v2, live in dev → your draft" in page
    assert "<ins>cold</ins>" in page


def test_nobody_compares_the_draft_of_another(client_of: ClientOf, ravi: User, better: Version, paula: User) -> None:
    actions.open_draft(prompt=better.prompt, acting_user=paula)
    assert compare(client_of(ravi), better, **{"from": 1, "to": "draft"}).status_code == 404


def test_the_two_columns_are_kept_when_the_sides_are_swapped(paulas: Client, better: Version) -> None:
    page = text_of(compare(paulas, better, **{"from": 1, "to": 2, "view": "split"}))
    assert "g-diff-row" in page
    assert "from=2&amp;to=1&amp;view=split" in page


@pytest.mark.parametrize("key", ["", "0", "x", "live:", "live:nowhere", "draft", "-1", "1.0", "²"])
def test_a_side_that_is_not_there_is_not_found(paulas: Client, better: Version, key: str) -> None:
    assert compare(paulas, better, **{"from": key, "to": 2}).status_code == 404


def test_equal_sides_say_so(paulas: Client, better: Version) -> None:
    assert "Nothing differs" in text_of(compare(paulas, better, **{"from": 2, "to": 2}))


def test_hostile_texts_are_shown_and_never_run(paulas: Client, prompt: Prompt, paula: User) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    factories.make_version(prompt, paula, messages=[{"role": "user", "content": f"{evil} one\n" * 40}])
    variables = [{"name": evil, "type": evil, "required": True, "default": evil, "example": evil, "description": evil}]
    version = factories.make_version(
        prompt, paula, messages=[{"role": "user", "content": f"{evil} two\n" * 40}], variables=variables,
        output_schema={"properties": {evil: {"type": evil}}},
    )  # fmt: skip
    for view in ("inline", "split"):
        page = text_of(compare(paulas, version, **{"from": 1, "to": 2, "view": view}))
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert" in page


def test_comparing_needs_few_queries(paulas: Client, better: Version, django_assert_max_num_queries: object) -> None:
    with django_assert_max_num_queries(14):
        compare(paulas, better, **{"from": 1, "to": 2})


def restore(client: Client, version: Version, **data: str):
    place = {"workspace": version.prompt.workspace.slug, "prompt_id": version.prompt_id, "number": version.number}
    return client.post(reverse("version_restore", kwargs=place), data)


def test_a_version_is_restored_to_a_draft(paulas: Client, version: Version, better: Version) -> None:
    assert restore(paulas, version).status_code == 302
    assert Draft.objects.get().messages == version.messages


def test_a_draft_in_the_way_is_shown_and_replaced_only_on_purpose(
    paulas: Client, version: Version, better: Version, paula: User
) -> None:
    actions.open_draft(prompt=version.prompt, acting_user=paula)
    answer = restore(paulas, version)
    assert answer.status_code == 409
    assert "Keep my draft" in text_of(answer)
    assert Draft.objects.get().messages == better.messages
    assert restore(paulas, version, replace="on").status_code == 302
    assert (Draft.objects.get().messages, Draft.objects.get().based_on) == (version.messages, version)


def test_a_draft_that_says_the_same_is_no_obstacle(paulas: Client, version: Version, paula: User) -> None:
    actions.open_draft(prompt=version.prompt, acting_user=paula)
    assert restore(paulas, version).status_code == 302


def test_the_draft_of_another_is_never_replaced(
    client_of: ClientOf, paulas: Client, version: Version, better: Version, paula: User, olga: User
) -> None:
    actions.open_draft(prompt=version.prompt, acting_user=olga)
    restore(paulas, version, replace="on")
    assert Draft.objects.get(author=olga).messages == better.messages
