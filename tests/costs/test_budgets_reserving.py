"""Room in a budget is held before a call leaves, never a cent over, and given back once."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.db.models import Sum

from apps.core.ids import uuid7
from apps.costs import budgets
from apps.costs.models import Budget, BudgetPeriod, Meter, Reservation
from tests import factories
from tests.costs import budgets as makers
from tests.costs.budgets import book, facts_of, reserve, standing
from tests.costs.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_remembered():
    budgets.forget()


@pytest.fixture
def make_budget(workspace):
    return partial(makers.make_budget, workspace)


def test_without_a_hard_budget_nothing_is_held(workspace, make_budget):
    make_budget("0.01", mode="warn")
    assert reserve(workspace) is None
    assert Reservation.objects.count() == 0


def test_without_budgets_a_call_asks_the_database_once_a_second(workspace, django_assert_num_queries):
    with django_assert_num_queries(1):
        for _ in range(50):
            reserve(workspace)


def test_room_is_held_until_the_charge_is_booked_and_then_only_what_it_cost(workspace, make_budget):
    budget = make_budget("1.00")
    held = reserve(workspace, "0.60")
    assert standing(budget) == ("0", "0.6")
    charge = book(workspace, held, "0.25")
    assert standing(budget) == ("0.25", "0")
    reservation = Reservation.objects.get()
    assert (reservation.state, reservation.charge_id) == ("settled", charge.id)


def test_the_last_cent_may_be_used_and_not_one_more(workspace, make_budget):
    make_budget("1.00")
    assert reserve(workspace, "0.999999999999")
    assert reserve(workspace, "0.000000000001")
    with pytest.raises(budgets.OverBudget):
        reserve(workspace, "0.000000000001")


def test_a_refusal_says_what_is_left_when_it_renews_and_whom_to_ask(workspace, make_budget, fay):
    make_budget("2.00", name="Support", owner=fay)
    reserve(workspace, "1.50")
    with pytest.raises(budgets.OverBudget) as refusal:
        reserve(workspace, "0.75")
    assert refusal.value.message == (
        "The budget “Support” has $0.50 of $2.00 left until 1 December 2026, and this call could cost $0.75. "
        "Its owner is Fay."
    )
    assert refusal.value.status == 402
    assert refusal.value.headers == {"x-should-retry": "false"}
    assert refusal.value.details["renews_at"] == "2026-12-01T00:00:00+00:00"
    assert refusal.value.details["left"] == "0.500000000000"


def test_refusals_are_counted_on_the_budget_that_refused(workspace, make_budget):
    wide, narrow = make_budget("10.00"), make_budget("0.05", team_id=7)
    for _ in range(3):
        with pytest.raises(budgets.OverBudget, match="Budget 1"):
            reserve(workspace)
    assert [BudgetPeriod.objects.get(budget=one).refused for one in (wide, narrow)] == [0, 3]


def test_where_one_of_two_budgets_is_full_nothing_stays_held_on_the_other(workspace, make_budget):
    wide, narrow = make_budget("10.00"), make_budget("0.15", team_id=7)
    assert reserve(workspace)
    with pytest.raises(budgets.OverBudget, match="Budget 1"):
        reserve(workspace)
    assert standing(wide) == standing(narrow) == ("0", "0.1")
    assert reserve(workspace, team_id=8)  # the narrow one does not cover it
    assert standing(wide) == ("0", "0.2")


@pytest.mark.parametrize(
    ("conditions", "covered"),
    [
        ({"team_id": 7}, True),
        ({"team_id": 8}, False),
        ({"team_id": 0}, False),
        ({"api_key_id": 0}, True),
        ({"prompt_id": 11, "environment": "production"}, True),
        ({"prompt_id": 11, "environment": "staging"}, False),
        ({"customer": ""}, True),
        ({"customer": "Ada"}, False),
        ({"provider": "openai", "model": "gpt-4o", "purpose": "production"}, True),
        ({"version_id": 113}, False),
    ],
)
def test_a_budget_holds_room_exactly_for_what_the_ledger_will_count(workspace, make_budget, conditions, covered):
    budget = make_budget("1.00", **conditions)
    held = reserve(workspace)
    assert (held is not None) is covered
    book(workspace, held, version_id=None, api_key_id=None)
    assert BudgetPeriod.objects.filter(budget=budget, spent__gt=0).exists() is covered


def test_a_call_is_held_in_the_period_that_its_charge_falls_into(make_budget):
    for zone, last_moment in [
        ("Australia/Lord_Howe", datetime(2026, 10, 31, 12, 59, 59, tzinfo=UTC)),  # summer: UTC+11
        ("Asia/Kathmandu", datetime(2026, 10, 31, 18, 14, 59, tzinfo=UTC)),  # UTC+5:45
        ("America/New_York", datetime(2026, 11, 1, 3, 59, 59, tzinfo=UTC)),  # the clocks go back that day
    ]:
        place = factories.make_workspace(zone.split("/")[1].lower().replace("_", "-"), time_zone=zone)
        budget = Budget.objects.create(
            workspace=place, name="All", mode="hard", limit_amount=10, counted_from=date(2026, 1, 1)
        )
        for moment, day in [(last_moment, date(2026, 10, 1)), (last_moment + timedelta(seconds=1), date(2026, 11, 1))]:
            book(place, reserve(place, at=moment), at=moment)
            period = BudgetPeriod.objects.get(budget=budget, starts_on=day)
            assert (period.spent, period.reserved) == (Decimal("0.04"), 0), (zone, day)
        assert BudgetPeriod.objects.filter(budget=budget).count() == 2


def test_a_reservation_that_is_open_when_the_period_rolls_over_leaves_the_next_one_alone(workspace, make_budget):
    budget = make_budget("0.10", period="day")
    before, after = NOON.replace(hour=23, minute=59), NOON.replace(day=16, hour=0, minute=1)
    held = reserve(workspace, at=before)
    assert reserve(workspace, at=after)
    book(workspace, held, "0.10", at=before)
    rows = BudgetPeriod.objects.filter(budget=budget).order_by("starts_on").values_list("spent", "reserved")
    assert [tuple(map(float, row)) for row in rows] == [(0.1, 0.0), (0.0, 0.1)]


def test_a_call_from_before_the_budget_counts_is_not_held(workspace, make_budget):
    make_budget("0.01", counted_from=date(2026, 12, 1))
    assert reserve(workspace) is None


def test_what_is_given_back_is_given_back_once(workspace, make_budget):
    budget = make_budget("1.00")
    held = reserve(workspace)
    assert (budgets.release(held), budgets.release(held)) == (True, False)
    assert standing(budget) == ("0", "0")
    assert budgets.release(uuid7()) is False


def test_a_call_without_a_price_is_refused_in_words(workspace, make_budget, fay):
    make_budget("100", name="Support", owner=fay)
    with pytest.raises(budgets.Unbounded, match="nothing says what gpt-4o of openai can cost at most: add its prices"):
        budgets.reserve(
            workspace_id=workspace.pk,
            at=NOON,
            expires_at=NOON,
            facts=facts_of(),
            meters={Meter.INPUT: 10, Meter.OUTPUT: 10},
        )
    with pytest.raises(budgets.Unbounded):
        reserve(workspace, None)
    assert BudgetPeriod.objects.get().refused == 2
    assert Reservation.objects.count() == 0


def test_a_call_that_costs_nothing_passes_a_full_budget(workspace, make_budget):
    make_budget("0")
    assert reserve(workspace, "0") is None


def test_a_call_dearer_than_any_budget_is_refused(workspace, make_budget):
    make_budget("99999999")
    with pytest.raises(budgets.OverBudget):
        reserve(workspace, "12345678901234")


def test_a_refusal_looks_again_before_it_stands(workspace, make_budget):
    budget = make_budget("0.10")
    assert reserve(workspace)
    Budget.objects.filter(pk=budget.pk).update(ended_at=NOON)  # by another process: this one remembers it
    age_memory(workspace)
    assert reserve(workspace) is None


def age_memory(workspace):
    from dataclasses import replace

    from apps.costs.budgets import known

    found = known._known[workspace.pk]
    known._known[workspace.pk] = replace(found, looked_at=found.looked_at - 0.5)


def test_a_limit_that_is_lowered_under_calls_in_flight_refuses_the_next(workspace, make_budget):
    budget = make_budget("1.00")
    held = reserve(workspace, "0.50")
    BudgetPeriod.objects.filter(budget=budget).update(limit_amount=Decimal("0.30"))
    with pytest.raises(budgets.OverBudget, match=r"has \$0.00 of \$0.30 left"):
        reserve(workspace, "0.01")
    book(workspace, held, "0.20")
    assert reserve(workspace, "0.10")


def test_a_workspaces_budget_leaves_the_others_alone(workspace, make_budget):
    make_budget("0")
    assert reserve(factories.make_workspace("other")) is None


def in_threads(count, work):
    """Run `work(number)` in threads with a connection each, all let go at once, and return the errors."""
    barrier, errors = threading.Barrier(count), []

    def one(number):
        try:
            connection.ensure_connection()
            barrier.wait()
            work(number)
        except Exception as error:
            errors.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.django_db(transaction=True)
def test_of_64_callers_at_most_10_pass_a_budget_with_room_for_10(workspace, make_budget):
    budget = make_budget("1.05")
    passed = []

    def call(_):
        try:
            passed.append(reserve(workspace, "0.10"))
        except budgets.OverBudget:
            return
        assert BudgetPeriod.objects.get(budget=budget).reserved <= Decimal("1.05")

    assert in_threads(64, call) == []
    period = BudgetPeriod.objects.get(budget=budget)
    assert (len(passed), period.reserved, period.refused) == (10, Decimal("1.00"), 54)
    for held in passed:
        book(workspace, held, "0.10")
    assert standing(budget) == ("1", "0")


@pytest.mark.django_db(transaction=True)
def test_many_budgets_and_writers_never_wait_in_a_circle_and_never_go_over(workspace, make_budget):
    makers = [{}, {"team_id": 7}, {"prompt_id": 11}, {"provider": "openai"}, {"model": "gpt-4o"}, {"team_id": 8}]
    rows = [make_budget("0.55", period=kind, **conditions) for conditions in makers for kind in ("month", "day")]
    make_budget("100", mode="warn")

    def call(number):
        for turn in range(12):
            at = NOON + timedelta(minutes=turn)
            team = {"team_id": 7 + (number + turn) % 2}
            try:
                held = reserve(workspace, "0.02", at=at, **team)
            except budgets.OverBudget:
                continue
            if turn % 5 == 4:
                budgets.release(held)
            else:
                book(workspace, held, "0.015", at=at, **team)

    assert in_threads(12, call) == []
    for budget in rows:
        period = BudgetPeriod.objects.get(budget=budget)
        assert period.reserved == 0
        assert period.spent <= period.limit_amount
    assert not Reservation.objects.filter(state="open").exists()
    total = Reservation.objects.filter(charge_id__isnull=False).count() * Decimal("0.015")
    assert BudgetPeriod.objects.filter(budget=rows[0]).aggregate(sum=Sum("spent"))["sum"] == total > 0
