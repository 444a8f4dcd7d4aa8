"""The runner with real threads, a real database and a provider that answers."""

import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from apps.costs.models import Charge
from apps.experiments import actions, asking_threads, assertions, leases, results, runner, signals
from apps.experiments.models import Output, Run, Score
from apps.llm import inference
from apps.llm.completion import CompletionRequest
from apps.llm.models import Call

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def answering(run, model, provider):
    """A queued run whose provider is up."""
    provider.listen(model)
    return run


def test_a_run_is_worked_off_and_ends_with_its_figures(answering, provider):
    assert runner.advance(answering.pk) is False
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    assert provider.stats()["generation_calls"] == 20
    assert [arm["rate"]["n"] for arm in answering.summary["arms"]] == [10, 10]
    assert answering.summary["comparisons"][0]["n"] == 10


def test_every_output_has_its_answer_call_cost_and_scores(answering):
    runner.advance(answering.pk)
    outputs = list(Output.objects.filter(run=answering).select_related("call__body"))
    assert all(output.text and output.call.body.text == output.text for output in outputs)
    assert all(output.call.origin.endswith(f"/experiments/outputs/{output.pk}/") for output in outputs)
    assert Score.objects.filter(output__run=answering).count() == 40
    assert Charge.objects.filter(purpose="evaluation").count() == 20


def test_nothing_is_done_twice_when_two_workers_hear_the_same_bell(answering, provider):
    def work():
        runner.advance(answering.pk)
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    runner.advance(answering.pk)
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    assert provider.stats()["generation_calls"] == 20
    assert Score.objects.filter(output__run=answering).count() == 40


def test_the_end_is_announced_once(answering):
    heard = []

    def listen(run, **_):
        heard.append(run.state)

    signals.run_finished.connect(listen)
    try:
        runner.advance(answering.pk)
        runner.finish(answering.pk)
    finally:
        signals.run_finished.disconnect(listen)
    assert heard == ["done"]


def test_an_answer_that_was_paid_for_is_not_bought_again(answering, model, provider):
    """A worker died after the answer was stored and before the output was."""
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    [claim] = leases.claim(answering.pk, wanted=1, cap=64)
    asker = asking_threads.Asker(answering)
    arm = asker.arms[claim.arm_id]
    attribution = asker.attributions[arm.pk].__class__(
        **{**vars(asker.attributions[arm.pk]), "origin": asker.origin(claim.output_id)}
    )
    messages = [{"role": "user", "content": "Hello"}]
    bought = inference.complete(CompletionRequest(model=arm.model, messages=messages, attribution=attribution))
    Output.objects.filter(pk=claim.output_id).update(leased_until=timezone.now() - timedelta(seconds=1))
    runner.advance(answering.pk)
    output = Output.objects.get(pk=claim.output_id)
    assert (output.call_id, output.text) == (bought.call_id, bought.text)
    assert output.passed is not None
    assert provider.stats()["generation_calls"] == 20


def bought_before(run):
    """Let every answer be bought and every output be lost, as when a worker dies at the worst moment."""
    runner.advance(run.pk)
    Score.objects.filter(output__run=run).delete()
    Output.objects.filter(run=run).update(state="waiting", finished_at=None, passed=None, text="", call=None)
    Run.objects.filter(pk=run.pk).update(state="running", finished_at=None, summary=None)


def test_answers_that_were_paid_for_are_judged_where_no_lease_has_to_wait(answering, provider, monkeypatch):
    bought_before(answering)
    judge, threads = assertions.judge, set()

    def noted(*args, **kwargs):
        threads.add(threading.current_thread().name)
        return judge(*args, **kwargs)

    monkeypatch.setattr(assertions, "judge", noted)
    runner.advance(answering.pk)
    assert threads
    assert all(name.startswith(f"run-{answering.pk}-") for name in threads)
    assert Output.objects.filter(run=answering, state="done", passed__isnull=False).count() == 20
    assert provider.stats()["generation_calls"] == 20


