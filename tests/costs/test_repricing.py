"""A past period priced anew: corrections beside what was booked, whatever happens to the worker."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.core.ids import uuid7
from apps.costs import actions, beat, ledger, ledger_corrections, repricing, repricing_report, tasks
from apps.costs.amounts import Priced
from apps.costs.models import Budget, BudgetPeriod, Charge, Repricing, SpendDay
from apps.notices.models import Notification
from tests.costs import recount
from tests.costs.conftest import NOON, new_charge
from tests.costs.repricings import DAY, address, ask_by, book_twelve, price_by, run


@pytest.fixture
def price(workspace, fay):
    return price_by(workspace, fay)


@pytest.fixture
def ask(workspace, fay):
    return ask_by(workspace, fay)


@pytest.fixture
def in_fives(monkeypatch):
    monkeypatch.setattr(repricing, "BATCH", 5)


@pytest.fixture
def twelve(workspace):
    return book_twelve(workspace)


def books_agree(workspace):
    return recount.held(workspace.pk) == recount.wanted(Charge.objects.all(), workspace.zone)


def test_what_had_no_price_gets_one(workspace, price, ask, book):
    charge = book(cost=None)
    price("100")
    found = run(ask(only_unpriced=True))
    assert (found.state, found.charges_changed, found.before_unpriced, found.after_unpriced) == ("done", 1, 1, 0)
    assert (found.before_total, found.after_total) == (0, Decimal("0.01"))
    assert Charge.objects.get(corrects=charge.id, calls=1).cost == Decimal("0.01")
    assert SpendDay.objects.get().unpriced_calls == 0
    assert books_agree(workspace)


def test_only_what_is_unpriced_is_touched_when_that_is_asked(price, ask, book):
    book(cost=Decimal("0.5"), price_ids=[1])
    book(cost=None)
    price("100")
    found = run(ask(only_unpriced=True))
    assert (found.charges_seen, found.charges_changed) == (1, 1)


def test_what_has_found_its_price_is_no_longer_unpriced(price, ask, book):
    book(cost=None)
    price("100")
    run(ask(only_unpriced=True))
    price("300", begins=datetime(2026, 6, 1, tzinfo=UTC))
    again = run(ask(only_unpriced=True))
    assert (again.charges_seen, SpendDay.objects.get().cost) == (0, Decimal("0.01"))


def test_what_a_correction_left_without_a_price_counts_as_unpriced(workspace, price, ask, book):
    charge = book(cost=Decimal(1), price_ids=[1])
    ledger_corrections.reprice(
        workspace_id=workspace.pk, charge_ids=[charge.id], price_of=lambda row: Priced(None, ()), reason="test"
    )
    price("100")
    found = run(ask(only_unpriced=True))
    assert (found.charges_changed, SpendDay.objects.get().cost) == (1, Decimal("0.01"))


def test_a_second_run_changes_nothing(workspace, price, ask, book):
    book(cost=Decimal("0.5"), price_ids=[1])
    price("100")
    assert run(ask()).charges_changed == 1
    again = run(ask())
    assert (again.charges_seen, again.charges_changed, again.before_total) == (1, 0, Decimal("0.01"))
    assert books_agree(workspace)


def test_a_price_that_changes_at_the_workspaces_midnight_divides_the_calls(workspace, price, ask, book):
    midnight = datetime(2026, 7, 1, tzinfo=workspace.zone)
    late, early = midnight - timedelta(milliseconds=1), midnight
    for at in (late, early):
        book(at=at, cost=None)
    price("100")
    price("300", begins=midnight)
    found = run(ask(first=date(2026, 6, 30), last=date(2026, 7, 1)))
    costs = {row.at: row.cost for row in Charge.objects.filter(corrects__isnull=False, calls=1)}
    assert costs == {late.astimezone(UTC): Decimal("0.01"), early.astimezone(UTC): Decimal("0.03")}
    days = [(day.day, day.after) for day in repricing_report.days_of(found)]
    assert days == [(date(2026, 6, 30), Decimal("0.01")), (date(2026, 7, 1), Decimal("0.03"))]


def test_days_are_the_workspaces_own(workspace, price, ask, book):
    workspace.time_zone = "Asia/Kathmandu"
    workspace.save()
    begins = datetime(2026, 7, 1, tzinfo=workspace.zone)
    for at in (begins - timedelta(milliseconds=1), begins, begins + timedelta(days=1)):
        book(at=at, cost=None)
    price("100")
    assert run(ask(first=date(2026, 7, 1), last=date(2026, 7, 1))).charges_seen == 1


def test_a_cost_that_its_sender_answers_for_stays(price, ask, book):
    book(cost=Decimal("0.77"), source="api")
    price("100")
    assert run(ask()).charges_changed == 0


def test_where_nobody_counted_anything_there_is_nothing_to_price(price, ask, book):
    book(cost=None, input_tokens=0, output_tokens=0)
    book(cost=Decimal(0), saved=Decimal("0.2"), input_tokens=0, output_tokens=0)
    price("100")
    found = run(ask())
    assert (found.charges_changed, found.after_unpriced) == (0, 1)


def test_a_model_is_named_by_its_date_too(price, ask, book):
    book(provider="anthropic", model="claude-x-20250929", cost=None)
    book(provider="anthropic", model="claude-xyz", cost=None)
    price("100", provider="anthropic", model="claude-x")
    found = run(ask(provider="anthropic", model="claude-x"))
    assert (found.charges_seen, found.charges_changed) == (1, 1)


def test_another_workspaces_charges_are_left_alone(price, ask, book, stranger):
    other = stranger.memberships.get().workspace
    ledger.record([new_charge(other.pk, cost=None)])
    price("100")
    assert run(ask()).charges_seen == 0


class Killed(BaseException):
    """What no handler catches, as if the process were gone."""


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("dies_at", range(6))
def test_a_worker_that_dies_anywhere_leaves_each_charge_priced_once(
    workspace, price, ask, twelve, in_fives, monkeypatch, dies_at, is_written
):
    price("100")
    found, calls = ask(), iter(range(100))
    record, note = ledger_corrections.ledger.record, repricing._note

    def dying(work):
        def done(*args):
            if next(calls) == dies_at:
                if is_written:
                    work(*args)  # lost with the transaction
                raise Killed
            return work(*args)

        return done

    monkeypatch.setattr(ledger_corrections.ledger, "record", dying(record))
    monkeypatch.setattr(repricing, "_note", dying(note))
    with pytest.raises(Killed):
        run(found)
    found = run(found)
    assert (found.state, found.charges_seen, found.charges_changed) == ("done", 12, 12)
    assert (found.before_total, found.before_unpriced) == (Decimal(2), 8)
    assert found.after_total == SpendDay.objects.get().cost == Decimal("0.12")
    assert books_agree(workspace)


def test_a_stretch_of_work_ends_and_the_next_goes_on(price, ask, twelve, in_fives):
    price("100")
    found = ask()
    assert repricing.advance(found.pk, stretch=0) is True
    found.refresh_from_db()
    assert (found.state, found.charges_seen) == ("running", 5)
    assert run(found).charges_seen == 12


def test_a_finished_and_an_unknown_one_are_left_alone(price, ask, book):
    found = run(ask())
    assert repricing.advance(found.pk) is False
    assert repricing.advance(10**9) is False


def test_a_database_that_goes_away_fails_nothing_and_the_wake_up_goes_on(price, ask, book, monkeypatch):
    book(cost=None)
    price("100")
    found = ask()
    with monkeypatch.context() as patched:

        def gone(_):
            raise OperationalError("gone")

        patched.setattr(repricing, "advance", gone)
        tasks.advance_repricing(repricing_id=found.pk)
    rung = []
    monkeypatch.setattr(tasks.advance_repricing, "delay", lambda **ids: rung.append(ids))
    beat.wake_repricings()
    assert rung == [{"repricing_id": found.pk}]
    found.refresh_from_db()
    assert found.state == "queued"


def test_a_fault_stops_it_with_words_and_finance_resumes(
    price, ask, book, fay, monkeypatch, django_capture_on_commit_callbacks
):
    book(cost=None)
    price("100")
    found = ask()
    with monkeypatch.context() as patched:

        def broken(_):
            raise ZeroDivisionError

        patched.setattr(repricing, "price_of", broken)
        with pytest.raises(ZeroDivisionError):
            tasks.advance_repricing(repricing_id=found.pk)
    found.refresh_from_db()
    assert (found.state, Charge.objects.count()) == ("failed", 1)
    actions.resume_repricing(repricing=found, acting_user=fay)
    assert run(found).charges_changed == 1
    with pytest.raises(actions.RepricingUnderWay):
        actions.resume_repricing(repricing=found, acting_user=fay)


def test_asking_rings_after_commit_and_is_audited(ask, fay, monkeypatch, django_capture_on_commit_callbacks):
    rung = []
    monkeypatch.setattr(tasks.advance_repricing, "delay", lambda **ids: rung.append(ids))
    with django_capture_on_commit_callbacks(execute=True):
        found = ask()
    assert rung == [{"repricing_id": found.pk}]
    event = AuditEvent.objects.latest("number")
    assert (event.verb, event.actor, event.reason) == ("asked for re-pricing", fay, "The price was wrong.")


def test_the_same_period_is_asked_for_once_at_a_time(ask):
    found = ask()
    with pytest.raises(actions.RepricingUnderWay):
        ask()
    ask(only_unpriced=True)
    run(found)
    ask()


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": "  "},
        {"reason": "x" * 501},
        {"last": date(2099, 1, 1)},
        {"first": date(2026, 11, 16)},
        {"first": date(1999, 1, 1)},
        {"model": "gpt-4o"},
    ],
)
def test_a_period_that_makes_no_sense_is_refused(ask, wrong):
    with time_machine.travel(datetime(2026, 11, 20, tzinfo=UTC), tick=False), pytest.raises(actions.RepricingRefused):
        ask(**wrong)
    assert Repricing.objects.count() == 0


def test_budgets_follow(workspace, price, ask, fay):
    with time_machine.travel(NOON, tick=False):
        actions.create_budget(
            workspace=workspace,
            name="All",
            conditions={},
            period="month",
            mode="hard",
            limit_amount=Decimal(5),
            acting_user=fay,
        )
    ledger.record([new_charge(workspace.pk, cost=Decimal("0.5"), price_ids=[1]), new_charge(workspace.pk, cost=None)])
    price("100")
    run(ask())
    assert BudgetPeriod.objects.get(budget=Budget.objects.get()).spent == Decimal("0.02")


def test_the_preview_is_what_happens(workspace, price, ask, twelve):
    price("100")
    wanted = Repricing(workspace=workspace, first=DAY, last=DAY)
    shown = repricing_report.preview(wanted)
    assert Charge.objects.count() == 12
    found = run(ask())
    told = repricing_report.total_of(repricing_report.days_of(found), DAY)
    facts = ("changed", "was_unpriced", "still_unpriced", "before", "after")
    assert [getattr(shown.total, name) for name in facts] == [getattr(told, name) for name in facts]
    assert (told.before, told.after, told.changed) == (found.before_total, found.after_total, found.charges_changed)


def test_a_preview_of_too_many_says_so(workspace, price, twelve, monkeypatch):
    monkeypatch.setattr(repricing_report, "LOOKED_AT", 5)
    shown = repricing_report.preview(Repricing(workspace=workspace, first=DAY, last=DAY))
    assert (shown.is_whole, shown.total.calls) == (False, 5)


def test_each_report_tells_its_own_step_however_often_a_charge_was_corrected(price, ask, book):
    book(cost=Decimal("0.5"), price_ids=[1])
    price("100")
    first = run(ask())
    price("300", begins=datetime(2026, 6, 1, tzinfo=UTC))
    second = run(ask())
    steps = [[(day.before, day.after) for day in repricing_report.days_of(found)] for found in (first, second)]
    assert steps == [[(Decimal("0.5"), Decimal("0.01"))], [(Decimal("0.01"), Decimal("0.03"))]]


def test_who_asked_is_told_when_it_is_done(price, ask, book, fay):
    book(cost=None)
    price("100")
    found = run(ask())
    note = Notification.objects.get(user=fay)
    assert note.url == address("repricing", found)
    assert "1 of them cost something else" in note.body


def test_an_id_of_another_time_is_no_charge_of_the_period(price, ask, workspace):
    ledger.record([new_charge(workspace.pk, cost=None, id=uuid7(NOON + timedelta(days=1)))])
    price("100")
    assert run(ask()).charges_seen == 0
    assert timezone.now() > NOON
