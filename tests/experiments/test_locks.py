"""Rows are locked so that others can still point at them: the audit chain's lock would close a ring otherwise."""

import threading
import time

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from apps.experiments import actions
from apps.experiments.importing import NewCase
from apps.experiments.models import Run

CASE = NewCase(inputs={"customer": "Ines", "message": "Where?"})


def is_waited_for():
    """Tell whether somebody waits for an advisory lock, the kind that the audit chain has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0] > 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_adding_cases_while_a_suite_of_the_dataset_is_made_closes_no_ring(prompt, dataset, paula):
    raised = []

    def add():
        try:
            actions.add_cases(dataset=dataset, cases=[CASE], acting_user=paula)
        except OperationalError as error:
            raised.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=add)
    with transaction.atomic():
        rules = {"assertions": [{"type": "min-length", "value": 1}]}
        actions.create_suite(prompt=prompt, dataset=dataset, name="New", rules=rules, acting_user=paula)
        other.start()  # it takes the dataset's row, then waits for the chain; our commit looks at the dataset
        deadline = time.monotonic() + 10
        while not is_waited_for() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_waited_for()
    other.join()
    assert raised == []


def test_no_action_takes_a_whole_row(run, suite, paula):
    case = suite.dataset.cases.first()
    with CaptureQueriesContext(connection) as queries:
        actions.add_cases(dataset=suite.dataset, cases=[CASE], acting_user=paula)
        actions.remove_case(case=case, acting_user=paula)
        rules = {"assertions": suite.assertions}
        actions.update_suite(suite=suite, name="New", dataset=suite.dataset, rules=rules, version=1, acting_user=paula)
        actions.cancel_run(run=run, acting_user=paula)
        actions.resume_run(run=Run.objects.get(pk=run.pk), acting_user=paula)
    locking = [query["sql"] for query in queries if " FOR " in query["sql"] and "UPDATE" in query["sql"]]
    assert len(locking) == 4
    assert all("FOR NO KEY UPDATE" in sql and (" JOIN " not in sql or " OF " in sql) for sql in locking)
