"""Budgets of the demo workspace, what production asks for by now, and the proof that its books add up."""

from decimal import Decimal

from apps.costs import actions as costs
from apps.costs import verification
from apps.costs.models import Purpose
from apps.prompts import actions as prompts
from apps.prompts.freezes import Weekly, read
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


FREEZE = Weekly(read("fri 16:00"), read("mon 08:00"))
SPEND_PERCENT = Decimal("0.5")


def tighten(cast: Cast) -> None:
    """Ask for more in production than in the story so far: no weekends, and finance has a say when it gets dearer."""
    production = cast.workspace.environments.get(name="production")
    prompts.update_policy(
        environment=production,
        checks=["tests", "people", "spend"],
        weekly=[FREEZE],
        spend_percent=SPEND_PERCENT,
        acting_user=cast.users["olga"],
    )
    for request in cast.workspace.change_requests.waiting():
        prompts.refresh_spend_check(change_request=request)


def prove(cast: Cast) -> None:
    """Recount the books, so that the first page of finance can say that they were."""
    for _ in verification.verify([cast.workspace]):
        pass
