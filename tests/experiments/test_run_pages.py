"""A run's page and its cases: what is part, what changed, what stands beside it, and whose fault something was."""

import re
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.experiments import actions, asking_threads, faults, runner, tasks
from apps.experiments.breaker import CONSECUTIVE, Breaker
from apps.experiments.leases import MAX_ATTEMPTS, Claim
from apps.experiments.models import Case, Output, Run
from apps.experiments.results import Result
from apps.llm.errors import ErrorKind, ProviderError

REFERENCE = re.compile(r"log as ([0-9a-f]{8})\.")


def url(name, **kwargs):
    return reverse(name, kwargs={"workspace": "acme", **kwargs})


def answer(run, role, passes):
    """Let an arm answer as many cases as `passes` has verdicts, in the order of the cases."""
    outputs = Output.objects.filter(run=run, arm__role=role).order_by("case_id")
    for output, passed in zip(outputs, passes, strict=False):
        words = f"The {role} says: parcel {output.case_id}."
        Output.objects.filter(pk=output.pk).update(
            state="done", passed=passed, score=float(passed), text=words, latency_ms=5, finished_at=timezone.now()
        )


@pytest.fixture
def paulas(paula, client_of):
    return client_of(paula)


@pytest.fixture
def mixed_run(run):
    """A done run of ten cases: the sixth and eighth were mended, the seventh was broken, the last fails on both sides."""
    answer(run, "candidate", [True] * 6 + [False, True, True, False])
    answer(run, "baseline", [True] * 5 + [False, True, False, True, False])
    Run.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    assert runner.finish(run.pk)
    return run


@pytest.fixture
def ids(mixed_run):
    return list(Case.objects.filter(outputs__run=mixed_run).distinct().order_by("pk").values_list("pk", flat=True))


def body_of(client, run, **query):
    return client.get(url("run_detail", run_id=run.pk), query).content.decode()


def test_a_cancelled_run_says_how_far_it_came_and_that_its_figures_are_part(run, paula, paulas):
    answer(run, "candidate", [True, True, False])
    actions.cancel_run(run=run, acting_user=paula)
    body = body_of(paulas, run)
    assert "Cancelled after 3 of 20 answers." in body
    assert "Versions: part figures" in body
    assert "No answer has come in" not in body
    assert body.count("Cancelled by Paula.") == 1


def test_a_run_that_was_cancelled_at_once_draws_nothing(run, paula, paulas):
    actions.cancel_run(run=run, acting_user=paula)
    body = body_of(paulas, run)
    assert "Cancelled after 0 of 20 answers." in body
    assert "<strong>Part figures" not in body
    assert "g-interval" not in body


def test_a_done_run_is_not_called_part(mixed_run, paulas):
    assert "part figures" not in body_of(paulas, mixed_run).lower()


def test_a_poll_carries_the_state_and_the_page_has_it_once(run, paulas):
    Run.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    address = url("run_detail", run_id=run.pk)
    poll = paulas.get(address, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="progress").content.decode()
    assert re.search(r'<span id="run-state" hx-swap-oob="true">.*Running', poll, re.DOTALL)
    whole = paulas.get(address).content.decode()
    assert whole.count('id="run-state"') == 1
    assert "hx-swap-oob" not in whole


def test_the_question_before_cancelling_has_two_clear_answers(run, paulas):
    body = body_of(paulas, run)
    dialog = body.partition('<dialog id="cancel-run"')[2].partition("</dialog>")[0]
    assert re.findall(r"<button[^>]*>([^<]+)</button>", dialog) == ["Keep it running", "Cancel the run"]


def test_changed_cases_stand_first(mixed_run, ids, paulas):
    rows = paulas.get(url("run_detail", run_id=mixed_run.pk)).context["table"].rows
    assert [(row.case.pk, row.change) for row in rows[:3]] == [
        (ids[5], "fixed"),
        (ids[7], "fixed"),
        (ids[6], "broken"),
    ]
    assert [row.case.pk for row in rows[3:]] == [*ids[:5], *ids[8:]]


def test_pages_cut_the_order_of_changes_and_lose_no_case(mixed_run, ids, paulas, monkeypatch):
    monkeypatch.setattr("apps.experiments.tables.PAGE", 2)
    found, after = [], ""
    while after is not None:
        table = paulas.get(url("run_detail", run_id=mixed_run.pk), {"after": after}).context["table"]
        found += [row.case.pk for row in table.rows]
        after = table.next_after
    assert found == [ids[5], ids[7], ids[6], *ids[:5], *ids[8:]]


@pytest.mark.parametrize("after", ["x", "1.", "9.1", "0.99999999999999999999", "-1.4"])
def test_a_place_that_makes_no_sense_is_the_beginning(mixed_run, paulas, after):
    table = paulas.get(url("run_detail", run_id=mixed_run.pk), {"after": after}).context["table"]
    assert len(table.rows) == 10


def test_filters_say_how_many_cases_they_keep(mixed_run, paulas):
    tabs = paulas.get(url("run_detail", run_id=mixed_run.pk)).context["tabs"]
    counts = {tab["label"]: tab["count"] for tab in tabs}
    assert list(counts.items())[:3] == [("Fixed", 2), ("Broken", 1), ("Failing", 2)]
    assert counts["All"] == 10
    assert not {"Flaky", "No answer"} & counts.keys()


