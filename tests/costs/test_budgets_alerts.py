"""Owners and finance are told of a budget once for each share of its limit, and of where it is heading."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import connection

from apps.accounts.rights import Role
from apps.costs import budgets
from apps.costs.budgets import alerts, burn
from apps.costs.models import BudgetAlert, BudgetPeriod
from apps.notices.models import Notification
from llmops_site.celery import app
from tests import factories
from tests.costs.budgets import book, make_budget
from tests.costs.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_remembered():
    budgets.forget()


def titles(user):
    return list(Notification.objects.filter(user=user).order_by("pk").values_list("title", flat=True))


def burn_down(workspace, day_cost, days=14, until=NOON):
    """Book the same cost on each of the days before today."""
    for ago in range(1, days + 1):
        book(workspace, cost=day_cost, at=until - timedelta(days=ago))


def test_a_share_that_is_passed_is_told_once_to_owner_and_finance(workspace, fay, paula, ravi):
    make_budget(workspace, "1.00", name="Support", owner=paula)
    book(workspace, cost="0.40")
    assert alerts.tell(NOON) == 0
    book(workspace, cost="0.10")
    assert (alerts.tell(NOON), alerts.tell(NOON)) == (1, 0)
    assert titles(fay) == titles(paula) == ["Support has passed 50 % of its limit"]
    assert titles(ravi) == []


def test_shares_that_are_passed_at_once_are_one_notice_and_all_written_down(workspace, fay):
    make_budget(workspace, "1.00", name="Support")
    book(workspace, cost="1.20")
    alerts.tell(NOON)
    assert titles(fay) == ["Support is used up"]
    assert sorted(BudgetAlert.objects.values_list("threshold", flat=True)) == [50, 80, 100]


def test_the_notice_says_how_much_and_leads_to_the_budget(workspace, fay):
    budget = make_budget(workspace, "1.00", name="Support")
    book(workspace, cost="0.85")
    alerts.tell(NOON)
    notice = Notification.objects.get()
    assert notice.body.startswith("$0.85 of $1.00 is spent in the month from 1 November 2026 to 30 November 2026.")
    assert "Calls that do not fit are refused." in notice.body
    assert notice.url == f"/w/acme/spend/budgets/{budget.pk}/"


def test_the_next_period_is_told_anew(workspace, fay):
    make_budget(workspace, "1.00", name="Support", period="day", thresholds=[100])
    for ago in (1, 0):
        at = NOON - timedelta(days=ago)
        book(workspace, cost="1.00", at=at)
        alerts.tell(at)
    assert titles(fay) == ["Support is used up"] * 2


def test_what_came_just_before_the_period_ended_is_told_after_it(workspace, fay):
    make_budget(workspace, "1.00", name="Support", period="day", thresholds=[100])
    book(workspace, cost="1.00", at=NOON - timedelta(days=1))
    assert alerts.tell(NOON) == 1
    assert alerts.tell(NOON + timedelta(days=9)) == 0


def test_where_nobody_is_finance_and_nobody_owns_it_the_admins_are_told(workspace, olga):
    make_budget(workspace, "1.00", name="Support")
    book(workspace, cost="1.00")
    alerts.tell(NOON)
    assert titles(olga) == ["Support is used up"]


def test_a_limit_of_nothing_is_told_only_when_something_was_spent(workspace, fay):
    make_budget(workspace, "0", name="Nothing")
    BudgetPeriod.objects.create(budget_id=workspace.budgets.get().pk, starts_on=date(2026, 11, 1), ends_on=date(2026, 12, 1), limit_amount=0)  # fmt: skip
    assert alerts.tell(NOON) == 0
    book(workspace, cost="0.01")
    assert alerts.tell(NOON) == 1


def test_the_forecast_is_told_once_and_only_while_the_limit_stands(workspace, fay):
    make_budget(workspace, "2.50", name="Support", thresholds=[])
    burn_down(workspace, "0.10")  # 14 days at 10 cents: 3 dollars by the end of November
    assert (alerts.tell(NOON), alerts.tell(NOON)) == (1, 0)
    assert titles(fay) == ["Support is on its way over its limit"]
    assert "it will be $3.00 in the end" in Notification.objects.get().body


def test_a_budget_that_does_not_warn_of_its_forecast_does_not(workspace, fay):
    make_budget(workspace, "2.50", thresholds=[], forecast_thresholds=[])
    burn_down(workspace, "0.10")
    assert alerts.tell(NOON) == 0


def test_shares_of_the_forecast_that_are_expected_and_not_passed_are_one_notice(workspace, fay):
    make_budget(workspace, "3.50", name="Support", thresholds=[], forecast_thresholds=[30, 80, 85, 90, 100])
    burn_down(workspace, "0.10")  # 1.40 spent, 3 dollars expected: 40 % and 85.7 %
    assert (alerts.tell(NOON), alerts.tell(NOON)) == (1, 0)
    assert titles(fay) == ["Support is on its way to 85 % of its limit"]


def test_the_expected_end_follows_the_week(workspace):
    budget = make_budget(workspace, "100")
    for ago in range(1, 29):
        day = NOON - timedelta(days=ago)
        book(workspace, cost="0.01" if day.weekday() >= 5 else "1.00", at=day)
    # Of November 2026 the 15th is a Sunday: 10 weekdays and 4 weekend days before, 11 and 4 after it, and today.
    found = burn.of(workspace, [budget], NOON)[budget.pk]
    assert found.spent == Decimal("10.04")
    assert found.projected == Decimal("10.04") + Decimal("0.01") + Decimal("11.04")


def test_with_little_history_the_mean_of_the_period_is_taken_and_before_three_days_nothing_is_said(workspace):
    budget = make_budget(workspace, "100", period="month", counted_from=date(2026, 11, 1))
    second = NOON.replace(day=2)
    book(workspace, cost="1.00", at=NOON.replace(day=1))
    assert burn.of(workspace, [budget], second)[budget.pk].projected is None
    book(workspace, cost="2.00", at=second)
    assert burn.of(workspace, [budget], NOON.replace(day=4))[budget.pk].projected == Decimal(30)


def test_nothing_spent_is_expected_to_stay_nothing(workspace):
    budget = make_budget(workspace, "100")
    found = burn.of(workspace, [budget], NOON)[budget.pk]
    assert (found.spent, found.projected, found.state) == (0, 0, "within")


def test_a_period_that_was_opened_with_an_old_limit_is_mended(workspace):
    budget = make_budget(workspace, "1.00")
    book(workspace, cost="0.10")
    BudgetPeriod.objects.update(limit_amount=Decimal("9.00"))
    alerts.tell(NOON)
    assert BudgetPeriod.objects.get(budget=budget).limit_amount == Decimal("1.00")


def test_ended_budgets_tell_nothing(workspace, fay):
    make_budget(workspace, "1.00", ended_at=NOON)
    book(workspace, cost="5.00")
    assert alerts.tell(NOON) == 0


def test_the_queries_do_not_grow_with_the_budgets(workspace, django_assert_max_num_queries):
    for number in range(12):
        make_budget(workspace, "100", team_id=number)
    book(workspace, cost="0.01")
    with django_assert_max_num_queries(8):
        alerts.tell(NOON)


@pytest.mark.django_db(transaction=True)
def test_two_clocks_at_once_tell_once_and_send_one_mail():
    from tests.costs.test_budgets_reserving import in_threads

    workspace = factories.make_workspace()
    fay = factories.make_member(workspace, "Fay", Role.FINANCE)
    make_budget(workspace, "1.00", name="Support")
    book(workspace, cost="0.60")
    app.conf.task_always_eager = True
    try:
        assert in_threads(6, lambda _: alerts.tell(NOON)) == []
    finally:
        app.conf.task_always_eager = False
        connection.close()
    assert titles(fay) == ["Support has passed 50 % of its limit"]
    assert [message.subject for message in mail.outbox] == ["[Acme] Support has passed 50 % of its limit"]