@pytest.mark.parametrize("is_paid", [True, False])
def test_an_answer_that_cannot_be_judged_costs_its_output_and_not_the_run(answering, provider, monkeypatch, is_paid):
    if is_paid:
        bought_before(answering)
    judge, broken = assertions.judge, []

    def breaks_once(*args, **kwargs):
        if not broken:
            broken.append(1)
            raise RecursionError("too deep")
        return judge(*args, **kwargs)

    monkeypatch.setattr(assertions, "judge", breaks_once)
    runner.advance(answering.pk)
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    [failed] = Output.objects.filter(run=answering, state="failed")
    assert (failed.error_kind, failed.call_id is not None) == ("unjudged", True)
    assert provider.stats()["generation_calls"] == 20


def test_resuming_judges_again_and_buys_nothing(answering, provider, monkeypatch, paula):
    with monkeypatch.context() as broken:
        broken.setattr(assertions, "judge", lambda *args, **kwargs: 1 / 0)
        runner.advance(answering.pk)
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    actions.resume_run(run=answering, acting_user=paula)
    runner.advance(answering.pk)
    assert Output.objects.filter(run=answering, state="done").count() == 20
    assert provider.stats()["generation_calls"] == 20


def test_a_result_whose_lease_was_lost_changes_nothing(answering):
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    [late] = leases.claim(answering.pk, wanted=1, cap=64)
    Output.objects.filter(pk=late.output_id).update(leased_until=timezone.now() - timedelta(seconds=1))
    [again] = leases.claim(answering.pk, wanted=1, cap=64)
    assert again.output_id == late.output_id
    assert again.token != late.token
    answer = results.Result(late, Output.State.DONE, text="too late")
    assert results.store(answering, [answer]) == 0
    assert Output.objects.get(pk=late.output_id).text == ""


def test_a_lease_in_other_hands_is_not_claimed(answering):
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    mine = leases.claim(answering.pk, wanted=15, cap=64)
    theirs = leases.claim(answering.pk, wanted=15, cap=64)
    assert (len(mine), len(theirs)) == (15, 5)
    assert not {claim.output_id for claim in mine} & {claim.output_id for claim in theirs}


def test_no_more_than_the_cap_is_leased_by_all_workers_together(answering):
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    assert len(leases.claim(answering.pk, wanted=15, cap=8)) == 8
    assert leases.claim(answering.pk, wanted=15, cap=8) == []


def test_renewed_leases_do_not_lapse_and_lost_ones_are_not_renewed(answering):
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    claims = leases.claim(answering.pk, wanted=2, cap=64)
    Output.objects.filter(pk=claims[1].output_id).update(lease_token=uuid4())
    before = dict(Output.objects.values_list("pk", "leased_until"))
    time.sleep(0.02)
    leases.renew(claims)
    after = dict(Output.objects.values_list("pk", "leased_until"))
    assert after[claims[0].output_id] > before[claims[0].output_id]
    assert after[claims[1].output_id] == before[claims[1].output_id]


def test_what_was_given_back_counts_as_never_tried(answering):
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    leases.give_back(leases.claim(answering.pk, wanted=5, cap=64))
    assert set(Output.objects.values_list("state", "attempts")) == {("waiting", 0)}


def test_a_provider_that_is_down_fails_the_run_in_words_and_leaves_the_rest_waiting(run):
    runner.advance(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "did not answer" in run.reason
    assert Output.objects.filter(run=run, state="waiting").count() == 20


def test_a_run_that_failed_is_resumed_when_the_provider_is_back(run, model, provider, paula):
    runner.advance(run.pk)
    provider.listen(model)
    actions.resume_run(run=run, acting_user=paula)
    runner.advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reason) == (Run.State.DONE, "")
    assert provider.stats()["generation_calls"] == 20


def test_a_refused_key_fails_the_run_at_once(answering, provider):
    provider.change(fault_401_every=1)
    try:
        runner.advance(answering.pk)
    finally:
        provider.change(fault_401_every=0)
    answering.refresh_from_db()
    assert answering.state == Run.State.FAILED
    assert "refused the key" in answering.reason
    assert not Output.objects.filter(run=answering, state="failed").exists()


