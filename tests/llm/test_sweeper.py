"""Calls that a dead process left in flight are written off once, with an estimated charge."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.db import connection as database
from django.utils import timezone

from apps.costs.models import Charge
from apps.llm import beat, governor, hours, inference, journal, sweeper, turnstile
from apps.llm.attempts import Attempts
from apps.llm.completion import Answer, Usage
from apps.llm.models import Call, CallHour, Lane, Model
from tests.llm.calls import made
from tests.llm.conftest import INPUT_PRICE, ask

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(hours=1)


def begin(model: Model) -> Call:
    task = Attempts(ask(model), Call.Operation.COMPLETE, {})
    return turnstile.admitted(task.ticket, 5.0, task.begin, governor.wait_for)


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
    Lane.objects.create(model=model, width=20)
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
    _, cost = journal.answered(
        call, answer, kept="full", request_id="", timing=journal.Timing(latency_ms=1), now=timezone.now()
    )
    assert cost == estimated
    assert Charge.objects.count() == 1
    assert Call.objects.get().state == "lost"


def test_a_call_that_cannot_be_written_off_holds_up_no_other(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 2)
    calls = [begin(model) for _ in range(5)]
    really = journal.lost

    def lost(call: Call, **options: Any) -> bool:
        if call.pk in {calls[0].pk, calls[1].pk, calls[3].pk}:
            raise ValueError("a charge that cannot be made")
        return really(call, **options)

    monkeypatch.setattr(journal, "lost", lost)
    assert sweeper.sweep(timezone.now() + LATER) == 2
    assert set(Call.objects.filter(state="lost")) == {calls[2], calls[4]}
    monkeypatch.setattr(journal, "lost", really)
    assert sweeper.sweep(timezone.now() + LATER) == 3


def test_while_the_database_is_away_a_sweep_goes_no_further(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Call] = []

    def lost(call: Call, **options: Any) -> bool:
        asked.append(call)
        raise OperationalError("the database system is shutting down")

    monkeypatch.setattr(journal, "lost", lost)
    begin(model)
    begin(model)
    with pytest.raises(OperationalError):
        sweeper.sweep(timezone.now() + LATER)
    assert len(asked) == 1


@pytest.mark.parametrize("said", [{"purpose": "playground", "a_name_of_old": 7, "prompt_name": "support/reply"}, {}])
def test_a_call_of_another_version_is_written_off_too(model: Model, said: dict[str, Any]) -> None:
    begin(model)
    Call.objects.update(attribution=said)
    assert sweeper.sweep(timezone.now() + LATER) == 1
    charge = Charge.objects.get()
    assert (charge.purpose, charge.prompt_name) == ("playground", said.get("prompt_name", ""))


def test_the_hours_of_calls_written_off_late_are_summed_up_again(model: Model) -> None:
    now = timezone.now()
    sent = now - timedelta(hours=9)
    made(model, sent)
    hours.rebuild(sent, now)
    made(model, sent, state=Call.State.SENT, ended_at=None, ms=None)
    assert sweeper.sweep(now) == 1
    assert CallHour.objects.get(hour=hours.hour_of(sent)).troubles == {"lost": 1}


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
