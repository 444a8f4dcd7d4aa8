"""Rows are locked so that others can still point at them, and no row of another room beside the request's."""

from uuid import uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.reviews import actions, assignment
from apps.reviews.models import Rating
from tests.reviews.conftest import make_answers


def test_no_action_takes_a_whole_row_nor_the_environments(make_run, ana, amir):
    with CaptureQueriesContext(connection) as queries:
        queue = actions.create_pairwise_queue(run=make_run(make_answers()), acting_user=None)
        held = assignment.next_slot(queue, ana)
        actions.submit_rating(queue=queue, token=held.token, key=uuid4(), answer="a", acting_user=ana)
        key = Rating.objects.get().idempotency_key
        actions.revise_rating(queue=queue, key=key, answer="tie", acting_user=ana)
        held = assignment.next_slot(queue, amir)
        actions.skip_item(queue=queue, token=held.token, reason="broken", acting_user=amir)
        actions.close_queue(queue=queue, acting_user=None)
    ours = [query["sql"] for query in queries if "FOR " in query["sql"] and '"reviews_' in query["sql"]]
    requests = [
        query["sql"] for query in queries if "FOR " in query["sql"] and 'FROM "prompts_changerequest"' in query["sql"]
    ]
    assert len(requests) >= 5
    for sql in ours + requests:
        assert "FOR NO KEY UPDATE" in sql
        assert " JOIN " not in sql or ' UPDATE OF "' in sql


def test_the_last_thing_that_an_ended_run_does_is_to_report(make_run, monkeypatch):
    """What listeners lock, they lock before the first event of the chain."""
    from apps.experiments import reporting, runner, signals

    order = []
    monkeypatch.setattr(signals.run_finished, "send", lambda **_: order.append("listeners"))
    monkeypatch.setattr(reporting, "report_run", lambda run: order.append("report"))
    run = make_run(make_answers())
    run.outputs.update(passed=True)
    type(run).objects.filter(pk=run.pk).update(state="running", finished_at=None)
    runner.finish(run.pk)
    assert order == ["listeners", "report"]
