"""The audit log: read, narrowed, verified and taken out."""

import csv
import json
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.urls import reverse

from apps.accounts import audit
from apps.accounts.models import AuditEvent
from apps.accounts.views.audit import PAGE
from apps.core.formats import NOTHING


def url(name, **kwargs):
    return reverse(name, kwargs={"workspace": "acme", **kwargs})


def numbers(answer):
    return [event.number for event, _ in answer.context["events"]]


@pytest.fixture
def history(workspace, olga, paula):
    """Three events on three days."""
    rows = [(olga, "invited", 1), (paula, "changed", 2), (olga, "changed", 3)]
    for actor, verb, day in rows:
        at = datetime(2026, 3, day, 23, 30, tzinfo=UTC)
        audit.record(
            workspace=workspace, actor=actor, verb=verb, target=workspace, before={"n": day}, after={"n": -day}, at=at
        )
    return workspace


def test_events_are_shown_newest_first(client_of, olga, history):
    assert numbers(client_of(olga).get(url("audit_list"))) == [3, 2, 1]


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ({"person": "Paula"}, [2]),
        ({"verb": "changed"}, [3, 2]),
        ({"target": "acme", "verb": "invited"}, [1]),
        ({"since": "2026-03-02"}, [3, 2]),
        ({"until": "2026-03-02"}, [2, 1]),
        ({"since": "not a day"}, [3, 2, 1]),
        ({"person": "nobody"}, []),
        ({"since": "2026-03-03", "until": "2026-03-01"}, []),
        ({"before": "3"}, [2, 1]),
        ({"before": "garbage"}, [3, 2, 1]),
        ({"before": "9" * 30}, [3, 2, 1]),
    ],
)
def test_events_are_narrowed(client_of, olga, history, terms, found):
    assert numbers(client_of(olga).get(url("audit_list"), terms)) == found


def test_who_and_what_are_menus_of_the_members_and_of_what_happened(client_of, olga, ana, history):
    form = client_of(olga).get(url("audit_list"), {"verb": "long ago"}).context["form"]
    assert [value for value, _ in form.fields["person"].choices] == ["", "Ana", "Olga", "Paula"]
    assert [label for _, label in form.fields["verb"].choices] == ["Anything", "Changed", "Invited", "Long ago"]


def test_a_span_that_ends_before_it_begins_is_said_so(client_of, olga, history):
    crossed = {"since": "2026-03-03", "until": "2026-03-01"}
    answer = client_of(olga).get(url("audit_list"), crossed, headers={"HX-Request": "true"})
    assert "is a later day than" in answer.content.decode()
    assert "No event is like that" not in answer.content.decode()


@pytest.mark.parametrize(
    ("verb", "after", "words"),
    [
        ("reviewed", {"decision": "approve"}, "Reviewed: approved"),
        ("reviewed", {"decision": "request_changes"}, "Reviewed: asked for changes"),
        ("reviewed", {"decision": "reject"}, "Reviewed: rejected"),
        ("reported check", {"check": "evaluation", "status": "passed"}, "Reported check evaluation: passed"),
        ("reported check", {"check": "evaluation", "status": "errored"}, "Reported check evaluation: could not finish"),
        ("promoted", {"version": 4, "content_hash": "x"}, "Promoted version 4"),
        ("rolled back", {"version": 3, "content_hash": "x"}, "Rolled back to version 3"),
        ("changed", {"status": "x", "version": 2}, "Changed"),
        ("archived", None, "Archived"),
    ],
)
def test_the_list_tells_what_came_of_a_deed(client_of, olga, workspace, verb, after, words):
    audit.record(workspace=workspace, actor=olga, verb=verb, target=workspace, after=after)
    assert f"<td>{words}</td>" in client_of(olga).get(url("audit_list")).content.decode()


def test_days_are_those_of_the_workspace(client_of, olga, history):
    history.time_zone = "Asia/Tokyo"
    history.save()
    assert numbers(client_of(olga).get(url("audit_list"), {"since": "2026-03-03"})) == [3, 2]


def test_pages_follow_one_another_without_loss(client_of, olga, workspace):
    for _ in range(PAGE + 3):
        audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace)
    client = client_of(olga)
    first = client.get(url("audit_list"))
    second = client.get(url("audit_list"), {"before": first.context["next"]})
    assert numbers(first) + numbers(second) == list(range(PAGE + 3, 0, -1))
    assert second.context["next"] is None


