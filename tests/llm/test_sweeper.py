"""Calls that a dead process left in flight are written off once, with an estimated charge."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection as database
from django.utils import timezone

from apps.costs.models import Charge
from apps.llm import beat, inference, journal, sweeper
from apps.llm.completion import Answer, Usage
from apps.llm.models import Call, Model
from tests.llm.conftest import INPUT_PRICE, ask

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(hours=1)


def begin(model: Model) -> Call:
    return journal.begin(ask(model), attempt=1, first=None, now=timezone.now())


def test_a_call_past_its_deadline_is_lost_and_charged_by_estimate(model: Model) -> None:
    call = begin(model)
    assert sweeper.sweep(timezone.now() + LATER) == 1
    call.refresh_from_db()
    charge = Charge.objects.get()
    assert (call.state, call.charge_id) == ("lost", charge.pk)
    assert (charge.estimated, charge.failed, charge.output_tokens) == (True, True, 0)
    assert charge.cost == charge.input_tokens * INPUT_PRICE > 0


def test_a_call_that_may_still_be_answered_is_left_alone(model: Model) -> None:
    begin(model)
    beat.sweep_calls()
    assert Call.objects.get().state == "sent"
    assert not Charge.objects.exists()


def test_an_ended_call_is_never_written_off(model: Model) -> None:
    done = inference.complete(ask(model))
    assert sweeper.sweep(timezone.now() + LATER) == 0
    assert sweeper.charge_lost(Call.objects.get(), now=timezone.now()) is False
    assert Charge.objects.get().cost == done.cost


def test_sweepers_that_meet_charge_each_call_once(model: Model) -> None:
    for _ in range(20):
        begin(model)
    swept: list[int] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        try:
            swept.append(sweeper.sweep(timezone.now() + LATER))
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(swept), Charge.objects.count(), Call.objects.filter(state="lost").count()) == (20, 20, 20)


def test_an_answer_after_the_write_off_keeps_the_charge_that_is_there(model: Model) -> None:
    call = begin(model)
    sweeper.sweep(timezone.now() + LATER)
    estimated = Charge.objects.get().cost
    answer = _answer()
    _, cost = journal.answered(call, answer, request_id="", latency_ms=1, now=timezone.now())
    assert cost == estimated
    assert Charge.objects.count() == 1
    assert Call.objects.get().state == "lost"


def _answer() -> Answer:
    return Answer(text="late", tool_calls=[], finish_reason="stop", usage=Usage(input=1, output=1))


CHILD = """
import django; django.setup()
from apps.llm import inference
from apps.llm.models import Model
from tests.llm.conftest import ask
inference.complete(ask(Model.objects.with_connection().get(), timeout=60.0))
"""


@pytest.mark.slow
def test_a_process_killed_between_sending_and_writing_leaves_a_call_that_is_charged_once(model: Model) -> None:
    model.name = "practice-small!hang"
    model.save()
    root = Path(__file__).resolve().parents[2]
    settings = database.settings_dict
    login = f"{quote(settings['USER'])}:{quote(settings['PASSWORD'], safe='')}"
    url = f"postgres://{login}@/{settings['NAME']}?host={settings['HOST']}&port={settings['PORT']}"
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(root),
    }
    child = subprocess.Popen([sys.executable, "-c", CHILD], cwd=root, env=environment)
    try:
        deadline = time.monotonic() + 30
        while not Call.objects.exists() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        assert Call.objects.get().state == "sent"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not Charge.objects.exists()
    assert [sweeper.sweep(timezone.now() + LATER) for _ in range(2)] == [1, 0]
    assert Charge.objects.filter(estimated=True).count() == 1
