"""Tests of the prompts that take in what a change request moves."""

import pytest
from django.urls import reverse

from apps.accounts.models import User, Workspace
from apps.experiments import actions, asking, reporting
from apps.experiments.models import Run, RunArm, Suite
from apps.llm.models import Model
from apps.prompts import actions as prompts
from apps.prompts import composition
from apps.prompts.models import ChangeRequest, Environment, Prompt, Version
from tests import factories
from tests.experiments.test_change_requests import answer, check_of
from tests.prompts.test_composition import put_live, tag


def text(prompt: Prompt, words: str, **fields: object) -> Version:
    fields = {"messages": [{"role": "user", "content": words}], "variables": [], **fields}
    version = factories.make_version(prompt, **fields)
    composition.record(version)
    return version


@pytest.fixture
def production(workspace: Workspace) -> Environment:
    return factories.make_environments(workspace)["production"]


@pytest.fixture
def tone(workspace: Workspace, production: Environment) -> Version:
    """A shared text that is live, without a suite of its own."""
    version = text(factories.make_prompt(workspace, "shared/tone", kind="text"), "Be kind.")
    put_live(version, production)
    return version


@pytest.fixture
def parent(prompt: Prompt, tone: Version, production: Environment) -> Version:
    words = f"{tag('shared/tone', 'production')} {{{{customer}}}}: {{{{message}}}}"
    version = text(prompt, words, variables=factories.VARIABLES)
    put_live(version, production)
    return version


@pytest.fixture
def colder(tone: Version) -> Version:
    return text(tone.prompt, "Be cold.")


@pytest.fixture
def asked(
    parent: Version, suite: Suite, model: Model, colder: Version, production: Environment, paula: User
) -> ChangeRequest:
    return prompts.open_change_request(version=colder, environment=production, title="Colder", acting_user=paula)


def said(run: Run, role: str) -> str:
    arm = run.arms.get(role=role)
    inputs = {"customer": "Ines", "message": "Hi"}
    return str(asking.messages(arm.version, inputs, arm.taken_in)[0]["content"])


def test_a_request_for_a_shared_text_runs_the_suites_of_those_that_take_it_in(
    asked: ChangeRequest, parent: Version, suite: Suite
) -> None:
    run = Run.objects.get(change_request=asked)
    assert (run.suite, {arm.version for arm in run.arms.all()}) == (suite, {parent})
    assert said(run, "candidate") == "Be cold. Ines: Hi"
    assert said(run, "baseline") == "Be kind. Ines: Hi"
    assert check_of(asked).status == "pending"


@pytest.mark.parametrize(("wins", "status"), [(10, "passed"), (0, "failed")])
def test_the_check_is_as_good_as_the_parents_tests(asked: ChangeRequest, wins: int, status: str) -> None:
    answer(Run.objects.get(change_request=asked), candidate_passes=wins, live_passes=10)
    check = check_of(asked)
    assert check.status == status
    assert check.summary.startswith("support/reply, which takes it in: ")
    assert check.evidence["parent"] == "support/reply v1"


def test_the_baseline_stays_as_it_was_when_the_child_goes_live_during_the_run(
    asked: ChangeRequest, colder: Version, production: Environment
) -> None:
    put_live(colder, production)
    assert said(Run.objects.get(change_request=asked), "baseline") == "Be kind. Ines: Hi"


def test_another_version_asked_for_is_tested_anew(
    asked: ChangeRequest, tone: Version, suite: Suite, paula: User
) -> None:
    answer(Run.objects.get(change_request=asked), candidate_passes=10, live_passes=10)
    warmer = text(tone.prompt, "Be warm.")
    prompts.replace_version(change_request=asked, version=warmer, acting_user=paula)
    newest = Run.objects.filter(change_request=asked).order_by("-id")[0]
    assert said(newest, "candidate") == "Be warm. Ines: Hi"
    assert check_of(asked).status == "pending"


def test_a_parent_that_pins_its_version_or_is_live_nowhere_is_not_tested(
    prompt: Prompt, tone: Version, suite: Suite, model: Model, colder: Version, production: Environment, paula: User
) -> None:
    put_live(text(prompt, f"{tag('shared/tone', 1)} {{{{message}}}}", variables=factories.VARIABLES[1:]), production)
    text(prompt, f"{tag('shared/tone', 'production')} {{{{message}}}}", variables=factories.VARIABLES[1:])
    request = prompts.open_change_request(version=colder, environment=production, title="Colder", acting_user=paula)
    assert not Run.objects.exists()
    assert check_of(request).summary.startswith("This prompt has no test suite yet")


def test_a_run_of_a_prompt_keeps_where_its_labels_led_when_it_began(
    parent: Version, suite: Suite, model: Model, colder: Version, production: Environment, paula: User
) -> None:
    run = actions.start_run(suite=suite, arms=[actions.Arm(parent)], acting_user=paula)
    put_live(colder, production)
    assert said(run, "candidate") == "Be kind. Ines: Hi"
    assert run.arms.get().taken_in == {RunArm.place(colder.prompt_id, "production"): colder.prompt.versions.first().pk}


def test_the_card_of_a_parents_suite_stands_on_the_request(
    asked: ChangeRequest, suite: Suite, paula: User, client_of
) -> None:
    assert [card.suite for card in reporting.cards(asked)] == [suite]
    url = reverse("change_request_tests", kwargs={"workspace": "acme", "request_id": asked.pk})
    assert "Basics: see the run" in client_of(paula).get(url).text
