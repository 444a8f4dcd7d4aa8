"""What the tests of budgets share."""

from datetime import date, timedelta
from decimal import Decimal

from apps.costs import budgets, ledger
from apps.costs.models import Budget, BudgetPeriod
from tests.costs.conftest import NOON, new_charge


def make_budget(workspace, limit="1.00", **fields):
    facts = {"name": f"Budget {Budget.objects.count()}", "mode": "hard", "counted_from": date(2026, 1, 1), **fields}
    return Budget.objects.create(workspace=workspace, limit_amount=Decimal(limit), **facts)


def facts_of(**values):
    facts = {"provider": "openai", "model": "gpt-4o", "purpose": "production", "team_id": 7, "prompt_id": 11}
    return budgets.Facts(**{**facts, "environment": "production", **values})


def reserve(workspace, amount="0.10", at=NOON, expires_at=None, **facts):
    return budgets.reserve(
        workspace_id=workspace.pk,
        at=at,
        expires_at=expires_at or at + timedelta(minutes=5),
        facts=facts_of(**facts),
        amount=None if amount is None else Decimal(amount),
    )


def book(workspace, reservation_id=None, cost="0.04", at=NOON, **values):
    charge = new_charge(workspace.pk, at, cost=Decimal(cost), reservation_id=reservation_id, **values)
    assert ledger.record([charge]) == 1
    return charge


def standing(budget):
    period = BudgetPeriod.objects.get(budget=budget)
    return str(period.spent.normalize()), str(period.reserved.normalize())
