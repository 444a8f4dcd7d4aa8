"""The hard budgets of a workspace, remembered for a moment in each process: every call asks, most are covered by none."""

import time
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection

from apps.accounts.models import Workspace
from apps.costs.budgets import periods
from apps.costs.models import Budget

SEEN_WITHIN = 1.0  # seconds until every process follows a change
FRESH = 0.1  # how old what we remember may be for a refusal to stand on it
REMEMBERED = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a call is, as far as budgets ask: ids (None is nobody) and names as its charge will have them."""

    provider: str
    model: str
    purpose: str
    team_id: int | None = None
    api_key_id: int | None = None
    prompt_id: int | None = None
    version_id: int | None = None
    environment: str = ""
    customer: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HardBudget:
    """What deciding on a call needs of a budget, and what a refusal says of it."""

    id: int
    name: str
    owner: str
    period: str
    counted_from: date
    conditions: tuple[tuple[str, int | str], ...]

    def covers(self, facts: Facts) -> bool:
        """Tell whether all conditions hold; an id of 0 asks for nobody."""
        return all((getattr(facts, name) or _nothing(wanted)) == wanted for name, wanted in self.conditions)


def _nothing(wanted: int | str) -> int | str:
    return 0 if isinstance(wanted, int) else ""


@dataclass(frozen=True, slots=True)
class Known:
    """A workspace's hard budgets as they were when we looked."""

    looked_at: float
    zone: ZoneInfo
    currency: str
    budgets: tuple[HardBudget, ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """The budgets that cover a call, by the id of their period, and whether we have only just looked."""

    budgets: dict[int, HardBudget]
    zone: ZoneInfo
    currency: str
    is_fresh: bool = field(compare=False)


_known: dict[int, Known] = {}
_period_ids: dict[tuple[int, date], int] = {}

# Nothing was booked in a period without a row: the ledger makes it with the first charge.
_OPEN = """
INSERT INTO costs_budgetperiod (budget_id, starts_on, ends_on, limit_amount, spent, reserved)
SELECT id, %s, %s, limit_amount, 0, 0 FROM costs_budget WHERE id = %s ON CONFLICT (budget_id, starts_on) DO NOTHING
"""
_FIND = "SELECT id FROM costs_budgetperiod WHERE budget_id = %s AND starts_on = %s"


def covering(workspace_id: int, facts: Facts, at: datetime) -> Cover | None:
    """Return the hard budgets that cover a call of that moment, or None."""
    known = _of(workspace_id)
    if not known.budgets:
        return None
    day = periods.day_of(at, known.zone)
    budgets = [budget for budget in known.budgets if day >= budget.counted_from and budget.covers(facts)]
    if not budgets:
        return None
    by_period = {period_id(budget.id, budget.period, day): budget for budget in budgets}
    return Cover(by_period, known.zone, known.currency, time.monotonic() - known.looked_at < FRESH)


def period_id(budget_id: int, period: str, day: date) -> int:
    """Return the id of the budget's period that holds the day, making its row when it has none yet."""
    starts_on, ends_on = periods.bounds(period, day)
    found = _period_ids.get((budget_id, starts_on))
    if found is None:
        found = _opened(budget_id, starts_on, ends_on)
        if len(_period_ids) >= REMEMBERED:
            _period_ids.clear()
        if not connection.in_atomic_block:  # what may yet be rolled back is not remembered
            _period_ids[budget_id, starts_on] = found
    return found


def _opened(budget_id: int, starts_on: date, ends_on: date) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [budget_id, starts_on])
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_OPEN, [starts_on, ends_on, budget_id])
            cursor.execute(_FIND, [budget_id, starts_on])
            row = cursor.fetchone()
    return int(row[0])


def _of(workspace_id: int) -> Known:
    now = time.monotonic()
    remembered = _known.get(workspace_id)
    if remembered and now - remembered.looked_at < SEEN_WITHIN:
        return remembered
    if len(_known) >= REMEMBERED:
        _known.clear()
    _known[workspace_id] = found = _read(workspace_id, now)
    return found


def _read(workspace_id: int, now: float) -> Known:
    rows = Budget.objects.live().filter(workspace_id=workspace_id, mode=Budget.Mode.HARD)
    budgets = tuple(_budget(row) for row in rows.select_related("owner").order_by("pk"))
    if not budgets:
        return Known(now, ZoneInfo("UTC"), "", ())
    workspace = Workspace.objects.get(pk=workspace_id)
    return Known(now, workspace.zone, workspace.currency, budgets)


def _budget(row: Budget) -> HardBudget:
    return HardBudget(
        id=row.pk,
        name=row.name,
        owner=str(row.owner or ""),
        period=row.period,
        counted_from=row.counted_from,
        conditions=tuple(conditions_of(row).items()),
    )


def conditions_of(budget: Budget) -> dict[str, int | str]:
    """Return what a budget asks of the charges that it covers, by the name of the fact; nothing for a budget of all."""
    return {name: value for name in Budget.CONDITIONS if (value := getattr(budget, name)) is not None}


def forget(workspace_id: int | None = None) -> None:
    """Drop what this process remembers of a workspace's budgets, or of all."""
    if workspace_id is None:
        _known.clear()
        _period_ids.clear()
    else:
        _known.pop(workspace_id, None)
