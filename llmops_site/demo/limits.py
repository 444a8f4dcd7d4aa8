"""Budgets of the demo workspace, and the proof that its books add up."""

from decimal import Decimal

from apps.costs import actions as costs
from apps.costs import verification
from apps.costs.models import Purpose
from llmops_site.demo.people import Cast


def set_budgets(cast: Cast) -> None:
    """Set a budget over everything, one for a team and a hard one for trying things out."""
    fay = cast.users["fay"]
    support = cast.teams["Support"]
    for name, conditions, period, mode, limit in (
        ("All models", {}, "month", "warn", Decimal(340)),
        ("Support team", {"team_id": support.pk}, "quarter", "warn", Decimal(900)),
        ("Trying things out", {"purpose": Purpose.PLAYGROUND.value}, "month", "hard", Decimal(25)),
    ):
        costs.create_budget(
            workspace=cast.workspace,
            name=name,
            conditions=conditions,
            period=period,
            mode=mode,
            limit_amount=limit,
            owner=fay,
            acting_user=fay,
        )


def prove(cast: Cast) -> None:
    """Recount the books, so that the first page of finance can say that they were."""
    for _ in verification.verify([cast.workspace]):
        pass
