"""Runs that wait for a place in a model's lane: leases, cancelling, fairness, refused keys. Real threads and provider."""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models import Count
from django.urls import reverse
from django.utils import timezone

from apps.costs.models import Purpose
from apps.experiments import actions, leases, runner
from apps.experiments.asking_threads import Asker
from apps.experiments.importing import NewCase
from apps.experiments.models import Output, Run
from apps.llm import inference
from apps.llm.attempts import Attempts
from apps.llm.attribution import Attribution
from apps.llm.completion import CompletionRequest
from apps.llm.models import Call, Connection, Lane, Waiter

WRITTEN_WITHIN = timedelta(milliseconds=100)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def answering(run, model, provider):
    """A queued run of twenty outputs whose provider is up."""
    provider.listen(model)
    return run


@pytest.fixture
def full_lane(model):
    """A lane whose only place is taken by somebody who keeps it."""
    return Lane.objects.create(model=model, width=1, in_flight=1)


@pytest.fixture
def work():
    """Let workers advance runs, each in a thread of its own, and see to it that they end."""
    workers: list[threading.Thread] = []
    returned: list[bool] = []

    def advance(run, **options):
        try:
            returned.append(runner.advance(run.pk, **options))
        finally:
            connections.close_all()

    def start(run, **options):
        workers.append(threading.Thread(target=advance, args=(run,), kwargs=options))
        workers[-1].start()
        return workers[-1]

    start.returned = returned
    yield start
    Lane.objects.update(in_flight=0, width=64, paused_until=None)
    for worker in workers:
        worker.join(60)


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_waiting(run):
    return Waiter.objects.recent().filter(party=run.party).exists()


def test_a_run_that_waits_for_a_place_is_cancelled_within_seconds(answering, full_lane, work, paula, provider):
    worker = work(answering)
    assert wait_for(lambda: is_waiting(answering))
    actions.cancel_run(run=answering, acting_user=paula)
    worker.join(2)
    assert not worker.is_alive()
    assert set(Output.objects.values_list("state", "attempts", "sent_from")) == {("waiting", 0, None)}
    assert provider.stats()["generation_calls"] == 0


def test_a_turn_that_is_over_ends_though_every_thread_waits(answering, full_lane, work):
    worker = work(answering, turn_seconds=1.0)
    assert wait_for(lambda: is_waiting(answering))
    worker.join(3)
    assert not worker.is_alive()
    assert work.returned == [True]
    assert set(Output.objects.values_list("state", "attempts")) == {("waiting", 0)}


def test_an_output_that_waits_long_is_leased_once_and_asked_for_once(answering, full_lane, work, provider, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 1)
    monkeypatch.setattr(runner, "RENEW_SECONDS", 0.3)
    worker = work(answering)
    assert wait_for(lambda: is_waiting(answering))
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert leases.claim(answering.pk, wanted=20, cap=500) == []
        time.sleep(0.1)
    Lane.objects.filter(pk=full_lane.pk).update(in_flight=0)
    worker.join(20)
    assert set(Output.objects.values_list("state", "attempts")) == {("done", 1)}
    assert provider.stats()["generation_calls"] == 20


def test_no_place_in_all_that_time_is_not_the_outputs_fault(answering, provider, monkeypatch):
    complete, turned_away = inference.complete, []

    def busy_at_first(request):
        if len(turned_away) < 6:
            turned_away.append(request)
            raise inference.Busy("The model is busy.")
        return complete(request)

    monkeypatch.setattr(inference, "complete", busy_at_first)
    runner.advance(answering.pk)
    assert set(Output.objects.values_list("state", "attempts")) == {("done", 1)}
    assert provider.stats()["generation_calls"] == 20


def test_the_page_says_that_a_run_waits_and_for_whom(answering, full_lane, work, paula, client_of, provider):
    address = reverse("run_detail", kwargs={"workspace": "acme", "run_id": answering.pk})
    paulas = client_of(paula)
    work(answering)
    assert wait_for(lambda: is_waiting(answering))
    page = " ".join(paulas.get(address).content.decode().split())
    assert "Waiting for Practice" in page
    assert "is busy. It takes 1 call at a time now, 0 of them from this run." in page


def refused(run):
    """Return how many calls were refused, and how many left once the first refusal was written down."""
    calls = Call.objects.filter(party=run.party)
    refusals = calls.filter(error_kind="authentication").order_by("ended_at")
    return refusals.count(), calls.filter(sent_at__gt=refusals[0].ended_at + WRITTEN_WITHIN).count()


@pytest.mark.parametrize("width", [1, 3, 64])
def test_once_a_key_is_refused_nothing_more_leaves(answering, model, provider, work, width):
    Lane.objects.create(model=model, width=width)
    provider.change(fault_401_every=1)
    first, second = work(answering), work(answering)
    first.join(20)
    second.join(20)
    provider.change(fault_401_every=0)
    answering.refresh_from_db()
    assert answering.state == Run.State.FAILED
    count, later = refused(answering)
    assert later == 0
    assert 1 <= count <= min(width, 32)
    assert not Output.objects.filter(run=answering, state__in=["leased", "failed"]).exists()


