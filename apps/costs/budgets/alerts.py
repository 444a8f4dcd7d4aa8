"""Who is told, once for each period and threshold, that a budget is used up, or that it will be."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.db import transaction
from django.urls import reverse

from apps.accounts.models import User, Workspace
from apps.accounts.rights import Role
from apps.core import formats
from apps.costs.budgets import burn, periods
from apps.costs.budgets.burn import Burn
from apps.costs.models import Budget, BudgetAlert, BudgetPeriod
from apps.notices.actions import notify

# A period that has just ended is looked at a while longer: its last charges may have come after the last look.
LATE = timedelta(days=2)
WHOLE = 100
KIND = "budget"

log = structlog.get_logger(__name__)


class Due(NamedTuple):
    """What there is to tell of a period: thresholds that were passed, or that will be."""

    kind: BudgetAlert.Kind
    thresholds: list[int]


def tell(now: datetime) -> int:
    """Tell owners and finance of every budget what they have not been told; return how many notices were due.

    Each notice is a transaction of its own with the mark that it was told: what was told stays told, and only that.
    """
    told = 0
    for workspace in Workspace.objects.filter(budgets__ended_at=None, budgets__isnull=False).distinct().order_by("pk"):
        told += _tell_workspace(workspace, now)
    return told


def _tell_workspace(workspace: Workspace, now: datetime) -> int:
    today = periods.day_of(now, workspace.zone)
    budgets = list(Budget.objects.live().filter(workspace=workspace).select_related("owner").order_by("pk"))
    _mend_limits(workspace, today)
    running = burn.of(workspace, budgets, now)
    rows = BudgetPeriod.objects.filter(budget__in=budgets, ends_on__gt=today - LATE, starts_on__lte=today)
    told = 0
    for row in rows.select_related("budget").prefetch_related("alerts").order_by("budget_id", "starts_on"):
        is_over = row.ends_on <= today
        now_at = burn.of_period(row) if is_over else running[row.budget_id]
        for due in _due(row, now_at):
            told += _tell_once(workspace, row, now_at, due)
    return told


def _mend_limits(workspace: Workspace, today: date) -> None:
    """Give a period that was opened while its budget's limit was being changed the limit that holds now."""
    rows = BudgetPeriod.objects.filter(budget__workspace=workspace, budget__ended_at=None, ends_on__gt=today)
    for row in rows.select_related("budget"):
        if row.limit_amount != row.budget.limit_amount:
            log.warning("a budget's period had an old limit", period=row.pk)
            BudgetPeriod.objects.filter(pk=row.pk).update(limit_amount=row.budget.limit_amount)


def _due(row: BudgetPeriod, now_at: Burn) -> list[Due]:
    """Return what was passed and not told yet; a forecast is told only of a share that is not passed yet."""
    told = {(alert.kind, alert.threshold) for alert in row.alerts.all()}
    actual = BudgetAlert.Kind.ACTUAL
    passed = [share for share in row.budget.thresholds if _is_passed(now_at, share)]
    due = [Due(actual, new)] if (new := [share for share in passed if (actual, share) not in told]) else []
    forecast = BudgetAlert.Kind.FORECAST
    expected = [share for share in row.budget.forecast_thresholds if _is_expected(now_at, share)]
    if new := [share for share in expected if (forecast, share) not in told]:
        due.append(Due(forecast, new))
    return due


def _is_passed(now_at: Burn, share: int) -> bool:
    return now_at.spent > 0 and now_at.spent * WHOLE >= now_at.limit * share


def _is_expected(now_at: Burn, share: int) -> bool:
    if now_at.projected is None or _is_passed(now_at, share):
        return False
    end, wanted = now_at.projected * WHOLE, now_at.limit * share
    return end > wanted if share == WHOLE else end >= wanted


@transaction.atomic
def _tell_once(workspace: Workspace, row: BudgetPeriod, now_at: Burn, due: Due) -> bool:
    """Write down what is told, and tell it, both or neither; several thresholds passed at once are one notice."""
    new = [
        share
        for share in due.thresholds
        if BudgetAlert.objects.get_or_create(budget_period=row, threshold=share, kind=due.kind)[1]
    ]
    if new:
        notify(
            users=_listeners(workspace, row.budget),
            workspace=workspace,
            kind=KIND,
            title=_title(row.budget, due.kind, max(new)),
            body=_body(workspace, now_at),
            url=reverse("budget", kwargs={"workspace": workspace.slug, "budget_id": row.budget_id}),
        )
    return bool(new)


def _listeners(workspace: Workspace, budget: Budget) -> list[User]:
    finance = workspace.memberships.filter(roles__contains=[Role.FINANCE]).select_related("user")
    people = [member.user for member in finance] + ([budget.owner] if budget.owner else [])
    return people or [member.user for member in workspace.memberships.admins().select_related("user")]


def _title(budget: Budget, kind: BudgetAlert.Kind, share: int) -> str:
    if kind == BudgetAlert.Kind.FORECAST:
        over = f"{budget.name} is on its way over its limit"
        return over if share == WHOLE else f"{budget.name} is on its way to {share} % of its limit"
    return f"{budget.name} is used up" if share == WHOLE else f"{budget.name} has passed {share} % of its limit"


def _body(workspace: Workspace, now_at: Burn) -> str:
    def money(amount: Decimal) -> str:
        return formats.money(amount, workspace.currency)

    words = [
        f"{money(now_at.spent)} of {money(now_at.limit)} is spent in the {now_at.budget.period} "
        f"from {_day(now_at.starts_on)} to {_day(now_at.last_day)}."
    ]
    if now_at.projected is not None:
        words.append(f"If the days go on as they did, it will be {money(now_at.projected)} in the end.")
    if now_at.budget.mode == Budget.Mode.HARD:
        words.append("Calls that do not fit are refused.")
    return " ".join(words)


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