def test_a_case_leads_to_its_neighbours_within_the_filter(mixed_run, ids, paulas):
    case = url("run_case", run_id=mixed_run.pk, case_id=ids[5])
    candidate = mixed_run.arms.get(role="candidate").pk
    query = f"?show=fixed&amp;arm={candidate}"
    body = paulas.get(case, {"show": "fixed", "arm": candidate}).content.decode()
    assert f'rel="next" href="{url("run_case", run_id=mixed_run.pk, case_id=ids[7])}{query}"' in body
    assert 'rel="prev"' not in body
    assert "Case 1 of 2, fixed." in body


def test_a_case_outside_the_filter_has_no_neighbours(mixed_run, ids, paulas):
    body = paulas.get(url("run_case", run_id=mixed_run.pk, case_id=ids[0]), {"show": "broken"}).content.decode()
    assert 'rel="next"' not in body
    assert 'rel="prev"' not in body


def test_the_words_that_differ_are_shown_when_asked_for(mixed_run, ids, paulas):
    case = url("run_case", run_id=mixed_run.pk, case_id=ids[0])
    assert "<ins>" not in paulas.get(case).content.decode()
    htmx = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "difference"}
    fragment = paulas.get(case, {"diff": "1"}, **htmx).content.decode()
    assert "<html" not in fragment
    assert "<del>baseline</del><ins>candidate</ins>" in fragment


def test_a_case_that_one_side_did_not_answer_has_nothing_to_compare(mixed_run, ids, paulas):
    Output.objects.filter(run=mixed_run, case=ids[0], arm__role="baseline").update(
        state="failed", passed=None, error_kind="timeout"
    )
    body = paulas.get(url("run_case", run_id=mixed_run.pk, case_id=ids[0]), {"diff": "1"}).content.decode()
    assert 'id="difference"' not in body


def a_claim(run, attempts=1):
    output = run.outputs.select_related("case").first()
    claim = Claim(output.pk, output.arm_id, output.case_id, attempts, sent_from=None, token=uuid4())
    return claim, output.case


def waiting(kind, message):
    return Result(None, Output.State.WAITING, error_kind=kind, error_message=message)


def test_the_provider_is_named_for_what_the_provider_did():
    breaker = Breaker(concurrency=1)
    for _ in range(CONSECUTIVE):
        breaker.note(waiting(ErrorKind.CONNECTION, "nobody listens there"))
    assert breaker.reason == (
        "The provider did not answer 8 times in a row. The last time: Nobody listens there. "
        "Resume the run when it is back."
    )


def test_the_provider_is_not_blamed_for_our_faults():
    breaker = Breaker(concurrency=1)
    for _ in range(CONSECUTIVE):
        breaker.note(waiting(faults.OURS, faults.words("0a1b2c3d")))
    assert "provider" not in breaker.reason
    assert breaker.reason == (
        "Something went wrong on our side; an admin finds it in the worker's log as 0a1b2c3d. "
        "Resume the run once it is mended."
    )


def test_an_exception_of_ours_is_logged_under_the_id_that_the_page_shows(run, monkeypatch, caplog):
    def breaks(request):
        raise AttributeError("module 'x' has no attribute 'y'")

    monkeypatch.setattr(asking_threads.inference, "complete", breaks)
    claim, case = a_claim(run, attempts=MAX_ATTEMPTS)
    result = asking_threads.Asker(run)._result(asking_threads.Job(claim, case, "/"))
    assert (result.state, result.error_kind) == ("failed", faults.OURS)
    assert "attribute" not in result.error_message
    [reference] = REFERENCE.findall(result.error_message)
    assert f"fault {reference}" in caplog.text
    assert "has no attribute" in caplog.text


def test_what_a_provider_said_is_kept_in_its_words(run, monkeypatch):
    def refuses(request):
        raise ProviderError(ErrorKind.TIMEOUT, "It did not answer in time.")

    monkeypatch.setattr(asking_threads.inference, "complete", refuses)
    claim, case = a_claim(run)
    result = asking_threads.Asker(run)._result(asking_threads.Job(claim, case, "/"))
    assert (result.error_kind, result.error_message) == ("timeout", "It did not answer in time.")


def test_a_turn_that_breaks_fails_its_run_without_the_exceptions_text(run, monkeypatch, caplog, paulas):
    monkeypatch.setattr(runner, "advance", lambda run_id: {}["secret detail"])
    with pytest.raises(KeyError):
        tasks.advance_run(run_id=run.pk)
    body = body_of(paulas, run)
    run.refresh_from_db()
    [reference] = REFERENCE.findall(run.reason)
    assert f"fault {reference}" in caplog.text
    assert body.count(reference) == 1
    assert "secret detail" not in body
    assert "KeyError" not in body


def test_the_suite_form_has_a_labelled_card_for_every_assertion(suite, paulas):
    body = paulas.get(url("suite_edit", suite_id=suite.pk)).content.decode()
    assert body.count('role="group" aria-label="Assertion ') == body.count('<select class="form-select" id="type-')
    assert '<label class="form-label" for="type-0">' in body
    assert '<label class="form-label" for="value-0">' in body


def test_an_import_of_nothing_says_that_one_of_the_two_is_needed(dataset, paulas):
    answered = paulas.post(url("dataset_import", dataset_id=dataset.pk), {"content": ""})
    assert answered.status_code == 422
    assert answered.context["form"].non_field_errors() == ["Choose a file or paste its text: one of the two is needed."]
    assert "optional" not in answered.content.decode().partition('<form class="g-form"')[2].partition("</form>")[0]