def test_answers_that_come_after_the_refusal_are_counted(answering, provider, model):
    """The slow ones left before the key was refused: they are answered, stored, and part of the figures."""
    provider.change(latency_ms=400, fault_401_next=1)
    Lane.objects.create(model=model, width=20)
    try:
        runner.advance(answering.pk)
    finally:
        provider.change(latency_ms=5)
    answering.refresh_from_db()
    assert answering.state == Run.State.FAILED
    done = Output.objects.filter(run=answering, state="done").count()
    assert done > 0
    assert sum(arm["answered"] for arm in answering.summary["arms"]) == done == provider.stats()["ok"]


def test_the_page_leads_an_admin_to_the_refused_key_until_the_run_is_resumed(
    answering, model, provider, paula, olga, client_of
):
    provider.change(fault_401_every=1)
    runner.advance(answering.pk)
    provider.change(fault_401_every=0)
    address = reverse("run_detail", kwargs={"workspace": "acme", "run_id": answering.pk})
    mend = reverse("connection_detail", kwargs={"workspace": "acme", "pk": model.connection_id})
    for user, is_led in ((olga, True), (paula, False)):
        page = client_of(user).get(address).content.decode()
        assert "The provider refused the key." in page
        assert (f'href="{mend}"' in page) is is_led
        assert ("An admin can replace the key of Practice." in page) is not is_led
    actions.resume_run(run=answering, acting_user=paula)
    runner.advance(answering.pk)
    assert mend not in client_of(olga).get(address).content.decode()


@pytest.fixture
def two_runs(suite, candidate, model, provider, paula):
    """Two runs of eighty answers of a tenth of a second each, and a model that takes ten calls at once."""
    provider.listen(model)
    provider.change(latency_ms=100, concurrency=10)
    Connection.objects.filter(pk=model.connection_id).update(max_concurrency=10)
    cases = [NewCase(inputs={"customer": "Ines", "message": f"Parcel {n}?"}) for n in range(70)]
    actions.add_cases(dataset=suite.dataset, cases=cases, acting_user=paula)
    yield [actions.start_run(suite=suite, arms=[actions.Arm(candidate)], acting_user=paula) for _ in range(2)]
    provider.change(latency_ms=5, concurrency=0)


def test_two_runs_share_a_model_evenly_and_a_person_is_let_in_between(two_runs, model, work, paula, provider):
    for run in two_runs:
        work(run)
    assert wait_for(lambda: Output.objects.filter(state="done").count() >= 20)
    model.refresh_from_db()
    attribution = Attribution(purpose=Purpose.PLAYGROUND, user_id=paula.pk)
    asked = time.perf_counter()
    inference.complete(
        CompletionRequest(model=model, messages=[{"role": "user", "content": "Hello?"}], attribution=attribution)
    )
    waited = time.perf_counter() - asked
    assert wait_for(lambda: Output.objects.filter(state="done").count() >= 80)
    shares = dict(Output.objects.filter(state="done").values_list("run").annotate(n=Count("pk")))
    assert wait_for(lambda: Output.objects.filter(state="done").count() == 160)
    assert min(shares.values()) >= 0.35 * sum(shares.values())
    assert not Call.objects.exclude(state="answered").exists()
    assert waited < 1.0


def test_the_place_of_a_call_whose_worker_died_is_free_once_its_output_is_claimed_again(answering, model, provider):
    """Not only when the sweeper comes, minutes later: the lane may be full of such calls."""
    Run.objects.filter(pk=answering.pk).update(state="running", started_at=timezone.now())
    [claim] = leases.claim(answering.pk, wanted=1, cap=64)
    asker = Asker(answering)
    arm, origin = asker.arms[claim.arm_id], asker.origin(claim.output_id)
    attribution = replace(asker.attributions[arm.pk], origin=origin)
    messages = [{"role": "user", "content": "Hello?"}]
    task = Attempts(
        CompletionRequest(model=arm.model, messages=messages, attribution=attribution, party=answering.party),
        Call.Operation.COMPLETE,
        {},
    )
    Lane.objects.create(model=model, width=1)
    dead = task.begin()
    Output.objects.filter(pk=claim.output_id).update(leased_until=timezone.now() - timedelta(seconds=1))
    assert runner.advance(answering.pk, turn_seconds=20) is False
    answering.refresh_from_db()
    assert answering.state == Run.State.DONE
    assert Call.objects.get(pk=dead.pk).state == Call.State.LOST
    assert provider.stats()["generation_calls"] == 20
    assert Lane.objects.get(model=model).in_flight == 0
