"""What came back from a provider is paid for: it is written down once, however often the database goes away."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connection as database

from apps.costs.models import Charge
from apps.llm import clients, inference, journal
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Call, Model
from apps.llm.practice_provider import process
from llmops_site import postgres
from tests.llm.conftest import ask

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Break the database connection whenever a provider has answered; return what was asked."""
    seen: list[str] = []
    really = clients.Client.ask

    def ask_and_break(self: clients.Client, body: dict[str, Any], **options: Any) -> Any:
        seen.append(body["model"])
        try:
            return really(self, body, **options)
        finally:
            with suppress(OperationalError), database.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(clients.Client, "ask", ask_and_break)
    return seen


def test_an_answer_survives_a_broken_connection(model: Model, asked: list[str]) -> None:
    done = inference.complete(ask(model))
    call, charge = Call.objects.get(), Charge.objects.get()
    assert len(asked) == 1
    assert (call.state, call.body.text, charge.cost, charge.estimated) == ("answered", done.text, done.cost, False)


def test_a_failure_survives_a_broken_connection(model: Model, asked: list[str]) -> None:
    with pytest.raises(ProviderError) as caught:
        inference.complete(ask(model, "500", max_attempts=1))
    assert (len(asked), caught.value.kind) == (1, ErrorKind.SERVER_ERROR)
    assert (Call.objects.get().state, Charge.objects.get().failed) == ("failed", True)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let writing an end down fail that many times; return the list of tries."""

    def fail(times: int) -> list[int]:
        tries: list[int] = []
        really = journal._settle

        def settle(*args: Any, **kwargs: Any) -> Any:
            tries.append(len(tries))
            if len(tries) <= times:
                raise OperationalError("the database system is starting up")
            return really(*args, **kwargs)

        monkeypatch.setattr(journal, "_settle", settle)
        return tries

    return fail


def test_a_database_that_stays_away_is_asked_less_and_less_often(
    model: Model, away: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("apps.llm.attempts.time.sleep", waits.append)
    away(8)
    assert inference.complete(ask(model)).text
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_a_database_is_waited_for_until_the_calls_deadline(
    model: Model, away: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("apps.llm.attempts.time.monotonic", lambda: now[0])
    monkeypatch.setattr("apps.llm.attempts.time.sleep", lambda seconds: now.append(now.pop() + seconds))
    tries = away(10_000)
    with pytest.raises(OperationalError):
        inference.complete(ask(model, timeout=5.0))
    # Twice the time limit and half a minute; the last try is one to end the attempt all the same.
    assert 37 < now[0] < 40
    assert len(tries) > 15
    assert Call.objects.get().state == "sent"


CHILD = """
import json, sys
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
from apps.costs.models import Charge
from apps.llm import inference
from apps.llm.models import Call
from tests import factories
from tests.llm.conftest import ask, priced
workspace = factories.make_workspace()
model = priced(factories.make_model(factories.make_connection(workspace, sys.argv[1] + "/v1")))
done = inference.complete(ask(model, timeout=30.0))
print(json.dumps({
    "text": done.text == Call.objects.get().body.text != "",
    "states": list(Call.objects.values_list("state", flat=True)),
    "costs": [cost == done.cost for cost in Charge.objects.values_list("cost", flat=True)],
}))
"""


def stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/__stats") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.mark.slow
def test_an_answer_that_arrives_while_postgresql_restarts_is_bought_once() -> None:
    with postgres.throwaway() as cluster, process.running(latency_ms=1500) as url:
        environment = {**os.environ, "DATABASE_URL": cluster.url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        environment["PYTHONPATH"] = str(ROOT)
        child = subprocess.Popen([sys.executable, "-c", CHILD, url], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        try:
            until = time.monotonic() + 60
            while not stats(url)["in_flight"] and child.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            cluster.stop()
            while stats(url)["in_flight"] and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(1)  # the answer is there, and the database is not
            assert child.poll() is None
            cluster.start()
            said = child.communicate(timeout=60)[0]
        finally:
            child.kill()
            child.wait()
        assert json.loads(said) == {"text": True, "states": ["answered"], "costs": [True]}
        assert (stats(url)["generation_calls"], stats(url)["ok"]) == (1, 1)
