"""What budgets have spent is kept by the statement that books charges, and it ends their reservations."""

import random
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F

from apps.core.ids import uuid7
from apps.costs import ledger, ledger_corrections, ledger_sql, ledger_sums, verification
from apps.costs.amounts import Priced
from apps.costs.budgets import sweeping
from apps.costs.models import Budget, BudgetPeriod, Charge, Reservation
from tests.costs.conftest import NOON, new_charge

pytestmark = pytest.mark.django_db
NOVEMBER = date(2026, 11, 1)


@pytest.fixture
def budget(workspace):
    def make(**values):
        facts = {"name": f"Budget {Budget.objects.count()}", "limit_amount": Decimal(10), "counted_from": NOVEMBER}
        return Budget.objects.create(workspace=workspace, **{**facts, **values})

    return make


def spent(budget):
    return {period.starts_on: period.spent for period in budget.periods.all()}


def test_a_charge_is_spent_from_every_budget_that_covers_it(budget, book):
    covering = [
        budget(),
        budget(team_id=7, environment="production", purpose="production"),
        budget(prompt_id=11, version_id=113, model="gpt-4o", provider="openai"),
        budget(api_key_id=5, customer="Acme"),
    ]
    others = [budget(team_id=8), budget(customer=""), budget(team_id=7, model="o3")]
    book(customer="Acme", cost=Decimal("0.000000000001"))
    assert [spent(found) for found in covering] == [{NOVEMBER: Decimal("0.000000000001")}] * 4
    assert [spent(found) for found in others] == [{}] * 3


def test_nobody_is_a_team_too(budget, book):
    nobodys = budget(team_id=0)
    book(team_id=None, cost=Decimal(1))
    book(cost=Decimal(2))
    assert spent(nobodys) == {NOVEMBER: 1}


