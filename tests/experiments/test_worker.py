"""A real Celery worker over a broker in a folder, killed with -9, starved and woken."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from apps.experiments import actions, beat, leases
from apps.experiments.importing import NewCase
from apps.experiments.models import Output, Run, Score
from apps.llm import actions as llm
from apps.llm.models import Call, Connection
from llmops_site.celery import app, make_broker_folders

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CASES = 60
CONCURRENCY = 8


class Worker:
    """A Celery worker process with its children, in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "celery", "-A", "llmops_site", "worker", "-c", "2", "-l", "WARNING"]
        command += ["--without-mingle", "--without-gossip", "--without-heartbeat"]
        with (folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )

    def environment(self) -> dict[str, str]:
        database = connection.settings_dict
        address = f"postgres://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
        options = f"?host={database['HOST']}&port={database['PORT'] or 5432}"
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "llmops_site.settings",
            "DATABASE_URL": address + options,
            "GALLEY_VAR": str(settings.GALLEY_VAR),
            "OUTBOUND_ALLOW": "127.0.0.1:*",
        }

    def kill(self) -> None:
        """End the worker and its children at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.kill()


@pytest.fixture
def broker():
    """The broker's folder of this test session, emptied."""
    folder = settings.BROKER_DIR
    shutil.rmtree(folder, ignore_errors=True)
    make_broker_folders(app)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    make_broker_folders(app)


@pytest.fixture
def workers(tmp_path):
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(tmp_path))
        return started[-1]

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture
def long_run(suite, candidate, model, provider, paula, broker):
    """A run of sixty answers that take a while each, eight at a time."""
    provider.listen(model)
    provider.change(latency_ms=250)
    cases = [NewCase(inputs={"customer": "Ines", "message": f"Parcel {n}?"}) for n in range(CASES - 10)]
    actions.add_cases(dataset=suite.dataset, cases=cases, acting_user=paula)
    arms = [actions.Arm(candidate)]
    yield actions.start_run(suite=suite, arms=arms, acting_user=paula, concurrency=CONCURRENCY)
    provider.change(latency_ms=5)


def wait_for(condition, seconds=90.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def done(run):
    return Output.objects.filter(run=run, state="done").count()


def is_ended(run):
    run.refresh_from_db()
    return not run.is_active


def test_a_killed_worker_loses_nothing_and_only_calls_in_flight_are_repeated(long_run, workers, provider):
    worker = workers()
    assert wait_for(lambda: done(long_run) >= 10), "the worker never began"
    worker.kill()
    in_flight = Output.objects.filter(run=long_run, state="leased").count()
    assert in_flight <= leases.with_reserve(CONCURRENCY)
    before = done(long_run)
    workers()
    assert wait_for(lambda: beat.wake_runs() or is_ended(long_run))
    assert long_run.state == Run.State.DONE
    assert before < done(long_run) == CASES
    assert Score.objects.filter(output__run=long_run).count() == 2 * CASES
    assert provider.stats()["ok"] - CASES <= CONCURRENCY


def test_a_wiped_broker_is_made_good_by_the_clock(long_run, workers, broker):
    shutil.rmtree(broker)
    make_broker_folders(app)
    workers()
    time.sleep(2)
    assert done(long_run) == 0
    beat.wake_runs()
    assert wait_for(lambda: is_ended(long_run))
    assert (long_run.state, done(long_run)) == (Run.State.DONE, CASES)


def test_the_schedule_wakes_runs():
    assert app.conf.beat_schedule["wake-runs"]["task"] == beat.wake_runs.name
    assert settings.CELERY_TASK_ACKS_LATE


WRITTEN_WITHIN = timedelta(milliseconds=100)


def left_after_the_first_refusal(run):
    """Return how many calls left once the first refusal was written down, for every process to see."""
    calls = Call.objects.filter(party=run.party)
    first = calls.filter(error_kind="authentication").order_by("ended_at")[0]
    assert first.ended_at is not None
    return calls.filter(sent_at__gt=first.ended_at + WRITTEN_WITHIN).count()


def test_a_key_revoked_in_mid_run_stops_it_at_once_and_the_rest_follows_with_the_new_key(
    long_run, workers, provider, model, olga
):
    workers()
    assert wait_for(lambda: done(long_run) >= 10), "the worker never began"
    provider.change(fault_401_every=1)
    revoked = time.monotonic()
    assert wait_for(lambda: is_ended(long_run), 20)
    stopped_after = time.monotonic() - revoked
    assert long_run.state == Run.State.FAILED
    assert wait_for(lambda: not Call.objects.filter(state="sent").exists(), 20)
    assert left_after_the_first_refusal(long_run) == 0
    assert Call.objects.filter(error_kind="authentication").count() <= CONCURRENCY
    assert stopped_after < 3
    assert wait_for(lambda: not Output.objects.filter(run=long_run, state="leased").exists(), 20)
    answered = dict(Output.objects.filter(run=long_run, state="done").values_list("pk", "call"))
    provider.change(fault_401_every=0)
    llm.replace_key(connection=Connection.objects.get(pk=model.connection_id), key="sk-the-new-one", acting_user=olga)
    actions.resume_run(run=long_run, acting_user=olga)
    assert wait_for(lambda: is_ended(long_run))
    assert (long_run.state, done(long_run)) == (Run.State.DONE, CASES)
    assert answered.items() <= dict(Output.objects.filter(run=long_run).values_list("pk", "call")).items()
    assert provider.stats()["ok"] == CASES