def test_a_refused_request_fails_its_output_alone(answering, provider):
    provider.change(fault_400_next=1)
    runner.advance(answering.pk)
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    [failed] = Output.objects.filter(run=answering, state="failed")
    assert failed.error_kind == "bad_request"
    assert sum(arm["failed"] for arm in answering.summary["arms"]) == 1
    assert answering.summary["comparisons"][0]["n"] == 9


def test_only_what_failed_is_asked_for_again(answering, provider, paula):
    provider.change(fault_400_next=1)
    runner.advance(answering.pk)
    actions.resume_run(run=answering, acting_user=paula)
    runner.advance(answering.pk)
    assert provider.stats()["ok"] == 20
    assert Output.objects.filter(run=answering, state="done").count() == 20


def test_calls_that_are_turned_away_for_a_while_all_end(answering, provider):
    provider.change(fault_429_every=5, retry_after=0.05)
    try:
        runner.advance(answering.pk)
    finally:
        provider.change(fault_429_every=0)
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    assert Output.objects.filter(run=answering, state="done").count() == 20


def test_a_cancelled_run_asks_for_nothing_more_and_keeps_what_it_has(answering, provider, paula):
    provider.change(latency_ms=300)
    Run.objects.filter(pk=answering.pk).update(concurrency=2)
    try:
        worker = threading.Thread(target=lambda: (runner.advance(answering.pk), connections.close_all()))
        worker.start()
        time.sleep(0.5)
        actions.cancel_run(run=answering, acting_user=paula)
        worker.join()
    finally:
        provider.change(latency_ms=5)
    done = Output.objects.filter(run=answering, state="done").count()
    assert 0 < done < 12
    assert done == provider.stats()["ok"]
    answering.refresh_from_db()
    assert answering.state == Run.State.CANCELLED


def test_a_turn_that_is_over_gives_back_what_it_did_not_ask(answering, provider):
    provider.change(latency_ms=200)
    Run.objects.filter(pk=answering.pk).update(concurrency=2)
    try:
        assert runner.advance(answering.pk, turn_seconds=0.3) is True
    finally:
        provider.change(latency_ms=5)
    assert not Output.objects.filter(run=answering, state="leased").exists()
    assert Output.objects.filter(run=answering, state="waiting").exists()


def test_an_output_that_takes_its_worker_down_every_time_is_given_up(answering):
    Output.objects.filter(run=answering).order_by("pk")
    victim = Output.objects.filter(run=answering).order_by("pk").first()
    Output.objects.filter(pk=victim.pk).update(attempts=leases.MAX_ATTEMPTS, sent_from=timezone.now())
    runner.advance(answering.pk)
    victim.refresh_from_db()
    assert (victim.state, victim.error_kind) == ("failed", "abandoned")


def test_a_worker_that_died_between_the_last_answer_and_the_end_is_made_good(answering):
    runner.advance(answering.pk)
    Run.objects.filter(pk=answering.pk).update(state="running", finished_at=None, summary=None)
    assert list(Run.objects.asleep()) == [answering]
    runner.advance(answering.pk)
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    assert answering.summary


def test_a_run_under_a_live_lease_is_not_woken(answering):
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    assert list(Run.objects.asleep()) == [answering]
    claims = leases.claim(answering.pk, wanted=1, cap=64)
    assert list(Run.objects.asleep()) == []
    Output.objects.filter(pk=claims[0].output_id).update(leased_until=timezone.now() - timedelta(seconds=1))
    assert list(Run.objects.asleep()) == [answering]


def test_an_unknown_run_is_left_alone(db):
    assert runner.advance(10**9) is False


def test_answers_with_null_bytes_are_stored(answering):
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    [claim] = leases.claim(answering.pk, wanted=1, cap=64)
    answer = results.Result(claim, Output.State.DONE, text="a\x00b\ud800")
    assert results.store(answering, [answer]) == 1
    assert Output.objects.get(pk=claim.output_id).text == "a\ufffdb?"


def test_no_call_is_left_in_flight(answering):
    runner.advance(answering.pk)
    assert not Call.objects.filter(state="sent").exists()
