"""What people said cannot be made to say something else, whoever writes to the database and how."""

from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from apps.reviews import actions, assignment, results
from apps.reviews.models import Lease, Rating, RatingRevision, RubricVersion, Skip
from tests import db_guards


@pytest.fixture
def rating(queue, ana):
    held = assignment.next_slot(queue, ana)
    actions.submit_rating(queue=queue, token=held.token, key=uuid4(), answer="tie", comment="why", acting_user=ana)
    return Rating.objects.get()


def committed(statement, *values):
    """Run a statement and everything that the database looks at when it commits."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("change", ["verdict = 'baseline'", "answer = 'a'", "comment = 'bought'"])
def test_a_rating_is_not_changed_without_a_revision(rating, queue, change):
    with pytest.raises(DatabaseError, match="differs from its newest revision"):
        committed(f"UPDATE reviews_rating SET {change}")
    assert results.results_of(queue).ratings[0].verdict == "tie"


@pytest.mark.parametrize(
    "change",
    [
        "shown_left = CASE shown_left WHEN 'candidate' THEN 'baseline' ELSE 'candidate' END",
        "counted = false, slot_id = NULL",
        "idempotency_key = gen_random_uuid()",
        "item_id = item_id + 1",
    ],
)
def test_what_a_rating_is_about_and_that_it_counts_is_fixed(rating, change):
    with pytest.raises(DatabaseError, match="Cannot update"):
        committed(f"UPDATE reviews_rating SET {change}")


def test_a_rating_without_a_revision_does_not_enter(rating, amir):
    with pytest.raises(DatabaseError, match="differs from its newest revision"):
        committed(
            "INSERT INTO reviews_rating (item_id, rater_id, rubric_version_id, verdict, answer, shown_left, comment,"
            " idempotency_key, counted, at) SELECT item_id, %s, rubric_version_id, 'candidate', 'a', shown_left, '',"
            " gen_random_uuid(), false, now() FROM reviews_rating",
            amir.pk,
        )


def test_a_change_of_mind_passes_because_it_is_written_down(rating, queue, ana):
    actions.revise_rating(queue=queue, key=rating.idempotency_key, answer="both_bad", acting_user=ana)
    committed("SELECT 1")
    assert results.results_of(queue).ratings[0].verdict == "both_bad"


@pytest.mark.parametrize("model", [Rating, RatingRevision, RubricVersion, Lease, Skip])
def test_history_is_not_emptied(db, model):
    table = model._meta.db_table
    with (
        db_guards.switched_on(table),
        pytest.raises(DatabaseError, match="cannot be truncated"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {table} CASCADE")
