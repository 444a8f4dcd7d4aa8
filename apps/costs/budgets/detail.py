"""One budget in full: its running period by day, what is held, the periods before, and what was done to it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Min, Q, Sum

from apps.accounts.models import AuditEvent, Workspace
from apps.core import charts, formats
from apps.costs.budgets import burn, daily, periods
from apps.costs.budgets.burn import Burn
from apps.costs.budgets.daily import Daily
from apps.costs.budgets.known import conditions_of
from apps.costs.models import Budget, BudgetAlert, BudgetPeriod, Reservation

ZERO = Decimal(0)
EARLIER = 12
CHANGES = 50
KIND = "costs.budget"
FACTS = {
    "name": "Name",
    "limit": "Limit",
    "mode": "When it is used up",
    "thresholds": "Warnings",
    "forecast_thresholds": "Warnings of the forecast",
    "owner": "Owner",
}


@dataclass(frozen=True)
class Held:
    """What is held of a period: by calls in flight, and by answers that nothing could price yet."""

    count: int
    amount: Decimal
    since: datetime | None
    unpriced: int


@dataclass(frozen=True)
class Change:
    """One thing that was done to the budget: who, when, what, and why."""

    event: AuditEvent
    words: list[str]


def running(workspace: Workspace, budget: Budget, now: datetime) -> Burn:
    """Return the running period with the cost of each of its days."""
    found = burn.of(workspace, [budget], now)[budget.pk]
    (found.days,) = daily.of_conditions(
        [conditions_of(budget)], workspace.pk, workspace.zone, found.starts_on, found.last_day
    )
    return found


def held(found: Burn) -> Held:
    """Return what is held in the period by calls that have not been booked yet, or have no price yet."""
    rows = Reservation.objects.filter(
        state__in=Reservation.HOLDING,
        period_ids__overlap=list(
            BudgetPeriod.objects.filter(budget=found.budget, starts_on=found.starts_on).values_list("pk", flat=True)
        ),
    )
    in_flight = Q(state=Reservation.State.OPEN)
    sums = rows.aggregate(
        count=Count("id", filter=in_flight),
        amount=Sum("amount", default=ZERO),
        since=Min("created_at", filter=in_flight),
        unpriced=Count("id", filter=~in_flight),
    )
    return Held(**sums)


def ended(workspace: Workspace) -> list[Budget]:
    """Return the budgets that limit nothing any more, newest first."""
    return list(workspace.budgets.exclude(ended_at=None).order_by("-ended_at", "-pk")[:EARLIER])


def earlier(budget: Budget, before: date) -> list[Burn]:
    """Return the periods that are over, newest first."""
    rows = (
        BudgetPeriod.objects.filter(budget=budget, starts_on__lt=before).select_related("budget").order_by("-starts_on")
    )
    return [burn.of_period(row) for row in rows[:EARLIER]]


def alerts(budget: Budget) -> list[BudgetAlert]:
    """Return what owners and finance were told, newest first."""
    rows = BudgetAlert.objects.filter(budget_period__budget=budget).select_related("budget_period")
    return list(rows.order_by("-at", "-pk")[:CHANGES])


def changes(workspace: Workspace, budget: Budget) -> list[Change]:
    """Return what the audit log says of the budget, newest first."""
    rows = workspace.audit_events.filter(target_type=KIND, target_id=str(budget.pk))
    return [Change(event, _words(event, workspace.currency)) for event in rows.newest_first()[:CHANGES]]


def _words(event: AuditEvent, currency: str) -> list[str]:
    before, after = event.before or {}, event.after or {}
    if not before:
        return []
    shown = [(label, before.get(name), after.get(name), name) for name, label in FACTS.items() if name in after]
    return [f"{label}: {_fact(name, old, currency)} → {_fact(name, new, currency)}" for label, old, new, name in shown]


def _fact(name: str, value: Any, currency: str) -> str:
    if name == "limit":
        return formats.money(Decimal(value), currency)
    if name == "mode":
        return str(Budget.Mode(value).label)
    if name in ("thresholds", "forecast_thresholds"):
        return ", ".join(f"{share} %" for share in value) or "none"
    return str(value) or "nobody"


def figure(found: Burn, today: date, currency: str) -> tuple[charts.Figure, list[dict[str, Any]], list[list[str]]]:
    """Return the period by day against the even pace that ends at the limit, and the table behind it."""
    days = [found.starts_on + timedelta(days=n) for n in range((found.ends_on - found.starts_on).days)]
    spent = _running_total(found.days, days, today)
    pace = [found.limit * (place + 1) / len(days) for place in range(len(days))]
    expected = _expected(found, days, spent, today)
    series: dict[str, list[Decimal | None]] = {"Spent": spent, "Even pace": [*pace]}
    if expected:
        series["Expected"] = expected
    drawn = charts.over_time(
        [day.isoformat() for day in days], series, tones={"Even pace": "idle", "Expected": "warn", "Spent": "active"}
    )
    prefix = formats.SYMBOLS.get(currency, f"{currency} ")
    drawn["layout"]["xaxis"] |= {"hoverformat": "%a %-d %b %Y", "tickformat": "%-d %b"}
    drawn["layout"]["yaxis"] |= {"tickprefix": prefix}
    for trace in drawn["data"]:
        trace["hovertemplate"] = f"%{{fullData.name}}: {prefix}%{{y:,.4~f}}<extra></extra>"
    columns = [{"label": "Day"}] + [{"label": name, "numeric": True} for name in ("Cost", "Spent so far", "Even pace")]
    rows = [
        [
            f"{day:%a} {day.day} {day:%b}",
            formats.exact_money(found.days.get(day, ZERO), currency),
            formats.exact_money(total, currency),
            formats.money(even, currency),
        ]
        for day, total, even in zip(days, spent, pace, strict=True)
        if total is not None
    ]
    return drawn, columns, rows


def _running_total(costs: Daily, days: list[date], today: date) -> list[Decimal | None]:
    """Return what was spent up to each day; nothing for days to come."""
    total, found = ZERO, list[Decimal | None]()
    for day in days:
        total += costs.get(day, ZERO)
        found.append(total if day <= today else None)
    return found


def _expected(found: Burn, days: list[date], spent: list[Decimal | None], today: date) -> list[Decimal | None]:
    """Return a straight line from today to the expected end."""
    if found.projected is None or today not in days or days[-1] == today:
        return []
    place = days.index(today)
    start, step = spent[place] or ZERO, len(days) - 1 - place
    rise = (found.projected - start) / step
    return [None if number < place else start + rise * (number - place) for number in range(len(days))]


def today_of(workspace: Workspace, now: datetime) -> date:
    return periods.day_of(now, workspace.zone)
