import pytest

from apps.accounts.models import AuditEvent
from apps.core.errors import DomainError
from apps.experiments import actions
from apps.experiments.asking import CaseDoesNotFit, NoModel
from apps.experiments.importing import NewCase
from apps.experiments.models import Output, Run
from tests import factories


def test_a_run_has_one_output_for_every_case_and_arm(run):
    assert run.state == Run.State.QUEUED
    assert Output.objects.filter(run=run).count() == 20


def test_repeats_multiply_the_outputs(suite, candidate, model, paula):
    suite = actions.update_suite(
        suite=suite,
        name=suite.name,
        dataset=suite.dataset,
        rules={"assertions": suite.assertions, "repeats": 3},
        version=suite.version,
        acting_user=paula,
    )
    run = actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula)
    assert Output.objects.filter(run=run).count() == 30


def test_starting_is_on_record(run):
    event = AuditEvent.objects.order_by("-number").first()
    assert (event.verb, event.after["outputs"]) == ("started", 20)


def test_a_case_without_a_variable_is_named_and_nothing_is_started(suite, candidate, model, paula):
    case = NewCase(name="Half a case", inputs={"customer": "Ines"})
    actions.add_cases(dataset=suite.dataset, cases=[case], acting_user=paula)
    with pytest.raises(CaseDoesNotFit, match=r'"Half a case" in version 2.*message is missing'):
        actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula)
    assert not Run.objects.exists()


def test_an_input_that_nothing_uses_is_named(suite, candidate, model, paula):
    inputs = {"customer": "Ines", "message": "?", "mesage": "typo"}
    actions.add_cases(dataset=suite.dataset, cases=[NewCase(name="Typo", inputs=inputs)], acting_user=paula)
    with pytest.raises(CaseDoesNotFit, match=r'"Typo".*the input mesage'):
        actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula)


def test_an_assertion_about_a_missing_variable_is_named(suite, candidate, model, paula):
    actions.update_suite(
        suite=suite,
        name=suite.name,
        dataset=suite.dataset,
        rules={"assertions": [{"type": "contains", "value": "{{city}}"}]},
        version=1,
        acting_user=paula,
    )
    with pytest.raises(CaseDoesNotFit, match="an assertion uses city"):
        actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula)


def test_an_input_that_only_one_arm_declares_is_left_out_of_the_other(suite, live, model, paula, prompt):
    messages = [{"role": "user", "content": "{{customer}} {{message}} {{tone}}"}]
    tone = {**factories.VARIABLES[0], "name": "tone", "required": False, "default": "kind"}
    wider = factories.make_version(prompt, messages=messages, variables=[*factories.VARIABLES, tone])
    inputs = {"customer": "Ines", "message": "?", "tone": "dry"}
    actions.add_cases(dataset=suite.dataset, cases=[NewCase(inputs=inputs)], acting_user=paula)
    arms = [actions.Arm(wider), actions.Arm(live, "baseline")]
    assert actions.start_run(suite=suite, arms=arms, acting_user=paula).state == Run.State.QUEUED


def test_a_model_that_nobody_offers_is_refused(suite, candidate, paula):
    with pytest.raises(NoModel, match="practice-small"):
        actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula)
    assert not Run.objects.exists()


def test_an_empty_dataset_is_refused(suite, candidate, model, paula):
    for case in suite.dataset.cases.all():
        actions.remove_case(case=case, acting_user=paula)
    with pytest.raises(DomainError, match="has no cases"):
        actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula)


def test_a_version_of_another_prompt_is_refused(suite, model, paula, workspace):
    other = factories.make_version(factories.make_prompt(workspace, "other"))
    with pytest.raises(DomainError, match="belongs to support/reply"):
        actions.start_run(suite=suite, arms=[actions.Arm(other)], acting_user=paula)


def test_the_same_arm_twice_is_refused(suite, candidate, model, paula):
    with pytest.raises(DomainError, match="chosen twice"):
        actions.start_run(suite=suite, arms=[actions.Arm(candidate)] * 2, acting_user=paula)


def test_a_run_keeps_the_dataset_version_that_it_started_with(run, suite, paula):
    actions.remove_case(case=suite.dataset.cases.first(), acting_user=paula)
    suite.dataset.refresh_from_db()
    assert (run.dataset_version, suite.dataset.version) == (1, 2)
    assert suite.dataset.cases.in_version(1).count() == 10


def test_the_worker_is_rung_only_after_commit(
    suite, candidate, model, paula, django_capture_on_commit_callbacks, monkeypatch
):
    rung = []
    monkeypatch.setattr("apps.experiments.tasks.advance_run.delay", lambda **kwargs: rung.append(kwargs))
    with django_capture_on_commit_callbacks() as callbacks:
        actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula)
    assert not rung
    assert len(callbacks) == 1
