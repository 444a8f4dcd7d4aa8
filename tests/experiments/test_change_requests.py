"""What the tests say of a change request: started when it opens, reported when the run ends."""

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.experiments import actions, reporting, runner
from apps.experiments.models import Output, Run
from apps.prompts import actions as prompts
from tests import factories


@pytest.fixture
def production(workspace):
    return factories.make_environments(workspace)["production"]


@pytest.fixture
def ask(candidate, production, paula):
    """Open the change request that asks for the candidate."""

    def open_it():
        return prompts.open_change_request(version=candidate, environment=production, title="Better", acting_user=paula)

    return open_it


@pytest.fixture
def live_in_dev(live, workspace, paula, production):
    """Make `live` what the candidate is measured against."""
    from apps.prompts.models import Deployment, DeploymentArm

    deployment = Deployment.objects.create(prompt=live.prompt, environment=production, actor=paula)
    DeploymentArm.objects.create(deployment=deployment, version=live)
    return deployment


def check_of(request):
    return request.checks.get(name="tests")


def answer(run, candidate_passes, live_passes=0):
    """End the run as if the first so many cases of each arm had passed."""
    wins = {"candidate": candidate_passes, "baseline": live_passes}
    for arm in run.arms.all():
        for number, output in enumerate(Output.objects.filter(arm=arm).order_by("case_id")):
            passed = number < wins[arm.role]
            Output.objects.filter(pk=output.pk).update(
                state="done", passed=passed, score=float(passed), text="…", latency_ms=5, finished_at=timezone.now()
            )
    Run.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    assert runner.finish(run.pk)


def test_without_a_suite_the_check_says_what_to_do(ask, model):
    check = check_of(ask())
    assert check.status == "errored"
    assert check.summary.startswith("This prompt has no test suite yet")


def test_opening_a_request_starts_its_tests_against_live(ask, suite, model, live_in_dev, candidate, live):
    request = ask()
    run = request.runs.get()
    assert [(arm.role, arm.version_id) for arm in run.arms.order_by("position")] == [
        ("candidate", candidate.pk),
        ("baseline", live.pk),
    ]
    check = check_of(request)
    assert (check.status, check.url) == ("pending", reporting.run_url(run))


def test_with_nothing_live_the_candidate_runs_alone(ask, suite, model):
    assert ask().runs.get().arms.count() == 1


def test_tests_that_cannot_start_do_not_stop_the_request(ask, suite):
    check = check_of(ask())
    assert check.status == "errored"
    assert "practice-small" in check.summary


def test_a_candidate_as_good_as_live_passes(ask, suite, model, live_in_dev):
    request = ask()
    answer(request.runs.get(), 9, 9)
    check = check_of(request)
    assert check.status == "passed"
    assert "9 of 10 cases pass" in check.summary
    assert check.evidence["comparisons"][0]["n"] == 10


def test_a_candidate_that_is_clearly_worse_fails(ask, suite, model, live_in_dev):
    request = ask()
    answer(request.runs.get(), 1, 10)
    check = check_of(request)
    assert check.status == "failed"
    assert "worse on 9" in check.summary


def test_a_candidate_under_the_suites_threshold_fails_though_no_worse(ask, suite, model, live_in_dev, paula):
    rules = {"assertions": suite.assertions, "pass_threshold": "0.8"}
    actions.update_suite(suite=suite, name="Basics", dataset=suite.dataset, rules=rules, version=1, acting_user=paula)
    request = ask()
    answer(request.runs.get(), 7, 7)
    check = check_of(request)
    assert check.status == "failed"
    assert "the suite asks for 80" in check.summary


def test_too_many_missing_answers_prove_nothing(ask, suite, model):
    request = ask()
    run = request.runs.get()
    lost = Output.objects.filter(run=run).order_by("-case_id").values_list("pk", flat=True)[:2]
    answer(run, 10)
    Output.objects.filter(pk__in=list(lost)).update(state="failed", error_kind="bad_request", passed=None)
    Run.objects.filter(pk=run.pk).update(state="running", finished_at=None)
    runner.finish(run.pk)
    check = check_of(request)
    assert check.status == "errored"
    assert "2 of 10 answers" in check.summary


def test_no_answer_at_all_does_not_pass(ask, suite, model):
    request = ask()
    run = request.runs.get()
    Output.objects.filter(run=run).update(state="failed", error_kind="bad_request", finished_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    runner.finish(run.pk)
    assert check_of(request).status == "failed"


def test_a_failed_run_errors_the_check_with_the_reason(ask, suite, model):
    request = ask()
    runner.fail(request.runs.get().pk, reason="The provider is down.")
    check = check_of(request)
    assert (check.status, check.summary) == ("errored", "Basics: The provider is down.")


def test_a_cancelled_run_errors_the_check(ask, suite, model, paula):
    request = ask()
    actions.cancel_run(run=request.runs.get(), acting_user=paula)
    assert check_of(request).status == "errored"


def test_a_late_run_of_an_earlier_version_does_not_speak_for_the_new_one(ask, suite, model, paula, candidate):
    request = ask()
    old = request.runs.get()
    newer = factories.make_version(candidate.prompt, messages=[{"role": "user", "content": "{{customer}} {{message}}"}])
    prompts.replace_version(change_request=request, version=newer, acting_user=paula)
    answer(old, 10)
    assert check_of(request).status == "pending"
    answer(request.runs.exclude(pk=old.pk).get(), 10)
    assert check_of(request).status == "passed"


def test_every_suite_of_the_prompt_must_pass(ask, suite, model, paula):
    actions.create_suite(
        prompt=suite.prompt,
        dataset=suite.dataset,
        name="Second",
        rules={"assertions": suite.assertions, "pass_threshold": "0.5"},
        acting_user=paula,
    )
    request = ask()
    first, second = request.runs.order_by("pk")
    answer(first, 10)
    assert check_of(request).status == "pending"
    answer(second, 2)
    check = check_of(request)
    assert check.status == "failed"
    assert check.summary.startswith("1 of 2 suites passed")


def test_the_panel_shows_the_evidence_and_starts_the_tests_again(ask, suite, model, live_in_dev, paula, client_of):
    request = ask()
    client = client_of(paula)
    panel = reverse("change_request_tests", kwargs={"workspace": "acme", "request_id": request.pk})
    assert b"every 3s" in client.get(panel).content
    answer(request.runs.get(), 9, 9)
    body = client.get(panel).content.decode()
    assert "9 of 10 cases pass" in body
    assert "every 3s" not in body
    again = client.post(reverse("change_request_tests_start", kwargs={"workspace": "acme", "request_id": request.pk}))
    assert again.status_code == 302
    assert (request.runs.count(), check_of(request).status) == (2, "pending")


def test_the_panel_is_closed_to_strangers_and_annotators(ask, suite, model, stranger, ana, client_of):
    panel = reverse("change_request_tests", kwargs={"workspace": "acme", "request_id": ask().pk})
    assert client_of(stranger).get(panel).status_code == 404
    assert client_of(ana).get(panel).status_code == 403


def test_a_prompt_without_a_suite_is_not_covered_by_the_tests_of_another(
    ask, suite, model, workspace, paula, live_in_dev
):
    request = ask()
    bare = factories.make_version(factories.make_prompt(workspace, "bare/prompt"), paula)
    prompts.add_to_change_request(change_request=request, version=bare, acting_user=paula)
    answer(request.runs.order_by("pk").last(), candidate_passes=99)
    check = check_of(request)
    assert check.status == "errored"
    assert "bare/prompt has no test suite yet" in check.summary