def test_the_next_page_keeps_the_filter(client_of, olga, workspace):
    for _ in range(PAGE + 1):
        audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace)
    page = client_of(olga).get(url("audit_list"), {"verb": "changed"}).content.decode()
    assert "?verb=changed&amp;before=2" in page


def test_htmx_gets_the_events_alone(client_of, olga, history):
    answer = client_of(olga).get(url("audit_list"), headers={"HX-Request": "true"})
    assert b"<html" not in answer.content
    assert b'id="events"' in answer.content


def test_an_event_opens_with_before_and_after(client_of, olga, history):
    answer = client_of(olga).get(url("audit_event", number=2))
    assert answer.context["changes"] == [("n", "2", "-2")]
    assert answer.context["holds"] is True


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, NOTHING),
        ("", NOTHING),
        ([], NOTHING),
        (True, "yes"),
        (0, "0"),
        (["a", "b"], "a, b"),
        ({"é": [1]}, '{"é": [1]}'),
    ],
)
def test_values_are_shown_in_words(client_of, olga, workspace, value, words):
    audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace, after={"field": value})
    assert client_of(olga).get(url("audit_event", number=1)).context["changes"] == [("field", NOTHING, words)]


def test_an_event_of_another_workspace_is_not_found(client_of, olga, history, stranger):
    elsewhere = stranger.memberships.get().workspace
    for _ in range(4):
        audit.record(workspace=elsewhere, actor=stranger, verb="changed", target=elsewhere)
    assert client_of(olga).get(url("audit_event", number=4)).status_code == 404


def test_verifying_says_how_many_events_hold(client_of, olga, history):
    answer = client_of(olga).post(url("audit_verify"), headers={"HX-Request": "true"})
    assert b"Chain verified: 3 events hold." in answer.content
    assert AuditEvent.objects.get(number=3).hash in answer.content.decode()


def test_verifying_works_without_scripts(client_of, olga, history):
    assert b"<html" in client_of(olga).post(url("audit_verify")).content


def test_verifying_names_the_first_broken_event(client_of, olga, history):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE accounts_auditevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE accounts_auditevent SET verb = 'x' WHERE number = 2")
    client = client_of(olga)
    assert b"breaks at event 2" in client.post(url("audit_verify")).content
    assert client.get(url("audit_event", number=2)).context["holds"] is False


def test_verifying_is_a_post(client_of, olga, workspace):
    assert client_of(olga).get(url("audit_verify")).status_code == 405


def export(client, kind, **terms):
    answer = client.get(url("audit_export", kind=kind), terms)
    return b"".join(answer.streaming_content).decode()


def test_the_jsonl_export_holds_every_event_with_its_hash(client_of, olga, history):
    rows = [json.loads(line) for line in export(client_of(olga), "jsonl").splitlines()]
    assert [(row["number"], row["before"]) for row in rows] == [(1, {"n": 1}), (2, {"n": 2}), (3, {"n": 3})]
    assert rows[1]["prev_hash"] == rows[0]["hash"]


def test_the_export_is_narrowed_as_the_page_is(client_of, olga, history):
    rows = list(csv.DictReader(export(client_of(olga), "csv", person="Paula").splitlines()))
    assert [row["number"] for row in rows] == ["2"]


def test_no_cell_of_the_csv_is_a_formula(client_of, olga, workspace):
    workspace.name = "=HYPERLINK(1)"
    audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace, reason="@sum")
    [row] = csv.DictReader(export(client_of(olga), "csv").splitlines())
    assert (row["target"], row["reason"]) == ("'=HYPERLINK(1)", "'@sum")


def test_the_export_reads_a_long_chain_in_pieces(client_of, olga, workspace, monkeypatch):
    monkeypatch.setattr("apps.accounts.views.audit.CHUNK", 2)
    for _ in range(5):
        audit.record(workspace=workspace, actor=olga, verb="changed", target=workspace)
    assert len(export(client_of(olga), "jsonl").splitlines()) == 5


def test_another_format_is_not_found(client_of, olga, workspace):
    assert client_of(olga).get(url("audit_export", kind="xlsx")).status_code == 404


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_only_admins_take_the_log_out(client_of, paula, stranger, kind):
    assert client_of(paula).get(url("audit_export", kind=kind)).status_code == 403
    assert client_of(stranger).get(url("audit_export", kind=kind)).status_code == 404
