"""The audit chain: the database refuses changes, and verify_audit finds those that went around it."""

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.accounts import audit
from apps.accounts.models import AuditEvent
from tests import db_guards, factories

TABLE = "accounts_auditevent"


@pytest.fixture
def chain(workspace, olga):
    for number in range(1, 6):
        audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace, after={"count": number})
    return workspace


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def unguarded(db):
    """Switch the guard off, as somebody with the database's password could."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER")


def verify(*args):
    out, err = StringIO(), StringIO()
    try:
        call_command("verify_audit", *args, stdout=out, stderr=err)
    except CommandError as error:
        return 1, out.getvalue(), err.getvalue() + str(error)
    return 0, out.getvalue(), err.getvalue()


def test_the_database_refuses_to_empty_the_chain(chain):
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    refused = pytest.raises(DatabaseError, match="cannot be truncated")
    with db_guards.switched_on(TABLE), refused, transaction.atomic():
        execute(f"TRUNCATE {TABLE}")
    assert AuditEvent.objects.count() == 5


@pytest.mark.parametrize("sql", [f"UPDATE {TABLE} SET verb = 'nothing'", f"DELETE FROM {TABLE}"])
def test_the_database_refuses_to_change_an_event(chain, sql):
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        execute(sql)
    assert AuditEvent.objects.filter(verb="changed").count() == 5


def test_a_whole_chain_verifies_with_its_count_and_head(chain):
    head = AuditEvent.objects.get(number=5).hash
    assert verify() == (0, f"acme: 5 events hold, head {head}\n", "")


def test_a_workspace_without_events_verifies(workspace):
    assert verify() == (0, "acme: 0 events hold, head none\n", "")


@pytest.mark.parametrize(
    "change",
    [
        "verb = 'nothing'",
        "actor_name = 'Somebody else'",
        "actor_id = NULL",
        "reason = 'another'",
        "after = '{\"count\": 30}'",
        "before = '{}'",
        "at = at + interval '1 microsecond'",
        "target_id = '99'",
        "target_name = 'another'",
        "hash = repeat('0', 64)",
        "prev_hash = repeat('0', 64)",
    ],
)
def test_a_changed_event_is_found(chain, unguarded, change):
    execute(f"UPDATE {TABLE} SET {change} WHERE number = 3")
    code, _, err = verify("--workspace", "acme")
    assert code == 1
    assert "acme: broken at event 3:" in err


def test_a_removed_event_is_found(chain, unguarded):
    execute(f"DELETE FROM {TABLE} WHERE number = 3")
    code, _, err = verify()
    assert code == 1
    assert "event 3 is missing" in err


def test_a_removed_first_event_is_found(chain, unguarded):
    execute(f"DELETE FROM {TABLE} WHERE number = 1")
    assert "event 1 is missing" in verify()[2]


def test_a_cut_off_end_is_found_with_a_head_noted_earlier(chain, unguarded):
    head = AuditEvent.objects.get(number=5).hash
    assert verify("--contains", head)[0] == 0
    execute(f"DELETE FROM {TABLE} WHERE number = 5")
    assert "cut off the end" in verify("--contains", head)[2]


def test_only_the_broken_workspace_is_named(chain, unguarded):
    other = factories.make_workspace("elsewhere")
    audit.record(workspace=other, actor=None, verb="created", target=other)
    execute(f"DELETE FROM {TABLE} WHERE number = 2")
    code, out, err = verify()
    assert (code, "elsewhere: 1 events hold" in out, "elsewhere" in err) == (1, True, False)


def test_an_unknown_workspace_is_said(db):
    assert "There is no workspace" in verify("--workspace", "nowhere")[2]


def test_an_event_reads_back_as_it_was_hashed(workspace, olga):
    after = {"名": "é\n", "weight": 0.1, "none": None, "list": [1, "a", {"b": True}], "big": 2**53}
    audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace, after=after)
    event = AuditEvent.objects.get()
    assert event.computed_hash() == event.hash


@pytest.mark.django_db(transaction=True)
def test_events_recorded_at_once_form_one_chain(workspace, olga):
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(5):
            with transaction.atomic():
                audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(AuditEvent.objects.order_by("number").values_list("number", flat=True)) == list(range(1, 41))
    assert list(audit.breaks(workspace)) == []
