"""The playground's page: what it opens with, what it asks without streams, who may."""

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.costs.models import Charge
from apps.llm.models import Call, Model
from apps.prompts import actions, pace
from apps.prompts.models import Environment, Prompt, Version
from tests import factories
from tests.conftest import ClientOf
from tests.llm.calls import made
from tests.llm.conftest import priced

pytestmark = pytest.mark.django_db(transaction=True)
INPUTS = {"input-customer": "Ines", "input-message": "Where is my order PM-10231?"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def url(prompt: Prompt, name: str = "prompt_try") -> str:
    return reverse(name, kwargs={"workspace": prompt.workspace.slug, "prompt_id": prompt.pk})


def ask(client: Client, prompt: Prompt, *keys: str, **fields: Any) -> str:
    models = fields.pop("models", [""] * len(keys))
    answer = client.post(url(prompt), {**INPUTS, "source": list(keys), "model": models, **fields})
    return html.unescape(answer.content.decode())


def test_it_opens_on_the_draft_beside_what_is_live(
    of_paula: Client, better: Version, environments: dict[str, Environment], paula: User
) -> None:
    first = better.prompt.versions.get(number=1)
    actions.deploy(version=first, environment=environments["dev"], actor=paula, replaces=None)
    actions.open_draft(prompt=better.prompt, acting_user=paula)
    shown = of_paula.get(url(better.prompt)).context["slots"]
    assert [slot["column"].key for slot in shown if slot["is_open"]] == ["draft", "live:dev"]


def test_it_opens_on_the_newest_version_alone_when_that_is_live(
    of_paula: Client, version: Version, environments: dict[str, Environment], paula: User
) -> None:
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    shown = of_paula.get(url(version.prompt)).context["slots"]
    assert [slot["column"].key for slot in shown if slot["is_open"]] == ["v1"]


def test_the_fields_open_with_the_examples(of_paula: Client, version: Version) -> None:
    content = of_paula.get(url(version.prompt)).content.decode()
    assert "Where is it?" in content
    assert 'name="input-customer"' in content


def test_a_prompt_without_anything_says_what_to_do(of_paula: Client, prompt: Prompt) -> None:
    assert b"Nothing to try yet" in of_paula.get(url(prompt)).content


def test_a_text_that_cannot_be_read_is_said(of_paula: Client, prompt: Prompt, paula: User) -> None:
    draft = actions.open_draft(prompt=prompt, acting_user=paula)
    content = {**draft.content(), "messages": [{"role": "user", "content": "{{1x}}"}]}
    actions.save_draft(draft=draft, revision=1, content=content, acting_user=paula)
    assert "Your draft: {{1x}} is not a variable" in html.unescape(of_paula.get(url(prompt)).content.decode())


def test_other_columns_bring_their_variables_and_keep_what_was_typed(
    of_paula: Client, version: Version, paula: User
) -> None:
    factories.make_version(
        version.prompt,
        messages=[{"role": "user", "content": "{{tone}}"}],
        variables=[{"name": "tone", "type": "string", "required": True, "default": None, "example": ""}],
    )
    fields = {**INPUTS, "source": ["v1", "v2"], "model": ["", ""], "op": "fields"}
    content = of_paula.post(url(version.prompt), fields, headers=HTMX).content.decode()
    assert 'name="input-tone"' in content
    assert "PM-10231" in content
    assert not Call.objects.exists()


def test_a_placeholder_is_a_list_of_messages(of_paula: Client, prompt: Prompt) -> None:
    past = {"name": "past", "type": "messages", "required": True, "default": None, "example": "", "description": ""}
    factories.make_version(prompt, messages=[{"type": "placeholder", "name": "past"}], variables=[past])
    load = '{"past": [{"role": "assistant", "content": "Good day"}]}'
    content = of_paula.post(url(prompt), {"source": "v1", "load": load}, headers=HTMX).content.decode()
    assert content.count('name="input-past-content"') == 3  # one that came, one to write, one to copy
    assert "Good day" in content


def test_without_streams_every_column_answers_at_once(of_paula: Client, better: Version, model: Model) -> None:
    content = ask(of_paula, better.prompt, "v1", "v2")
    texts = [call.body.text for call in Call.objects.order_by("id")]
    assert len(texts) == 2
    assert all(text in content for text in texts)
    assert {charge.version_number for charge in Charge.objects.all()} == {1, 2}
    assert content.count('data-state="done"') == 2


def test_a_column_that_cannot_be_asked_says_why_and_the_others_answer(
    of_paula: Client,
    version: Version,
    model: Model,
) -> None:
    bare = factories.make_version(version.prompt, model_config={})
    broken = priced(factories.make_model(model.connection, f"{model.name}!401"))
    content = ask(of_paula, bare.prompt, "v1", "v2", "v1", models=["", "", str(broken.pk)])
    assert "Version 2 does not say which model answers it. Choose one for this column." in content
    assert (content.count('data-state="done"'), content.count('data-state="failed"')) == (1, 2)


def test_missing_values_are_named_per_column(of_paula: Client, version: Version, model: Model) -> None:
    assert "customer is missing" in ask(of_paula, version.prompt, "v1", **{"input-customer": ""})
    assert not Call.objects.exists()


def test_again_shows_the_spread_without_streams_too(of_paula: Client, version: Version, model: Model) -> None:
    content = ask(of_paula, version.prompt, "v1", op="again", again="3")
    assert "in 3 runs" in content
    assert Call.objects.count() == 3


def test_a_hostile_answer_is_text(of_paula: Client, version: Version, model: Model) -> None:
    answer = of_paula.post(
        url(version.prompt),
        {
            "source": "v1",
            "model": "",
            "input-customer": "<img src=x onerror=1>",
            "input-message": "</textarea><script>1</script>",
        },
    )
    content = answer.content.decode()
    assert "<img src=x" not in content
    assert "<script>1" not in content


def test_a_column_can_be_added_without_scripts(of_paula: Client, better: Version) -> None:
    answer = of_paula.post(url(better.prompt), {**INPUTS, "source": ["v1"], "model": [""], "op": "add"})
    opened = [slot["column"].key for slot in answer.context["slots"] if slot["is_open"]]
    assert opened == ["v1", "v2"]
    assert not Call.objects.exists()


def test_five_columns_are_four(of_paula: Client, version: Version) -> None:
    answer = of_paula.post(url(version.prompt), {**INPUTS, "source": ["v1"] * 5, "op": "fields"})
    assert sum(slot["is_open"] for slot in answer.context["slots"]) == 4


def test_inputs_that_are_too_large_are_refused_on_the_page(of_paula: Client, version: Version) -> None:
    assert "512 kB can be tried" in ask(of_paula, version.prompt, "v1", **{"input-message": "x" * 600_000})


def test_who_asks_too_often_is_told_to_wait(
    of_paula: Client, version: Version, paula: User, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "A_MINUTE", 3)
    long_ago, now = timezone.now() - timedelta(minutes=2), timezone.now()
    for at in (long_ago, long_ago, now, now):
        made(model, at, purpose="playground", user_id=paula.pk)
    assert "Done" in ask(of_paula, version.prompt, "v1")
    assert "over 3 questions within a minute" in ask(of_paula, version.prompt, "v1")
    assert Call.objects.count() == 5


def test_the_differences_of_two_answers_are_words(of_paula: Client, version: Version) -> None:
    place = url(version.prompt, "prompt_try_diff")
    fields = {"one": "It comes on <b>Monday</b>", "other": "It comes on Tuesday", "one_label": "Your draft"}
    content = of_paula.post(place, fields, headers=HTMX).content.decode()
    assert "<ins>Tuesday</ins>" in content
    assert "<b>Monday" not in content
    assert b"exactly the same" in of_paula.post(place, {"one": "x", "other": "x"}).content
    assert of_paula.post(place, {"one": "x" * 600_000}, headers=HTMX).status_code == 422


def test_only_editors_may_try(client_of: ClientOf, version: Version, stranger: User, ravi: User, fay: User) -> None:
    for name in ("prompt_try", "prompt_try_diff"):
        statuses = [client_of(user).post(url(version.prompt, name)).status_code for user in (stranger, ravi, fay)]
        assert statuses == [404, 403, 403]
    page = client_of(ravi).get(url(version.prompt, "prompt_detail")).content.decode()
    assert url(version.prompt) not in page


def test_a_prompt_of_another_workspace_is_not_found(of_paula: Client, stranger: User, version: Version) -> None:
    other = factories.make_prompt(Workspace.objects.get(slug="elsewhere"))
    place = reverse("prompt_try", kwargs={"workspace": version.prompt.workspace.slug, "prompt_id": other.pk})
    assert of_paula.get(place).status_code == 404


def test_a_draft_of_somebody_else_is_not_offered(of_paula: Client, version: Version, olga: User, paula: User) -> None:
    actions.open_draft(prompt=version.prompt, acting_user=olga)
    assert "What this column should try is not there" in ask(of_paula, version.prompt, "draft")


def test_the_page_asks_few_questions_of_the_database(
    of_paula: Client,
    version: Version,
    environments: dict[str, Environment],
    paula: User,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    for _ in range(20):
        factories.make_version(version.prompt, paula)
    actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)
    actions.save_input_set(prompt=version.prompt, name="Late", values={}, acting_user=paula)
    with django_assert_max_num_queries(20):
        of_paula.get(url(version.prompt))
