"""The database dies in the middle of the statement that books; a backlog of a long night arrives at once."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction

from apps.accounts.models import Workspace
from apps.accounts.rights import Scope
from apps.costs import ledger
from apps.costs.models import Charge, SpendAxis, SpendDay
from apps.costs.verification import verify
from tests import factories
from tests.costs import recount
from tests.costs.conftest import NOON, new_charge
from tests.costs.ingesting import CHAT, backlog, export, price_of, span

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO costs_charge%'"
SPANS, CALLS = 200_000, 10_000


@pytest.fixture
def fresh_connection() -> Iterator[None]:
    yield
    connection.close()


def killed_while_it_waits() -> None:
    """End the backend that waits for a row of the sums, as soon as there is one."""
    with connection.cursor() as cursor:
        for _ in range(400):
            # What a transaction has seen of the others' work it would be shown again.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(WAITING)
            if row := cursor.fetchone():
                cursor.execute("SELECT pg_terminate_backend(%s)", [row[0]])
                return
            time.sleep(0.05)
    raise AssertionError("Nobody waited.")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["costs_spendday", "costs_spendaxis", "costs_spendhour", "costs_spendmonth"])
def test_a_database_that_is_killed_between_the_charges_and_their_sums_keeps_neither(
    table: str, workspace: Workspace, fresh_connection: None
) -> None:
    first, second = new_charge(workspace.pk), new_charge(workspace.pk, NOON + timedelta(seconds=1))
    ledger.record([first])
    errors: list[Exception] = []

    def write() -> None:
        try:
            ledger.record([second])
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} FOR UPDATE")
        writer.start()
        killed_while_it_waits()
        writer.join()
    assert isinstance(errors[0], OperationalError)
    assert list(Charge.objects.values_list("pk", flat=True)) == [first.id]
    assert recount.held(workspace.pk) == recount.wanted([first], workspace.zone)
    assert ledger.record([second]) == 1
    assert recount.held(workspace.pk) == recount.wanted([first, second], workspace.zone)


@pytest.mark.django_db
def test_a_backlog_of_200_000_spans_is_taken_in_one_request(workspace: Workspace) -> None:
    """An application's spans are mostly no calls to models: one in twenty is, and each of these is booked once."""
    price_of(workspace)
    secret = factories.make_api_key(workspace, Scope.CHARGES_WRITE)[1]
    every = SPANS // CALLS
    spans = [span(CHAT if number % every == 0 else {"http.route": "/"}, number + 1) for number in range(SPANS)]
    body = backlog(*spans).SerializeToString()
    del spans
    answer = export(secret, body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert Charge.objects.count() == SpendAxis.objects.get(axis="all").calls == SpendDay.objects.get().calls == CALLS
    assert export(secret, body).status_code == 200
    assert Charge.objects.count() == CALLS
    assert all(not total.differences for total in verify([workspace]))
