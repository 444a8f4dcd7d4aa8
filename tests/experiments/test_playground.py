"""From the playground to the tests: cases to try, and tries that become cases."""

import html
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User, Workspace
from apps.experiments import actions
from apps.experiments.importing import NewCase
from apps.experiments.models import Case, Dataset, Suite
from apps.prompts.models import Prompt, Version
from tests import factories
from tests.conftest import ClientOf

HTMX = {"HX-Request": "true"}
RULES = {"assertions": [{"type": "max-length", "value": 900}], "repeats": 1}
TRIED = {"inputs": json.dumps({"customer": "Ines"}), "answer": "It comes on Monday."}


@pytest.fixture
def prompt(workspace: Workspace, paula: User) -> Prompt:
    return factories.make_version(factories.make_prompt(workspace, owner=paula), paula).prompt


@pytest.fixture
def suite(prompt: Prompt, paula: User) -> Suite:
    return suite_over(prompt, paula, "Letters")


@pytest.fixture
def of_paula(client_of: ClientOf, paula: User) -> Client:
    return client_of(paula)


def suite_over(prompt: Prompt, user: User, name: str) -> Suite:
    dataset = actions.create_dataset(workspace=prompt.workspace, name=name, acting_user=user)
    return actions.create_suite(prompt=prompt, dataset=dataset, name=name, rules=RULES, acting_user=user)


def keep(client: Client, prompt: Prompt, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    place = reverse("case_keep", kwargs={"workspace": prompt.workspace.slug, "prompt_id": prompt.pk})
    return client.post(place, {**TRIED, **fields}, headers=headers or HTMX)


def cases(client: Client, prompt: Prompt) -> str:
    place = reverse("prompt_cases", kwargs={"workspace": prompt.workspace.slug, "prompt_id": prompt.pk})
    return html.unescape(client.get(place, headers=HTMX).content.decode())


def test_a_try_becomes_a_case_of_the_prompts_suite(of_paula: Client, suite: Suite) -> None:
    answer = keep(of_paula, suite.prompt)
    case = Case.objects.get()
    assert (case.dataset, case.inputs, case.expected) == (suite.dataset, {"customer": "Ines"}, "")
    assert b"Letters" in answer.content


def test_the_answer_can_be_the_one_expected(of_paula: Client, suite: Suite) -> None:
    keep(of_paula, suite.prompt, expected="on")
    assert Case.objects.get().expected == "It comes on Monday."


def test_without_a_suite_a_dataset_is_made_once_and_that_is_said(of_paula: Client, prompt: Prompt) -> None:
    answer = keep(of_paula, prompt)
    keep(of_paula, prompt)
    assert Dataset.objects.get().name == "Tried out: support/reply"
    assert Case.objects.count() == 2
    assert b"No suite uses it yet" in answer.content


def test_with_several_suites_the_chosen_dataset_takes_it(of_paula: Client, suite: Suite, paula: User) -> None:
    other = suite_over(suite.prompt, paula, "Complaints")
    assert 'name="dataset"' in cases(of_paula, suite.prompt)
    keep(of_paula, suite.prompt, dataset=other.dataset.pk)
    keep(of_paula, suite.prompt)
    assert [case.dataset.name for case in Case.objects.order_by("id")] == ["Complaints", "Letters"]


def test_a_dataset_of_another_prompt_takes_nothing(of_paula: Client, suite: Suite, paula: User) -> None:
    elsewhere = suite_over(factories.make_prompt(suite.workspace, "other"), paula, "Other")
    keep(of_paula, suite.prompt, dataset=elsewhere.dataset.pk)
    assert Case.objects.get().dataset == suite.dataset


def test_without_scripts_it_leads_to_the_case(of_paula: Client, suite: Suite) -> None:
    answer = keep(of_paula, suite.prompt, headers={"X": "y"})
    assert answer.url == reverse("case_edit", kwargs={"workspace": "acme", "case_id": Case.objects.get().pk})


@pytest.mark.parametrize("inputs", ["", "[]", "{", json.dumps({"x": "y" * 300_000})])
def test_inputs_that_cannot_be_kept_are_refused(of_paula: Client, suite: Suite, inputs: str) -> None:
    assert keep(of_paula, suite.prompt, inputs=inputs).status_code == 422
    assert not Case.objects.exists()


def test_the_cases_of_the_suites_are_listed_to_be_tried(of_paula: Client, suite: Suite, paula: User) -> None:
    new = NewCase(name="Late", inputs={"customer": '"><b>', "message": "Where?"})
    actions.add_cases(dataset=suite.dataset, cases=[new], acting_user=paula)
    content = cases(of_paula, suite.prompt)
    assert "Late" in content
    assert 'name="load"' in content


def test_a_case_fills_the_fields(of_paula: Client, suite: Suite) -> None:
    place = reverse("prompt_try", kwargs={"workspace": "acme", "prompt_id": suite.prompt_id})
    answer = of_paula.post(place, {"source": "v1", "load": json.dumps({"customer": "Tomas"})}, headers=HTMX)
    assert b"Tomas" in answer.content


def test_a_very_long_case_is_linked_instead(of_paula: Client, suite: Suite, paula: User) -> None:
    new = NewCase(name="Long", inputs={"message": "x" * 40_000})
    actions.add_cases(dataset=suite.dataset, cases=[new], acting_user=paula)
    assert "Too long to be loaded here" in cases(of_paula, suite.prompt)


def test_the_list_of_cases_asks_few_questions(
    of_paula: Client, suite: Suite, paula: User, django_assert_max_num_queries: Any
) -> None:
    new = [NewCase(name=f"Case {number}", inputs={"message": "?"}) for number in range(60)]
    actions.add_cases(dataset=suite.dataset, cases=new, acting_user=paula)
    with django_assert_max_num_queries(8):
        content = cases(of_paula, suite.prompt)
    assert content.count('name="load"') == 50


def test_strangers_and_viewers_keep_nothing(
    client_of: ClientOf, suite: Suite, stranger: User, ravi: User, version_of_elsewhere: Version
) -> None:
    assert [keep(client_of(user), suite.prompt).status_code for user in (stranger, ravi)] == [404, 403]
    assert not Case.objects.exists()


@pytest.fixture
def version_of_elsewhere(stranger: User) -> Version:
    return factories.make_version(factories.make_prompt(Workspace.objects.get(slug="elsewhere")))


def test_a_prompt_of_another_workspace_is_not_found(of_paula: Client, version_of_elsewhere: Version) -> None:
    for name, method in (("prompt_cases", of_paula.get), ("case_keep", of_paula.post)):
        place = reverse(name, kwargs={"workspace": "acme", "prompt_id": version_of_elsewhere.prompt_id})
        assert method(place).status_code == 404
