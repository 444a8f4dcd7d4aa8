"""Whatever is held, booked, given back, expired or booked late, in any order: the sums are those of what happened."""

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.ids import uuid7
from apps.costs import budgets
from apps.costs.budgets import sweeping
from apps.costs.models import BudgetPeriod, Charge, Reservation
from tests import factories
from tests.costs.budgets import book, make_budget, reserve
from tests.costs.conftest import NOON

pytestmark = pytest.mark.django_db
CENT = Decimal("0.01")
STEP = timedelta(hours=5)  # so that days and weeks end while calls are in flight

STEPS = st.one_of(
    st.tuples(st.just("reserve"), st.integers(1, 40), st.sampled_from([7, 8])),
    st.tuples(st.just("book"), st.integers(0, 9), st.integers(0, 100)),
    st.tuples(st.just("release"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("expire"), st.just(0), st.just(0)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=30), seed=st.integers())
def test_any_interleaving_leaves_spent_and_held_exact_and_never_over(steps, seed):
    with transaction.atomic():
        workspace = factories.make_workspace(f"w{random.Random(seed).getrandbits(60)}", time_zone="Asia/Kathmandu")
        made = [
            make_budget(workspace, "1.00"),
            make_budget(workspace, "0.50", period="day"),
            make_budget(workspace, "0.70", period="week", team_id=7),
        ]
        budgets.forget()
        play(workspace, steps)
        for budget in made:
            check(budget)
        transaction.set_rollback(True)


def play(workspace, steps):
    """Only calls that hold room are booked, at most at what they hold; the clock runs on with each step."""
    in_flight, now = [], NOON
    for kind, first, second in steps:
        now += STEP
        if kind == "reserve":
            amount = first * CENT
            try:
                held = reserve(workspace, amount, at=now, expires_at=now + 2 * STEP, team_id=second)
            except budgets.OverBudget:
                continue
            in_flight.append((held, amount, second, now))
        elif kind == "expire":
            sweeping.expire(now)
        elif in_flight:
            held, amount, team, at = in_flight.pop(first % len(in_flight))
            if kind == "release":
                budgets.release(held)
            elif Reservation.objects.get(pk=held).state == "open":
                book(workspace, held, amount * second / 100, at=at, team_id=team)


def check(budget):
    for period in BudgetPeriod.objects.filter(budget=budget):
        charges = Charge.objects.filter(workspace_id=budget.workspace_id)
        charges = charges.filter(team_id=budget.team_id) if budget.team_id else charges
        zone = budget.workspace.zone
        inside = [
            charge.cost for charge in charges if period.starts_on <= charge.at.astimezone(zone).date() < period.ends_on
        ]
        held = Reservation.objects.filter(state="open", period_ids__contains=[period.pk])
        assert period.spent == sum(inside)
        assert period.reserved == (held.aggregate(sum=Sum("amount"))["sum"] or 0)
        assert period.spent + period.reserved <= period.limit_amount


def test_a_call_whose_process_was_killed_gives_its_room_back_when_it_expires(workspace):
    budget = make_budget(workspace, "0.10")
    reserve(workspace, "0.10", expires_at=NOON + timedelta(minutes=5))
    assert sweeping.expire(NOON + timedelta(minutes=4)) == 0
    with pytest.raises(budgets.OverBudget):
        reserve(workspace)
    assert sweeping.expire(NOON + timedelta(minutes=6)) == 1
    assert sweeping.expire(NOON + timedelta(minutes=6)) == 0
    period = BudgetPeriod.objects.get(budget=budget)
    assert (period.spent, period.reserved) == (0, 0)
    assert reserve(workspace)


def test_a_charge_that_comes_after_its_reservation_expired_counts_and_takes_nothing_twice(workspace):
    budget = make_budget(workspace, "1.00")
    late, other = reserve(workspace, "0.30"), reserve(workspace, "0.20", expires_at=NOON + timedelta(days=1))
    sweeping.expire(NOON + timedelta(minutes=6))
    book(workspace, late, "0.25")
    period = BudgetPeriod.objects.get(budget=budget)
    assert (period.spent, period.reserved) == (Decimal("0.25"), Decimal("0.20"))
    assert Reservation.objects.get(pk=late).state == "expired"
    assert Reservation.objects.get(pk=other).state == "open"


def test_expiry_goes_on_until_all_is_given_back(workspace, monkeypatch):
    monkeypatch.setattr(sweeping, "EXPIRED_AT_ONCE", 2)
    budget = make_budget(workspace, "10", counted_from=date(2026, 1, 1))
    for _ in range(5):
        reserve(workspace)
    assert sweeping.expire(NOON + timedelta(hours=1)) == 5
    assert BudgetPeriod.objects.get(budget=budget).reserved == 0


def test_reservations_are_cleared_away_a_week_after_they_began_and_never_while_open(workspace):
    old, fresh = NOON - timedelta(days=8), NOON - timedelta(days=6)
    rows = [("settled", old), ("expired", old), ("open", old), ("settled", fresh)]
    for state, at in rows:
        Reservation.objects.create(
            id=uuid7(at), workspace_id=workspace.pk, period_ids=[], amount=1, state=state, expires_at=at,
            ended_at=None if state == "open" else at,
        )  # fmt: skip
    assert sweeping.clear(NOON) == 2
    assert list(Reservation.objects.order_by("id").values_list("state", flat=True)) == ["open", "settled"]
