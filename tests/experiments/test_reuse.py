"""Runs that may use kept answers, and answers whose text was not kept."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from apps.core.errors import DomainError
from apps.costs import budgets, pricing
from apps.costs.models import Charge, Meter, Price
from apps.experiments import actions, exporting, runner
from apps.experiments.models import Output, Run, Score
from apps.llm import inference, policies
from apps.llm.models import BodyPolicy, Call, CallBody

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def keep(workspace):
    """Decide what the workspace keeps."""

    def decide(**policy):
        BodyPolicy.objects.update_or_create(workspace=workspace, defaults=policy)
        policies.forget()

    yield decide
    policies.forget()


@pytest.fixture
def again(suite, candidate, live, model, provider, paula):
    """Start another run of the candidate against live; its model has a price."""
    provider.listen(model)
    for meter in (Meter.INPUT, Meter.OUTPUT):
        Price.objects.create(
            workspace=model.workspace, provider="practice", model=model.name, meter=meter,
            unit_price=Decimal("0.000002"), valid_from=datetime(2020, 1, 1, tzinfo=UTC), source="test",
        )  # fmt: skip
    pricing.forget()

    def start(**options):
        arms = [actions.Arm(candidate), actions.Arm(live, "baseline")]
        return actions.start_run(suite=suite, arms=arms, acting_user=paula, **options)

    yield start
    pricing.forget()


def worked_off(run):
    runner.advance(run.pk)
    return Run.objects.with_names().select_related("workspace").get(pk=run.pk)


def page_of(client, run):
    address = reverse("run_detail", kwargs={"workspace": "acme", "run_id": run.pk})
    return " ".join(client.get(address).content.decode().split())


@pytest.mark.slow
def test_a_second_run_pays_for_nothing_and_says_so(keep, again, provider, paula, client_of):
    keep(reuse_hours=24)
    first, second = worked_off(again(reuse=True)), worked_off(again(reuse=True))
    assert provider.stats()["generation_calls"] == 20
    paid = Output.objects.filter(run=first)
    assert set(paid.values_list("reused", "saved")) == {(False, None)}
    total = sum(output.cost for output in paid)
    assert total > 0
    reused = Output.objects.filter(run=second)
    assert set(reused.values_list("state", "reused", "cost", "latency_ms")) == {("done", True, 0, None)}
    assert sum(output.saved for output in reused) == total
    assert set(reused.values_list("case", "arm__role", "text")) == set(paid.values_list("case", "arm__role", "text"))
    assert not reused.filter(passed=None).exists()
    page = page_of(client_of(paula), second)
    assert "20 answers reused, saved $" in page
    assert "Every answer was asked for anew: none that was kept fitted." in page_of(client_of(paula), first)


@pytest.mark.slow
def test_times_and_cost_per_answer_are_of_what_was_asked(keep, again):
    keep(reuse_hours=24)
    worked_off(again(reuse=True))
    [arm, _] = worked_off(again(reuse=True)).summary["arms"]
    assert (arm["reused"], arm["answered"], arm["latency_p50"], arm["cost_per_answer"]) == (10, 10, None, None)
    assert Decimal(arm["saved"]) > 0


@pytest.mark.slow
def test_a_run_that_does_not_ask_for_kept_answers_pays_for_its_own(keep, again, provider):
    keep(reuse_hours=24)
    worked_off(again(reuse=True))
    worked_off(again())
    assert provider.stats()["generation_calls"] == 40


@pytest.mark.slow
def test_every_repeat_has_an_answer_of_its_own(keep, again, suite, provider):
    keep(reuse_hours=24)
    suite.__class__.objects.filter(pk=suite.pk).update(repeats=2)
    run = worked_off(again(reuse=True))
    assert provider.stats()["generation_calls"] == 40
    assert not Output.objects.filter(run=run, reused=True).exists()
    worked_off(again(reuse=True))
    assert provider.stats()["generation_calls"] == 40


@pytest.mark.slow
def test_a_reused_answer_that_a_worker_lost_is_found_again_with_what_it_saved(keep, again, provider):
    keep(reuse_hours=24)
    worked_off(again(reuse=True))
    run = worked_off(again(reuse=True))
    saved = dict(Output.objects.filter(run=run).values_list("pk", "saved"))
    lose(run)
    calls = Call.objects.count()
    worked_off(run)
    assert dict(Output.objects.filter(run=run, reused=True).values_list("pk", "saved")) == saved
    assert (Call.objects.count(), provider.stats()["generation_calls"]) == (calls, 20)


def test_evidence_is_never_made_of_kept_answers(again, suite, prompt, candidate, paula, workspace):
    with pytest.raises(DomainError, match="always asked anew"):
        again(reuse=True, change_request=object())


def test_the_database_refuses_evidence_that_may_reuse(run, workspace, paula, candidate):
    from apps.prompts import actions as prompts
    from tests import factories

    environments = factories.make_environments(workspace)
    request = prompts.open_change_request(
        version=candidate, environment=environments["dev"], title="t", why="w", acting_user=paula
    )
    [evidence] = Run.objects.filter(change_request=request)
    assert evidence.reuse is False
    with pytest.raises(IntegrityError, match="run_evidence_is_new"), transaction.atomic():
        Run.objects.filter(pk=evidence.pk).update(reuse=True)


def test_the_form_offers_kept_answers_where_the_workspace_uses_them(keep, suite, model, paula, client_of):
    address = reverse("suite_detail", kwargs={"workspace": "acme", "suite_id": suite.pk})
    policies.forget()
    assert "Use kept answers" not in client_of(paula).get(address).content.decode()
    keep(reuse_hours=36)
    assert "the last 36 hours" in client_of(paula).get(address).content.decode()
    keep(reuse_hours=48)
    page = client_of(paula).get(address).content.decode()
    assert "Use kept answers" in page
    assert "the last 2 days" in page
    assert "checked" in page.partition('name="reuse"')[2].partition(">")[0]


@pytest.mark.parametrize("ticked", [True, False])
def test_a_run_follows_the_choice(keep, suite, candidate, model, paula, client_of, ticked):
    keep(reuse_hours=48)
    address = reverse("run_start", kwargs={"workspace": "acme", "suite_id": suite.pk})
    data = {"candidate": candidate.pk, **({"reuse": "on"} if ticked else {})}
    assert client_of(paula).post(address, data).status_code == 302
    assert Run.objects.get().reuse is ticked


@pytest.mark.slow
def test_the_case_page_and_the_file_mark_what_was_reused(keep, again, paula, client_of):
    keep(reuse_hours=24)
    worked_off(again(reuse=True))
    run = worked_off(again(reuse=True))
    case = Output.objects.filter(run=run).first().case_id
    address = reverse("run_case", kwargs={"workspace": "acme", "run_id": run.pk, "case_id": case})
    assert "Reused: an answer kept from before to exactly this" in client_of(paula).get(address).content.decode()
    header, *rows = "".join(exporting.lines(run)).splitlines()
    place = header.lstrip("\ufeff").split(",").index("reused")
    assert len(rows) >= 20
    assert place > 0


def lose_every_answer(run):
    """Let every answer be bought and every output be lost, as when a worker dies at the worst moment."""
    worked_off(run)
    lose(run)


def lose(run):
    Score.objects.filter(output__run=run).delete()
    Output.objects.filter(run=run).update(
        state="waiting", finished_at=None, passed=None, text="", call=None, reused=False, saved=None
    )
    Run.objects.filter(pk=run.pk).update(state="running", finished_at=None, summary=None)


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["none", "hashed"])
def test_a_lost_answer_whose_text_was_not_kept_is_bought_again(keep, again, provider, kept, caplog):
    keep(kept=kept)
    run = again()
    lose_every_answer(run)
    run = worked_off(run)
    assert run.state == Run.State.DONE
    assert not Output.objects.filter(run=run, text="").exists()
    assert provider.stats()["generation_calls"] == Charge.objects.count() == 40
    assert "their texts not kept" in caplog.text


@pytest.mark.slow
def test_a_lost_answer_whose_text_is_gone_since_is_bought_again(again, provider):
    run = again()
    lose_every_answer(run)
    CallBody.objects.all().delete()
    worked_off(run)
    assert not Output.objects.filter(run=run, text="").exists()
    assert provider.stats()["generation_calls"] == 40


def test_a_full_budget_stops_a_run_at_once_in_its_own_words(run, monkeypatch):
    asked = []

    def refuse(request):
        asked.append(request)
        raise budgets.OverBudget("The budget “Tests” has $0.00 of $5.00 left until 30 November 2026.")

    monkeypatch.setattr(inference, "complete", refuse)
    run = worked_off(run)
    assert run.state == Run.State.FAILED
    assert "The budget “Tests” has $0.00 of $5.00 left" in run.reason
    assert "Resume the run when there is room." in run.reason
    assert set(Output.objects.values_list("state", flat=True)) == {"waiting"}
    assert len(asked) <= 16