@pytest.mark.parametrize(
    ("period", "starts", "ends"),
    [
        ("day", date(2026, 11, 15), date(2026, 11, 16)),
        ("week", date(2026, 11, 9), date(2026, 11, 16)),
        ("month", NOVEMBER, date(2026, 12, 1)),
        ("quarter", date(2026, 10, 1), date(2027, 1, 1)),
        ("year", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_periods_are_those_of_the_calendar(budget, book, period, starts, ends):
    made = budget(period=period, counted_from=date(2026, 1, 1))
    book(NOON)
    found = made.periods.get()
    assert (found.starts_on, found.ends_on, found.limit_amount) == (starts, ends, 10)


def test_a_period_begins_at_the_workspaces_midnight(workspace, budget):
    workspace.time_zone = "Asia/Kathmandu"
    workspace.save()
    made = budget(period="day")
    ledger.record([new_charge(workspace.pk, datetime(2026, 11, 14, 18, 15, tzinfo=UTC))])
    assert list(spent(made)) == [date(2026, 11, 15)]


def test_a_late_charge_is_spent_in_its_own_period_but_never_before_counting_began(budget, book):
    made = budget(period="day", counted_from=date(2026, 11, 10))
    book(datetime(2026, 11, 11, 12, tzinfo=UTC), cost=Decimal(1))
    book(datetime(2026, 11, 9, 12, tzinfo=UTC), cost=Decimal(2))
    assert spent(made) == {date(2026, 11, 11): 1}


def test_an_ended_budget_and_an_unpriced_charge_spend_nothing(budget, book):
    made = [budget(ended_at=NOON), budget()]
    book(cost=None)
    assert [spent(found) for found in made] == [{}, {}]


def test_a_repeat_spends_nothing_and_a_correction_gives_back(workspace, budget, book):
    made = budget()
    charge = book(cost=Decimal(3))
    ledger.record([charge])
    ledger_corrections.reprice(
        workspace_id=workspace.pk, charge_ids=[charge.id], price_of=lambda row: Priced(Decimal(1), ()), reason="r"
    )
    assert spent(made) == {NOVEMBER: 1}


def reserve(*budgets, amount=Decimal(5), **values):
    for made in budgets:
        period, _ = BudgetPeriod.objects.get_or_create(
            budget=made, starts_on=NOVEMBER, defaults={"ends_on": date(2026, 12, 1), "limit_amount": 10}
        )
        BudgetPeriod.objects.filter(pk=period.pk).update(reserved=F("reserved") + amount)
    periods = BudgetPeriod.objects.filter(budget__in=budgets).values_list("pk", flat=True)
    facts = {"period_ids": list(periods), "amount": amount, "expires_at": NOON, **values}
    return Reservation.objects.create(workspace_id=budgets[0].workspace_id, **facts)


def test_the_charge_ends_its_reservation_and_takes_its_place(budget, book):
    made = budget(), budget(team_id=7)
    held = reserve(*made)
    charge = book(cost=Decimal(2), reservation_id=held.pk)
    held.refresh_from_db()
    assert (held.state, held.charge_id) == ("settled", charge.id)
    for period in BudgetPeriod.objects.all():
        assert (period.spent, period.reserved) == (2, 0)


def test_a_reservation_ends_once(budget, book):
    made = budget()
    held = reserve(made)
    book(cost=Decimal(1), reservation_id=held.pk)
    book(cost=Decimal(1), reservation_id=held.pk)
    period = made.periods.get()
    assert (period.spent, period.reserved) == (2, 0)


def test_what_expired_is_not_given_back_again(budget, book):
    made = budget()
    held = reserve(made)
    Reservation.objects.filter(pk=held.pk).update(state="expired", ended_at=NOON)
    made.periods.update(reserved=0)
    book(cost=Decimal(1), reservation_id=held.pk)
    assert made.periods.get().reserved == 0


def test_what_has_no_price_holds_its_room_until_it_has_one(workspace, budget, book):
    made = budget()
    held = reserve(made)
    charge = book(cost=None, reservation_id=held.pk)

    def standing():
        period = made.periods.get()
        held.refresh_from_db()
        return period.spent, period.reserved, held.state

    def reprice(cost):
        ledger_corrections.reprice(
            workspace_id=workspace.pk, charge_ids=[charge.id], price_of=lambda row: Priced(cost, ()), reason="r"
        )

    assert standing() == (0, 5, "unpriced")
    sweeping.expire(NOON + timedelta(days=1))
    sweeping.clear(NOON + timedelta(days=90))
    reprice(None)
    assert standing() == (0, 5, "unpriced")
    reprice(Decimal(3))
    assert standing() == (3, 0, "settled")
    reprice(None)
    reprice(Decimal(2))
    assert standing() == (2, 0, "settled")
    assert [difference for total in verification.verify() for difference in total.differences] == []


def test_a_batch_settles_many_reservations_of_one_period(workspace, budget):
    made = budget()
    held = [reserve(made, amount=Decimal(1)) for _ in range(4)]
    ledger.record([new_charge(workspace.pk, cost=Decimal("0.25"), reservation_id=r.pk) for r in held])
    period = made.periods.get()
    assert (period.spent, period.reserved) == (1, 0)


def test_one_statement_books_a_call_for_whoever_sends_it_in_a_pipeline(workspace, budget):
    import psycopg

    made = budget()
    charge = new_charge(workspace.pk, cost=Decimal(2), reservation_id=reserve(made).pk)
    statement, values = ledger_sql.RECORD, ledger.values_of([charge])
    connection.ensure_connection()
    with connection.connection.pipeline(), psycopg.Cursor(connection.connection) as cursor:
        for _ in range(2):
            cursor.execute(statement, values, prepare=True)
    assert Charge.objects.get().pk == charge.id
    assert (made.periods.get().spent, made.periods.get().reserved) == (2, 0)


def test_a_new_budget_counts_what_its_period_has_spent(workspace, budget, book):
    book(cost=Decimal(1), customer="Acme")
    book(cost=Decimal(2))
    book(datetime(2026, 10, 31, 12, tzinfo=UTC), cost=Decimal(4))
    made = [budget(), budget(customer="Acme"), budget(customer="Acme", team_id=8)]
    for found in made:
        ledger_sums.recount_budget(budget=found)
    assert [spent(found) for found in made] == [{NOVEMBER: 3}, {NOVEMBER: 1}, {}]


def test_a_budget_that_covers_something_else_now_is_counted_anew(budget, book):
    made = budget(team_id=7)
    reserve(made)
    book(cost=Decimal(1))
    Budget.objects.update(team_id=8)
    made.refresh_from_db()
    ledger_sums.recount_budget(budget=made)
    period = made.periods.get()
    assert (period.spent, period.reserved) == (0, 5)


def in_threads(*works):
    """Run the works at once and return the errors of the database."""
    errors = []

    def run(work):
        try:
            work()
        except DatabaseError as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.django_db(transaction=True)
def test_a_budget_made_while_charges_are_booked_misses_none_and_counts_none_twice(workspace):
    made = []

    def write():
        for second in range(60):
            ledger.record([new_charge(workspace.pk, NOON + timedelta(seconds=second), cost=Decimal(1))])

    def budget():
        for number in range(12):
            with transaction.atomic():
                ledger_sums.stand_still()
                facts = {"name": f"b{number}", "limit_amount": 1, "counted_from": NOVEMBER}
                made.append(Budget.objects.create(workspace=workspace, **facts))
                ledger_sums.recount_budget(budget=made[-1])

    assert in_threads(write, write, budget, lambda: ledger_sums.rebuild_sums(workspace_id=workspace.pk)) == []
    assert [spent(found) for found in made] == [{NOVEMBER: 120}] * 12


@pytest.mark.django_db(transaction=True)
def test_writers_that_settle_at_once_leave_no_cent_reserved(workspace):
    made = [
        Budget.objects.create(
            workspace=workspace, name=f"b{team}", team_id=team, limit_amount=99, counted_from=NOVEMBER
        )
        for team in (None, 1, 2, 3)
    ]
    dice, plans = random.Random(1), []
    for _ in range(8):
        team = dice.choice([1, 2, 3])
        held = [reserve(made[0], made[team], id=uuid7(), amount=Decimal("0.5")) for _ in range(12)]
        plans.append([new_charge(workspace.pk, team_id=team, cost=Decimal("0.1"), reservation_id=r.pk) for r in held])

    def settle(plan):
        for charge in plan:
            ledger.record([charge])

    assert in_threads(*(partial(settle, plan) for plan in plans)) == []
    assert {period.reserved for period in BudgetPeriod.objects.all()} == {0}
    assert made[0].periods.get().spent == Decimal("9.6")
