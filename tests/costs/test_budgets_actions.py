"""Budgets are set, changed and ended by people with the right to, in words they understand, and written down."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from apps.accounts.models import AuditEvent
from apps.costs import actions, budgets
from apps.costs.actions.budgets import BudgetEnded, BudgetNameTaken, BudgetRefused
from apps.costs.models import Budget, BudgetPeriod
from tests import factories
from tests.costs.budgets import book, reserve, standing
from tests.costs.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(time_machine):
    time_machine.move_to(NOON, tick=False)
    budgets.forget()


@pytest.fixture
def create(workspace, fay):
    def make(limit="5.00", conditions=None, **values):
        facts = {"name": "Support", "period": "month", "mode": "hard", **values}
        return actions.create_budget(
            workspace=workspace,
            conditions=conditions or {},
            limit_amount=Decimal(limit),
            acting_user=fay,
            **facts,
        )

    return make


@pytest.fixture
def change(fay):
    def changed(budget, **values):
        facts = {
            name: getattr(budget, name)
            for name in ("name", "mode", "limit_amount", "thresholds", "forecast_thresholds", "owner")
        }
        return actions.change_budget(budget=budget, acting_user=fay, **{**facts, **values})

    return changed


def test_a_new_budget_counts_what_its_running_period_has_cost_already(workspace, create):
    book(workspace, cost="0.70", at=NOON - timedelta(days=3))
    book(workspace, cost="9.00", at=NOON - timedelta(days=30))
    book(workspace, cost="2.00", team_id=8)
    budget = create(conditions={"team_id": 7})
    assert budget.counted_from == date(2026, 11, 1)
    assert standing(budget) == ("0.7", "0")
    book(workspace, cost="0.05", at=NOON - timedelta(days=2))
    assert standing(budget) == ("0.75", "0")


def test_a_budget_for_one_customer_counts_from_the_charges_themselves(workspace, create):
    book(workspace, cost="0.70", customer="Ada")
    book(workspace, cost="0.10", customer="Ada", team_id=8)
    assert standing(create(conditions={"customer": "Ada", "team_id": 7})) == ("0.7", "0")


def test_a_new_hard_budget_holds_for_the_next_call_of_this_process(
    workspace, create, django_capture_on_commit_callbacks
):
    assert reserve(workspace) is None
    with django_capture_on_commit_callbacks(execute=True):
        create("0.05")
    with pytest.raises(budgets.OverBudget):
        reserve(workspace)


def test_a_limit_that_goes_up_or_down_holds_for_the_running_period_at_once(workspace, create, change):
    budget = create("0.50")
    held = reserve(workspace, "0.40")
    change(budget, limit_amount=Decimal("0.30"))
    with pytest.raises(budgets.OverBudget, match=r"\$0.00 of \$0.30"):
        reserve(workspace, "0.01")
    change(budget, limit_amount=Decimal("0.90"))
    assert reserve(workspace, "0.50")
    book(workspace, held, "0.40")
    assert standing(budget) == ("0.4", "0.5")


def test_a_period_that_is_over_keeps_the_limit_that_it_had(workspace, create, change, time_machine):
    budget = create("0.50", period="day")
    time_machine.move_to(NOON + timedelta(days=1), tick=False)
    change(budget, limit_amount=Decimal("0.90"))
    limits = BudgetPeriod.objects.order_by("starts_on").values_list("limit_amount", flat=True)
    assert list(limits) == [Decimal("0.50"), Decimal("0.90")]


def test_a_budget_that_only_warns_from_now_on_refuses_nothing_and_gives_back_what_was_held(workspace, create, change):
    budget = create("0.50")
    held = reserve(workspace, "0.40")
    change(budget, mode="warn")
    assert reserve(workspace, "0.40") is None
    book(workspace, held, "0.40")
    assert standing(budget) == ("0.4", "0")


def test_an_ended_budget_limits_nothing_and_stays_to_be_read(workspace, create, fay):
    budget = create("0.05")
    held = reserve(workspace, "0.05")
    actions.end_budget(budget=budget, acting_user=fay, reason="The campaign is over")
    assert reserve(workspace) is None
    book(workspace, held, "0.05")
    assert standing(budget) == ("0", "0")  # held is given back; an ended budget counts no more
    assert AuditEvent.objects.latest("number").reason == "The campaign is over"
    with pytest.raises(BudgetEnded):
        actions.end_budget(budget=budget, acting_user=fay)
    assert create().name == budget.name


def test_the_audit_log_says_what_changed_and_nothing_else(create, change, fay):
    budget = create("5.00", conditions={"team_id": 7})
    change(budget, limit_amount=Decimal("8.00"), owner=fay, reason="More traffic")
    change(Budget.objects.get(), reason="nothing")
    made, changed = AuditEvent.objects.filter(target_type="costs.budget").order_by("number")
    assert made.after["covers"] == {"team_id": 7}
    assert (changed.before, changed.after) == (
        {"limit": "5", "owner": ""},
        {"limit": "8", "owner": "Fay"},
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"limit": "-1"}, "between 0 and"),
        ({"limit": "10000000.01"}, "between 0 and"),
        ({"limit": "0.00001"}, "four decimals"),
        ({"limit": "NaN"}, "between 0 and"),
        ({"limit": "Infinity"}, "between 0 and"),
        ({"name": "  "}, "between 1 and 120"),
        ({"name": "x" * 121}, "between 1 and 120"),
        ({"thresholds": [0]}, "ten shares"),
        ({"thresholds": list(range(1, 12))}, "ten shares"),
        ({"conditions": {"user_id": 3}}, "cannot ask for user_id"),
        ({"conditions": {"team_id": "7"}}, "team_id cannot be"),
        ({"conditions": {"model": 7}}, "model cannot be"),
        ({"conditions": {"model": "x" * 121}}, "model cannot be"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(create, values, words):
    with pytest.raises(BudgetRefused, match=words), transaction.atomic():
        create(**values)
    assert Budget.objects.count() == 0


def test_two_budgets_cannot_have_one_name(create, change):
    create()
    with pytest.raises(BudgetNameTaken):
        create()
    other = create(name="Other")
    with pytest.raises(BudgetNameTaken):
        change(other, name="Support")


def test_a_stranger_cannot_own_a_budget(create, stranger):
    with pytest.raises(BudgetRefused, match="is no member of"):
        create(owner=stranger)


def test_a_budget_made_in_the_night_of_a_zone_counts_from_that_zones_day(fay, time_machine):
    time_machine.move_to(datetime(2026, 10, 31, 18, 30, tzinfo=UTC), tick=False)
    kathmandu = factories.make_workspace("kathmandu", time_zone="Asia/Kathmandu")
    made = actions.create_budget(
        workspace=kathmandu, name="All", conditions={}, period="month", mode="warn", limit_amount=Decimal(1),
        acting_user=fay,
    )  # fmt: skip
    assert made.counted_from == date(2026, 11, 1)
