"""Trying again until it passes: the check says which attempt it rests on, and what changed on the way."""

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.core.errors import Conflict
from apps.experiments import actions, reporting, runner
from apps.experiments.importing import NewCase
from apps.experiments.models import Output, Run
from apps.prompts import actions as prompts
from apps.prompts.models import ChangeRequest, Deployment, DeploymentArm
from tests import factories


@pytest.fixture
def request_(candidate, workspace, paula, suite, model):
    """A change request whose first run has been started."""
    production = factories.make_environments(workspace)["production"]
    return prompts.open_change_request(version=candidate, environment=production, title="Better", acting_user=paula)


def check_of(request):
    return request.checks.get(name="tests")


def end(run, passed):
    """End the run with so many of its ten cases passed."""
    for number, output in enumerate(Output.objects.filter(run=run).order_by("case_id")):
        Output.objects.filter(pk=output.pk).update(
            state="done", passed=number < passed, score=1.0, text="…", latency_ms=5, finished_at=timezone.now()
        )
    Run.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    assert runner.finish(run.pk)


def again(request, user, passed):
    [run] = actions.start_change_request_tests(change_request=request, acting_user=user)
    end(run, passed)


def stricter(suite, user, threshold):
    rules = {"assertions": suite.assertions, "pass_threshold": threshold}
    actions.update_suite(
        suite=suite, name=suite.name, dataset=suite.dataset, rules=rules, version=suite.version, acting_user=user
    )
    suite.refresh_from_db()


def test_a_first_attempt_is_not_talked_about(request_):
    end(request_.runs.get(), 10)
    check = check_of(request_)
    assert (check.status, check.evidence["attempt"], check.evidence["earlier_attempts"]) == ("passed", 1, [])
    assert "Attempt" not in check.summary


def test_a_pass_after_failures_says_so(request_, suite, paula):
    stricter(suite, paula, "0.8")
    end(request_.runs.get(), 10)
    again(request_, paula, 2)
    again(request_, paula, 3)
    again(request_, paula, 9)
    check = check_of(request_)
    assert check.status == "passed"
    assert "Attempt 4 (before: 2 failed, 1 passed; the suite changed since the first)." in check.summary
    assert [(row["attempt"], row["status"]) for row in check.evidence["earlier_attempts"]] == [
        (3, "failed"),
        (2, "failed"),
        (1, "passed"),
    ]


def test_loosening_the_suite_between_attempts_is_on_record(request_, suite, paula):
    stricter(suite, paula, "0.9")
    again(request_, paula, 5)
    stricter(suite, paula, "0.1")
    again(request_, paula, 5)
    check = check_of(request_)
    assert check.status == "passed"
    assert check.evidence["changed_since_first"] == ["the suite"]
    assert [row["suite_version"] for row in check.evidence["earlier_attempts"]] == [2, 1]


def test_easier_cases_between_attempts_are_on_record(request_, suite, paula):
    end(request_.runs.get(), 5)
    easy = NewCase(inputs={"customer": "Ines", "message": "Hello"})
    actions.add_cases(dataset=suite.dataset, cases=[easy], acting_user=paula)
    again(request_, paula, 11)
    assert check_of(request_).evidence["changed_since_first"] == ["its cases"]


def test_a_newer_version_begins_to_count_anew(request_, candidate, paula):
    end(request_.runs.get(), 0)
    newer = factories.make_version(candidate.prompt, messages=[{"role": "user", "content": "{{customer}} {{message}}"}])
    prompts.replace_version(change_request=request_, version=newer, acting_user=paula)
    assert check_of(request_).evidence["attempt"] == 1


def test_a_suite_that_failed_and_was_archived_is_not_forgotten(request_, suite, paula):
    stricter(suite, paula, "0.8")
    again(request_, paula, 1)
    kinder = {"assertions": suite.assertions}
    actions.create_suite(prompt=suite.prompt, dataset=suite.dataset, name="Kinder", rules=kinder, acting_user=paula)
    actions.archive_suite(suite=suite, acting_user=paula)
    again(request_, paula, 9)
    check = check_of(request_)
    assert check.status == "passed"
    assert check.summary.endswith("Failed, and archived since: Basics.")
    assert [row["status"] for row in check.evidence["archived_suites"]] == ["failed", "pending"]


def test_the_card_shows_the_earlier_attempts(request_, suite, paula, client_of):
    stricter(suite, paula, "0.8")
    again(request_, paula, 2)
    again(request_, paula, 9)
    panel = reverse("change_request_tests", kwargs={"workspace": "acme", "request_id": request_.pk})
    body = client_of(paula).get(panel).content.decode()
    assert "<strong>Attempt 3</strong>: the suite changed since the first" in body
    assert "<li>failed, suite version 2, Questions version 1: 2 of 10 cases pass" in body


def test_a_run_against_another_base_is_no_attempt_at_this_one(request_, candidate, live, paula):
    first = request_.runs.get()
    base = Deployment.objects.create(prompt=live.prompt, environment=request_.environment, actor=paula)
    DeploymentArm.objects.create(deployment=base, version=live)
    request_.items.update(base=base)
    again(request_, paula, 10)
    end(first, 0)
    check = check_of(request_)
    assert (check.status, check.evidence["attempt"]) == ("passed", 1)


def test_a_version_that_is_its_own_base_is_tested_alone_and_found(request_, candidate, paula):
    base = Deployment.objects.create(prompt=candidate.prompt, environment=request_.environment, actor=paula)
    DeploymentArm.objects.create(deployment=base, version=candidate)
    request_.items.update(base=base)
    again(request_, paula, 10)
    assert check_of(request_).status == "passed"


def test_tests_of_a_closed_request_are_not_started(request_, paula):
    prompts.withdraw_change_request(change_request=request_, acting_user=paula)
    with pytest.raises(Conflict, match="withdrawn"):
        actions.start_change_request_tests(change_request=request_, acting_user=paula)
    assert request_.runs.count() == 1


def test_a_run_whose_request_was_closed_meanwhile_ends_done(request_, paula):
    run = request_.runs.get()
    ChangeRequest.objects.filter(pk=request_.pk).update(state="withdrawn", closed_at=timezone.now())
    request_.checks.all().delete()
    end(run, 10)
    run.refresh_from_db()
    assert run.state == "done"
    assert not request_.checks.exists()


def test_what_a_stale_copy_of_the_request_says_is_not_believed(request_, paula):
    stale = ChangeRequest.objects.get(pk=request_.pk)
    prompts.withdraw_change_request(change_request=request_, acting_user=paula)
    request_.checks.all().delete()
    reporting.report(stale)
    assert not request_.checks.exists()


def test_tests_are_run_in_the_name_of_whoever_replaced_the_version(request_, candidate, workspace):
    pete = factories.make_member(workspace, "Pete", "editor")
    newer = factories.make_version(candidate.prompt, messages=[{"role": "user", "content": "{{customer}} {{message}}"}])
    prompts.replace_version(change_request=request_, version=newer, acting_user=pete)
    assert request_.runs.order_by("pk").last().started_by == pete
