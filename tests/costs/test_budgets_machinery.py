"""Budgets while everything moves: people change them under calls in flight, and the clock rings for what is due."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.rights import Role
from apps.costs import actions, beat, budgets, ledger_sums
from apps.costs.models import Budget, BudgetPeriod, Reservation
from apps.notices.models import Notification
from llmops_site.celery import app
from tests import factories
from tests.costs.budgets import book, make_budget, reserve
from tests.costs.test_budgets_reserving import in_threads


@pytest.fixture(autouse=True)
def nothing_remembered():
    budgets.forget()


@pytest.mark.django_db(transaction=True)
def test_budgets_are_made_changed_and_ended_while_calls_are_in_flight_and_count_every_charge():
    workspace = factories.make_workspace()
    fay = factories.make_member(workspace, "Fay", Role.FINANCE)
    over = threading.Event()

    def call(number):
        for _ in range(25):
            now = timezone.now()
            try:
                held = reserve(workspace, "0.02", at=now, team_id=7 + number % 2)
            except budgets.OverBudget:
                continue
            book(workspace, held, "0.015", at=now, team_id=7 + number % 2)

    def manage(number):
        for turn in range(6):
            made = actions.create_budget(
                workspace=workspace, name=f"{number}-{turn}", conditions={"team_id": 7 + turn % 2} if turn % 3 else {},
                period=("day", "month", "year")[turn % 3], mode="hard", limit_amount=Decimal("2.00"), acting_user=fay,
            )  # fmt: skip
            actions.change_budget(
                budget=made, name=made.name, mode=("hard", "warn")[turn % 2], limit_amount=Decimal("1.00"),
                thresholds=[], forecast_thresholds=[], owner=None, acting_user=fay,
            )  # fmt: skip
            if turn % 3 == 2:
                actions.end_budget(budget=made, acting_user=fay)
        over.set()

    assert in_threads(8, lambda number: manage(number) if number < 2 else call(number)) == []
    assert over.is_set()
    assert not Reservation.objects.filter(state="open").exists()
    live = list(Budget.objects.live())
    counted = {budget.pk: spent_of(budget) for budget in live}
    for budget in live:
        ledger_sums.recount_budget(budget=budget)
    assert counted == {budget.pk: spent_of(budget) for budget in live}
    assert set(BudgetPeriod.objects.values_list("reserved", flat=True)) == {0}


def spent_of(budget):
    return list(BudgetPeriod.objects.filter(budget=budget).order_by("starts_on").values_list("starts_on", "spent"))


@pytest.mark.django_db
def test_the_schedule_rings_for_expiry_and_for_warnings(workspace, fay):
    rung = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {beat.expire_reservations.name, beat.tell_budgets.name} <= rung
    now = timezone.now()
    budget = make_budget(workspace, "1.00", name="Support")
    reserve(workspace, "0.50", at=now, expires_at=now - timedelta(minutes=1))
    book(workspace, cost="1.00", at=now)
    beat.expire_reservations()
    beat.tell_budgets()
    assert BudgetPeriod.objects.get(budget=budget).reserved == 0
    assert Notification.objects.get().title == "Support is used up"


@pytest.mark.django_db(transaction=True)
def test_a_lock_on_one_budget_keeps_no_call_of_another_waiting():
    workspace = factories.make_workspace()
    locked, free = make_budget(workspace, team_id=7), make_budget(workspace, team_id=8)
    reserve(workspace, "0.01")
    waits = threading.Thread(target=closing, args=(lambda: reserve(workspace, "0.01"),))
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM costs_budgetperiod WHERE budget_id = %s FOR UPDATE", [locked.pk])
        waits.start()
        assert in_threads(1, lambda _: reserve(workspace, "0.01", team_id=8)) == []
        assert waits.is_alive()
        cursor.execute("COMMIT")
    waits.join(10)
    assert BudgetPeriod.objects.get(budget=locked).reserved == Decimal("0.02")
    assert BudgetPeriod.objects.get(budget=free).reserved == Decimal("0.01")


def closing(work):
    try:
        work()
    finally:
        connection.close()
