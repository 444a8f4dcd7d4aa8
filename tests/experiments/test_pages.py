"""The pages of the room: each works, is closed to strangers and wrong roles, and asks the database little."""

import csv
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.experiments import actions, runner
from apps.experiments.importing import NewCase
from apps.experiments.models import Case, Dataset, Output, Run, Score, Suite

HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, **kwargs):
    return reverse(name, kwargs={"workspace": "acme", **kwargs})


@pytest.fixture
def paulas(paula, client_of):
    return client_of(paula)


@pytest.fixture
def done_run(run):
    """A run whose candidate passes eight cases and whose live version passes five."""
    passes = {"candidate": 8, "baseline": 5}
    for arm in run.arms.all():
        for number, output in enumerate(Output.objects.filter(arm=arm).order_by("case_id")):
            passed = number < passes[arm.role]
            Output.objects.filter(pk=output.pk).update(
                state="done",
                passed=passed,
                score=float(passed),
                text=f"<b>{arm.role}</b>",
                latency_ms=100 + number,
                input_tokens=10,
                output_tokens=5,
                cost="0.000012",
                finished_at=timezone.now(),
            )
            Score.objects.create(output=output, name="is kind", verdict=passed, value=1, reason="because")
    Run.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    runner.finish(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def addresses(done_run, suite, dataset):
    """Every page that is read, by name."""
    case = dataset.cases.first()
    return {
        "experiments_home": url("experiments_home"),
        "dataset_list": url("dataset_list"),
        "dataset_create": url("dataset_create"),
        "dataset_detail": url("dataset_detail", dataset_id=dataset.pk),
        "dataset_import": url("dataset_import", dataset_id=dataset.pk),
        "case_create": url("case_create", dataset_id=dataset.pk),
        "case_edit": url("case_edit", case_id=case.pk),
        "suite_create": url("suite_create"),
        "suite_detail": url("suite_detail", suite_id=suite.pk),
        "suite_edit": url("suite_edit", suite_id=suite.pk),
        "run_list": url("run_list"),
        "run_detail": url("run_detail", run_id=done_run.pk),
        "run_case": url("run_case", run_id=done_run.pk, case_id=case.pk),
        "run_export": url("run_export", run_id=done_run.pk),
        "version_pass_rates": url("version_pass_rates", prompt_id=suite.prompt_id),
    }


def test_every_page_works_within_its_query_budget(addresses, paulas, django_assert_max_num_queries):
    for name, address in addresses.items():
        with django_assert_max_num_queries(25, info=name):
            answer = paulas.get(address)
            assert answer.status_code == 200, name
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert b"style=" not in body, name


def test_strangers_find_nothing(addresses, stranger, client_of):
    client = client_of(stranger)
    assert {client.get(address).status_code for address in addresses.values()} == {404}


def test_annotators_and_finance_are_kept_out(addresses, ana, fay, client_of):
    for user in (ana, fay):
        client = client_of(user)
        assert {client.get(address).status_code for address in addresses.values()} == {403}


def test_reviewers_read_and_do_not_write(addresses, ravi, client_of, done_run, suite):
    client = client_of(ravi)
    writing = {"dataset_create", "dataset_import", "case_create", "case_edit", "suite_create", "suite_edit"}
    for name, address in addresses.items():
        assert client.get(address).status_code == (403 if name in writing else 200), name
    assert client.post(url("run_start", suite_id=suite.pk)).status_code == 403
    assert client.post(url("run_cancel", run_id=done_run.pk)).status_code == 403


def test_what_changes_something_wants_a_post(paulas, done_run, suite, dataset):
    for address in (
        url("run_cancel", run_id=done_run.pk),
        url("run_resume", run_id=done_run.pk),
        url("run_start", suite_id=suite.pk),
        url("suite_archive", suite_id=suite.pk),
        url("dataset_archive", dataset_id=dataset.pk),
        url("case_remove", case_id=dataset.cases.first().pk),
    ):
        assert paulas.get(address).status_code == 405


def test_an_empty_desk_says_what_to_do_first(workspace, paulas):
    body = paulas.get(url("experiments_home")).content.decode()
    assert "Begin with a dataset" in body
    assert url("dataset_create") in body


def test_a_dataset_is_made_filled_and_listed(workspace, paulas):
    answer = paulas.post(url("dataset_create"), {"name": "Questions", "description": ""})
    dataset = Dataset.objects.get()
    assert answer["Location"] == url("dataset_detail", dataset_id=dataset.pk)
    paulas.post(url("dataset_import", dataset_id=dataset.pk), {"content": "message\nWhere?\nWhen?\n"})
    body = paulas.get(url("dataset_detail", dataset_id=dataset.pk)).content.decode()
    assert "Where?" in body
    assert "2 cases" in body


def test_a_bad_import_says_which_line_and_answers_422(dataset, paulas):
    answer = paulas.post(url("dataset_import", dataset_id=dataset.pk), {"content": '{"a": 1}\n{"a": \n'})
    assert answer.status_code == 422
    assert "Line 2" in answer.content.decode()


def test_a_case_is_written_by_hand(dataset, paulas):
    data = {"name": "", "expected": "", "tags": "easy, short", "input_name-0": "message", "input_value-0": "Hi\r\nyou"}
    assert paulas.post(url("case_create", dataset_id=dataset.pk), data).status_code == 302
    case = Case.objects.order_by("-pk").first()
    assert (case.inputs, case.tags, case.name) == ({"message": "Hi\nyou"}, ["easy", "short"], "Case 11")


def test_a_value_that_was_no_text_keeps_its_type_when_edited(dataset, paula, paulas):
    [case] = actions.add_cases(dataset=dataset, cases=[NewCase(inputs={"n": 3, "t": "3"})], acting_user=paula)
    data = {"name": "x", "input_name-0": "n", "input_value-0": "4", "input_name-1": "t", "input_value-1": "4"}
    paulas.post(url("case_edit", case_id=case.pk), data)
    assert dataset.cases.current().get(key=case.key).inputs == {"n": 4, "t": "4"}


def test_a_suite_is_made_from_rows(prompt, dataset, paulas):
    data = {
        "prompt": prompt.pk,
        "name": "Basics",
        "dataset": dataset.pk,
        "pass_percent": "80",
        "repeats": "1",
        "case_percent": "",
        "type-0": "contains",
        "value-0": "parcel",
        "unit-0": "",
        "weight-0": "2",
        "name-0": "",
        "type-1": "",
        "value-1": "",
    }
    answer = paulas.post(url("suite_create"), data)
    suite = Suite.objects.get()
    assert answer["Location"] == url("suite_detail", suite_id=suite.pk)
    assert suite.assertions == [{"type": "contains", "value": "parcel", "weight": 2}]
    assert str(suite.pass_threshold) == "0.800"


def test_a_faulty_row_is_shown_with_what_was_typed(suite, paulas):
    data = {"name": "Basics", "dataset": suite.dataset_id, "pass_percent": "80", "repeats": "1", "version": "1"}
    answer = paulas.post(
        url("suite_edit", suite_id=suite.pk), {**data, "type-0": "regex", "value-0": "(oops", "weight-0": "1"}
    )
    assert answer.status_code == 422
    assert "Assertion 1: the pattern is not valid" in answer.content.decode()
    assert "(oops" in answer.content.decode()


def test_more_rows_are_given_without_saving(suite, paulas):
    answer = paulas.post(url("suite_edit", suite_id=suite.pk), {"more": "1", "type-0": "contains", "value-0": "kept"})
    assert answer.status_code == 200
    assert b"kept" in answer.content
    assert b'name="type-3"' in answer.content
    suite.refresh_from_db()
    assert suite.version == 1


def test_a_run_is_started_from_its_suite(suite, candidate, live, model, paulas):
    answer = paulas.post(url("run_start", suite_id=suite.pk), {"candidate": candidate.pk, "baseline": live.pk})
    run = Run.objects.get()
    assert answer["Location"] == url("run_detail", run_id=run.pk)
    assert run.arms.count() == 2


def test_a_run_that_cannot_start_says_why_on_the_same_page(suite, candidate, paulas):
    answer = paulas.post(url("run_start", suite_id=suite.pk), {"candidate": candidate.pk})
    assert answer.status_code == 422
    assert "which no connection offers" in answer.content.decode()


def test_an_active_run_polls_its_own_fragment(run, paulas):
    address = url("run_detail", run_id=run.pk)
    fragment = paulas.get(address, **HTMX).content.decode()
    assert "<html" not in fragment
    assert f'hx-get="{address}"' in fragment
    assert "<progress" in fragment


def test_the_last_poll_shows_the_result(done_run, paulas):
    answer = paulas.get(url("run_detail", run_id=done_run.pk), **HTMX, HTTP_HX_TARGET="progress")
    assert answer["HX-Refresh"] == "true"


def test_a_finished_run_opens_with_its_sentence_and_counts(done_run, paulas):
    body = paulas.get(url("run_detail", run_id=done_run.pk)).content.decode()
    assert "No clear difference: better on 3 of 10 cases, worse on 0" in body
    assert "every" not in body.partition('id="cases"')[0].partition("<main")[2]


@pytest.mark.parametrize(
    ("chosen", "count"), [("all", 10), ("fixed", 3), ("broken", 0), ("failing", 2), ("flaky", 0), ("slow", 1)]
)
def test_cases_are_filtered(done_run, paulas, chosen, count):
    address = url("run_detail", run_id=done_run.pk)
    fragment = paulas.get(address, {"show": chosen}, **HTMX).content.decode()
    assert fragment.count("/cases/") == count
    assert "<html" not in fragment


def test_cases_come_a_page_at_a_time(done_run, paulas, monkeypatch):
    address = url("run_detail", run_id=done_run.pk)
    whole = paulas.get(address, **HTMX).context["table"].rows
    monkeypatch.setattr("apps.experiments.tables.PAGE", 4)
    first = paulas.get(address, **HTMX)
    after = first.context["table"].next_after
    assert first.content.decode().count("/cases/") == 4
    second = paulas.get(address, {"after": after}, **HTMX).context["table"].rows
    assert [row.case.pk for row in second] == [row.case.pk for row in whole[4:8]]


def test_answers_stand_side_by_side_and_are_escaped(done_run, dataset, paulas):
    case = dataset.cases.first()
    body = paulas.get(url("run_case", run_id=done_run.pk, case_id=case.pk)).content.decode()
    assert "&lt;b&gt;candidate&lt;/b&gt;" in body
    assert "&lt;b&gt;baseline&lt;/b&gt;" in body
    assert "because" in body


def test_a_run_keeps_its_cases_when_its_suite_moves_to_another_dataset(done_run, suite, paula, paulas):
    other = actions.create_dataset(workspace=suite.workspace, name="Other", acting_user=paula)
    rules = {"assertions": suite.assertions}
    actions.update_suite(suite=suite, name="Basics", dataset=other, rules=rules, version=1, acting_user=paula)
    output = done_run.outputs.first()
    answer = paulas.get(url("output_detail", output_id=output.pk), follow=True)
    assert answer.status_code == 200
    assert "&lt;b&gt;candidate&lt;/b&gt;" in answer.content.decode()
    assert "Dataset Questions, version 1." in paulas.get(url("run_detail", run_id=done_run.pk)).content.decode()
    assert done_run.summary["dataset"] == "Questions"


def test_a_case_that_the_run_did_not_ask_is_not_found_in_it(done_run, dataset, paula, paulas):
    case = NewCase(inputs={"customer": "Ines", "message": "Later?"})
    [later] = actions.add_cases(dataset=dataset, cases=[case], acting_user=paula)
    assert paulas.get(url("run_case", run_id=done_run.pk, case_id=later.pk)).status_code == 404


def test_an_outputs_address_leads_to_its_case(done_run, paulas):
    output = done_run.outputs.first()
    answer = paulas.get(url("output_detail", output_id=output.pk))
    assert answer["Location"] == url("run_case", run_id=done_run.pk, case_id=output.case_id)


def test_the_export_has_every_output_and_no_formula(done_run, paulas):
    Output.objects.filter(pk=done_run.outputs.first().pk).update(text="=1+1")
    answer = paulas.get(url("run_export", run_id=done_run.pk))
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert len(rows) == 20
    assert "'=1+1" in [row["text"] for row in rows]


def test_cancel_and_resume_are_buttons(run, paulas):
    paulas.post(url("run_cancel", run_id=run.pk))
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED
    assert "Resume" in paulas.get(url("run_detail", run_id=run.pk)).content.decode()
    paulas.post(url("run_resume", run_id=run.pk))
    run.refresh_from_db()
    assert (run.state, run.started_at) == (Run.State.QUEUED, None)


def test_lists_show_a_run_that_has_no_result_yet(run, suite, paulas):
    for address in (url("experiments_home"), url("run_list"), url("suite_detail", suite_id=suite.pk)):
        assert paulas.get(address).status_code == 200, address


def test_a_run_that_has_all_answers_is_not_resumed(done_run, paulas):
    answer = paulas.post(url("run_resume", run_id=done_run.pk), **HTMX)
    assert answer.status_code == 422
    done_run.refresh_from_db()
    assert done_run.state == Run.State.DONE


def test_pass_rates_are_listed_by_version(done_run, suite, paulas):
    body = paulas.get(url("version_pass_rates", prompt_id=suite.prompt_id)).content.decode()
    assert body.index(">v2<") < body.index(">v1<")
    assert "80\u00a0%" in body
    assert "50\u00a0%" in body
