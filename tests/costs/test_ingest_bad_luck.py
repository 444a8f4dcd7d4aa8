"""Several senders at once, a database that goes away, a month that is dropped in between."""

import io
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections

from apps.accounts.models import ApiKey, Workspace
from apps.accounts.rights import Scope
from apps.costs import ledger, partitions
from apps.costs.ingest import bodies, booking, otlp_binary
from apps.costs.ingest.booking import Became
from apps.costs.ingest.drafts import Sender
from apps.costs.models import Charge, IngestCount, Quarantined, SpendAxis
from apps.costs.verification import verify
from tests import factories
from tests.costs.conftest import new_charge
from tests.costs.ingesting import CHAT, NOON, backlog, export, item, price_of, send, span

WRITERS = 8


@pytest.fixture
def key(workspace: Workspace) -> ApiKey:
    price_of(workspace)
    return factories.make_api_key(workspace, Scope.CHARGES_WRITE, name="shop")[0]


def at_once(work: Callable[[int], Any], writers: int = WRITERS) -> list[Any]:
    """Run the work in threads that start together, and raise what any of them raised."""
    gate, results, errors = threading.Barrier(writers), [], []

    def run(number: int) -> None:
        gate.wait()
        try:
            results.append(work(number))
        except Exception as error:  # noqa: BLE001  handed to the test
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[number]) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_by_eight_writers_is_booked_once(key: ApiKey, workspace: Workspace) -> None:
    items = [item(str(number), at=(NOON - timedelta(days=number % 40)).isoformat()) for number in range(400)]
    items += [item(f"bad-{number}", model=None) for number in range(40)]

    def work(number: int) -> Counter[Became]:
        mixed = items[number * 50 :] + items[: number * 50]
        return Counter(outcome.became for outcome in booking.take(Sender.of_key(key, "queue"), mixed))

    found = sum(at_once(work), Counter())
    assert (found[Became.ACCEPTED], found[Became.QUARANTINED]) == (400, 40)
    assert found.total() == WRITERS * 440
    assert (Charge.objects.count(), Quarantined.objects.count()) == (400, 40)
    assert sum(SpendAxis.objects.filter(axis="all").values_list("cost", flat=True)) == 400 * Decimal("0.0075")
    count = IngestCount.objects.get(workspace=workspace)
    assert (count.accepted, count.duplicate, count.quarantined) == (400, WRITERS * 440 - 440, 40)
    assert all(not total.differences for total in verify([workspace]))


@pytest.mark.django_db(transaction=True)
def test_senders_and_the_gateway_do_not_wait_for_each_other_for_ever(key: ApiKey, workspace: Workspace) -> None:
    def work(number: int) -> int:
        if number % 2:
            return sum(ledger.record([new_charge(workspace.pk, NOON) for _ in range(5)]) for _ in range(20))
        items = [item(f"{number}-{n}", at=(NOON - timedelta(days=n % 3)).isoformat()) for n in range(100)]
        return len([o for o in booking.take(Sender.of_key(key, "queue"), items) if o.became is Became.ACCEPTED])

    assert sum(at_once(work)) == 8 * 100
    assert all(not total.differences for total in verify([workspace]))


class Dying:
    """Ends the database's side of the connection at a chosen step of a batch."""

    def __init__(self, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = getattr(booking, step)

        def dies(*args: Any) -> Any:
            monkeypatch.setattr(booking, step, whole)
            result = whole(*args)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
            database = settings.DATABASES["default"]
            words = {"host": database["HOST"], "port": database["PORT"], "user": database["USER"]}
            words |= {"password": database["PASSWORD"], "dbname": database["NAME"]}
            with psycopg.connect(**{name: value for name, value in words.items() if value}) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
            return result

        monkeypatch.setattr(booking, step, dies)


@pytest.fixture
def fresh_connection() -> Iterator[None]:
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["_set_aside", "_mend", "_keep", "_count"])
def test_a_database_that_dies_in_a_batch_leaves_nothing_and_a_repeat_books_all(
    step: str, key: ApiKey, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, fresh_connection: None
) -> None:
    Dying(step, monkeypatch)
    items = [item("1"), item("2", at="?"), item("3")]
    with pytest.raises(OperationalError):
        list(booking.take(Sender.of_key(key, "queue"), items))
    connection.close()
    assert Charge.objects.count() == Quarantined.objects.count() == IngestCount.objects.count() == 0
    again = [outcome.became for outcome in booking.take(Sender.of_key(key, "queue"), items)]
    assert again == [Became.ACCEPTED, Became.QUARANTINED, Became.ACCEPTED]
    assert all(not total.differences for total in verify([workspace]))


@pytest.mark.django_db(transaction=True)
def test_a_sender_is_told_to_come_again_when_the_database_is_away(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, fresh_connection: None
) -> None:
    price_of(workspace)
    secret = factories.make_api_key(workspace, Scope.CHARGES_WRITE)[1]
    Dying("_count", monkeypatch)
    answer = send(secret, item())
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    connection.close()
    Dying("_count", monkeypatch)
    answer = export(secret, backlog(span(CHAT)))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    connection.close()
    assert send(secret, item()).json()["accepted"] == 1


@pytest.mark.django_db
def test_a_month_dropped_after_we_looked_sets_aside_only_its_own(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ledger.record

    def record(charges: Any) -> int:
        if any(charge.at.month == 10 for charge in charges):
            raise partitions.MonthLetGo("The charges of October 2026 were let go.")
        return whole(charges)

    monkeypatch.setattr(ledger, "record", record)
    items = [item(str(number)) for number in range(9)]
    items.insert(4, item("old", at=NOON.replace(month=10).isoformat()))
    outcomes = list(booking.take(Sender.of_key(key, "queue"), items))
    assert [outcome.reason for outcome in outcomes if outcome.became is not Became.ACCEPTED] == ["month-let-go"]
    aside = Quarantined.objects.get()
    assert (aside.source_id, aside.payload["meters"]) == ("old", {"input": 1000, "output": 500})


@pytest.mark.django_db
def test_a_value_that_the_books_cannot_hold_blocks_no_other(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.costs.ingest.drafts.MOST", Decimal(10) ** 30)
    price_of(key.workspace, "dear", input="900000000")
    items = [item("1"), item("2", model="dear", meters={"input": 10**12}), item("3")]
    outcomes = list(booking.take(Sender.of_key(key, "queue"), items))
    assert [outcome.reason for outcome in outcomes] == ["", "refused-by-the-books", ""]


def test_a_long_backlog_is_read_span_by_span() -> None:
    text = {**CHAT, "gen_ai.input.messages": "x" * 500}
    body = backlog(*[span(text, number) for number in range(1, 12_001)]).SerializeToString()
    with bodies.spooled(io.BytesIO(body), "", most=2 * len(body)) as file:
        tracemalloc.start()
        found = otlp_binary.Backlog(file)
        spans = sum(1 for read in found.spans() if read.item)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert spans == found.count == 12_000
    assert peak < 5 * 1024 * 1024 < len(body)
