"""The state of the books on the screen: recounts on demand, a failing one that nobody overlooks, and how long all is kept."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.urls import reverse

from apps.accounts.models import AuditEvent, Workspace
from apps.accounts.rights import Role
from apps.costs import actions, beat, books, partitions, proving, retention, tasks, verification
from apps.costs.models import LetGo, Retention, Verification
from apps.notices.models import Notification
from tests import factories
from tests.costs import budgets as budget_rows
from tests.costs.conftest import NOON

NAMES = ["books_state", "books_keeping"]


@pytest.fixture(autouse=True)
def mid_november(db):
    cache.clear()
    with time_machine.travel(NOON + timedelta(hours=6), tick=True):
        yield
    cache.clear()


@pytest.fixture
def fays(client_of, fay):
    return client_of(fay)


def address(name):
    return reverse(name, kwargs={"workspace": "acme"})


def page(client, name="books_state", **query):
    answer = client.get(address(name), query)
    assert answer.status_code == 200
    return answer.content.decode()


def spoil():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE costs_spendday SET cost = cost + 1")


def test_books_that_were_never_recounted_say_so(fays):
    assert "Not recounted yet" in page(fays)


def test_a_recount_is_asked_for_on_the_page_and_done_by_a_worker(
    fays, workspace, book, monkeypatch, django_capture_on_commit_callbacks
):
    book(cost=Decimal("0.000000000001"))
    rung = []
    monkeypatch.setattr(tasks.prove_books, "delay", lambda **ids: rung.append(ids))
    with django_capture_on_commit_callbacks(execute=True):
        fays.post(address("books_verify"))
    assert rung == [{"workspace_id": workspace.pk}]
    assert "Waiting for a worker." in page(fays)
    tasks.prove_books(**rung[0])
    shown = page(fays)
    assert "The books agree." in shown
    assert "$0.000000000001 in 1 month" in shown
    assert "Waiting for a worker." not in shown


def test_a_recount_under_way_is_not_begun_again(fays, workspace, fay):
    assert actions.verify_books(workspace=workspace, acting_user=fay) is True
    assert actions.verify_books(workspace=workspace, acting_user=fay) is False
    assert AuditEvent.objects.filter(workspace=workspace, verb="asked for a recount of the books").count() == 1


def test_a_recount_tells_month_by_month_how_far_it_has_come(workspace, book, monkeypatch):
    book()
    book(NOON - timedelta(days=40))
    proving.begin(workspace.pk)
    seen, counted = [], verification.verify

    def watched(workspaces):
        for total in counted(workspaces):
            yield total
            seen.append(proving.progress(workspace.pk))

    monkeypatch.setattr(verification, "verify", watched)
    proving.run(workspace.pk)
    assert [(one.is_started, one.months, one.charges) for one in seen] == [(True, 1, 1), (True, 2, 2)]
    assert proving.progress(workspace.pk) is None


def test_a_recount_that_breaks_is_not_shown_as_going_on_for_ever(workspace, monkeypatch):
    proving.begin(workspace.pk)
    monkeypatch.setattr(verification, "verify", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        proving.run(workspace.pk)
    assert proving.progress(workspace.pk) is None


def test_a_recount_of_a_workspace_that_is_gone_is_swallowed():
    tasks.prove_books(workspace_id=10**9)


def test_the_progress_is_a_fragment_that_asks_again_while_there_is_something_to_wait_for(fays, workspace):
    proving.begin(workspace.pk)
    headers = {"HX-Request": "true"}
    waiting = fays.get(f"{address('books_state')}?part=recounts", headers=headers).content.decode()
    assert 'hx-trigger="every 2s"' in waiting
    assert "<html" not in waiting
    proving.run(workspace.pk)
    done = fays.get(f"{address('books_state')}?part=recounts", headers=headers).content.decode()
    assert "hx-trigger" not in done


@pytest.mark.parametrize("name", ["spend_month", "spend_charges", "spend_explorer", "books_state"])
def test_books_that_do_not_agree_are_loud_on_every_page(fays, workspace, book, name):
    book()
    spoil()
    proving.run(workspace.pk)
    shown = page(fays, name)
    assert "The books do not agree." in shown
    assert 'role="alert"' in shown


def test_the_page_names_what_differs_and_how_to_mend_it(fays, workspace, book):
    book()
    spoil()
    proving.run(workspace.pk)
    shown = page(fays)
    assert "costs_spendday" in shown
    assert "manage.py rebuild_sums --workspace acme" in shown


@pytest.mark.parametrize("recount", [lambda workspace: proving.run(workspace.pk), lambda _: beat.verify_books()])
def test_finance_and_admins_are_told_once_when_books_stop_agreeing(workspace, book, fay, olga, paula, recount):
    book()
    recount(workspace)
    assert not Notification.objects.exists()
    spoil()
    recount(workspace)
    recount(workspace)
    told = Notification.objects.filter(title="The books do not agree")
    assert sorted(notice.user.name for notice in told) == ["Fay", "Olga"]


def test_books_that_agree_make_no_noise(fays, workspace, book):
    book()
    proving.run(workspace.pk)
    shown = page(fays, "spend_month")
    assert "do not agree" not in shown
    assert "Books proved" in shown


def test_the_months_of_the_ledger_show_what_this_workspace_has_in_them(fays, book):
    book(cost=Decimal("2"))
    other = factories.make_workspace("other")
    budget_rows.book(other, cost="777")
    shown = page(fays)
    assert "November 2026" in shown
    assert "$2.00" in shown
    assert "777" not in shown


def keep(client, **data):
    return client.post(address("books_keeping"), {"reason": "the auditors", **data})


def test_how_long_charges_are_kept_is_set_and_audited(fays, workspace):
    assert keep(fays, keep="months", months="13").status_code == 302
    assert Retention.objects.get(workspace=workspace).months == 13
    event = AuditEvent.objects.filter(workspace=workspace).newest_first().first()
    assert (event.verb, event.before, event.after) == (
        "changed how long charges are kept",
        {"months": None},
        {"months": 13},
    )
    assert event.reason == "the auditors"
    assert "kept for 13 whole months" in page(fays)


def test_keeping_for_ever_takes_the_limit_away(fays, workspace):
    keep(fays, keep="months", months="13")
    keep(fays, keep="always")
    assert not Retention.objects.exists()
    assert "Charges are kept for ever." in page(fays)


def test_what_changes_nothing_is_not_in_the_log(fays, workspace):
    keep(fays, keep="months", months="13")
    keep(fays, keep="months", months="13")
    assert AuditEvent.objects.filter(workspace=workspace, verb="changed how long charges are kept").count() == 1


@pytest.mark.parametrize("data", [{"keep": "months"}, {"keep": "months", "months": "0"}, {"keep": "x"}, {}])
def test_a_term_that_makes_no_sense_is_refused(fays, data):
    assert keep(fays, **data).status_code == 422
    assert not Retention.objects.exists()


def test_the_action_refuses_it_too(workspace, fay):
    with pytest.raises(actions.RetentionRefused):
        actions.keep_charges(workspace=workspace, months=601, reason="", acting_user=fay)


def test_whoever_types_a_term_sees_what_would_go_before_it_is_kept(fays, workspace, book):
    book()
    book(NOON - timedelta(days=140))  # in June
    query = {"keep": "months", "months": "2"}
    shown = fays.get(address("books_keeping"), query, headers={"HX-Request": "true"}).content.decode()
    assert "With 2 whole months kept" in shown
    assert "goes within an hour" in shown
    assert "goes from 1 Feb 2027" in shown
    assert not Retention.objects.exists()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/Los_Angeles"])
@pytest.mark.parametrize("kept", [1, 3])
def test_the_day_that_is_promised_is_the_day_on_which_a_month_goes(workspace, book, zone, kept):
    Workspace.objects.exclude(pk=workspace.pk).delete()
    Workspace.objects.filter(pk=workspace.pk).update(time_zone=zone)
    workspace.refresh_from_db()
    Retention.objects.create(workspace=workspace, months=kept)
    month = datetime(2026, 5, 1, tzinfo=UTC)
    promised = books.goes_on(workspace, month.date(), kept)
    midnight = datetime(promised.year, promised.month, promised.day, tzinfo=workspace.zone)
    Verification.objects.create(
        workspace=workspace, started_at=midnight, finished_at=midnight, months=0, charges=0, cost=0, differences=0
    )
    assert not retention._lets_go(workspace, month, midnight - timedelta(seconds=1))
    assert retention._lets_go(workspace, month, midnight)


def test_months_that_were_let_go_stay_in_sight(fays):
    LetGo.objects.create(month=date(2025, 2, 1), charges=12)
    shown = page(fays)
    assert "February 2025" in shown
    assert "let go" in shown


def test_budgets_that_hold_charges_are_named(fays, workspace):
    budget_rows.make_budget(workspace, name="Baker's share", customer="Baker", team_id=7)
    budget_rows.make_budget(workspace, name="All of Baker", customer="Baker")
    assert "Baker&#x27;s share" in page(fays)
    assert "All of Baker" not in page(fays)


def test_the_page_keeps_to_its_query_budget(fays, book, django_assert_max_num_queries):
    partitions.ensure_around(datetime.now(UTC))
    book()
    with django_assert_max_num_queries(19):
        page(fays)


@pytest.mark.parametrize("name", NAMES)
def test_only_those_who_see_spend_see_the_books(client_of, workspace, stranger, paula, ana, client, name):
    assert client_of(stranger).get(address(name)).status_code == 404
    assert client_of(paula).get(address(name)).status_code == 403
    assert client_of(ana).get(address(name)).status_code == 403
    assert client.get(address(name)).status_code == 302


def test_the_term_is_only_for_finance_and_admins(client_of, workspace, paula, olga):
    assert keep(client_of(paula), keep="months", months="1").status_code == 403
    assert keep(client_of(olga), keep="months", months="1").status_code == 302


def test_asking_for_a_recount_is_a_post(fays, client_of, workspace):
    assert fays.get(address("books_verify")).status_code == 405
    rater = factories.make_member(workspace, "Rater", Role.ANNOTATOR)
    assert client_of(rater).post(address("books_verify")).status_code == 403
