"""What people with the right to manage budgets may write."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.costs import budgets, ledger_sums
from apps.costs.budgets import known, periods
from apps.costs.models import Budget, BudgetPeriod

HIGHEST = Decimal("10000000")
CENT_OF_A_CENT = Decimal("0.0001")
HIGHEST_THRESHOLD, MOST_THRESHOLDS = 1_000, 10


class BudgetRefused(DomainError):
    """The budget cannot stand as it is written."""


class BudgetNameTaken(Conflict):
    """Another budget of the workspace has that name."""


class BudgetEnded(Conflict):
    """The budget has ended; nothing changes it any more."""


@transaction.atomic
def create_budget(  # noqa: PLR0913  a budget has this many facts
    *,
    workspace: Workspace,
    name: str,
    conditions: Mapping[str, int | str],
    period: str,
    mode: str,
    limit_amount: Decimal,
    acting_user: User,
    thresholds: Sequence[int] = (50, 80, 100),
    forecast_thresholds: Sequence[int] = (100,),
    owner: User | None = None,
) -> Budget:
    """Set a limit on what the charges under all `conditions` may come to; the running period counts from its start.

    Raises BudgetRefused for a limit or threshold that makes no sense, BudgetNameTaken.
    """
    # One at a time, so that the second of two equal names is told in words; before the sums, as a move of zones has it.
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    ledger_sums.stand_still()
    today = periods.day_of(timezone.now(), workspace.zone)
    budget = Budget(
        workspace=workspace,
        period=Budget.Period(period),
        counted_from=periods.bounds(period, today)[0],
        **_conditions(conditions),
        **_terms(workspace, name, mode, limit_amount, thresholds, forecast_thresholds, owner),
    )
    if ledger_sums.countable_from(budget) > budget.counted_from:
        raise BudgetRefused(
            "Charges from the beginning of this period were let go, so what it has spent cannot be counted. "
            "Choose a shorter period, or limit the customer as a whole."
        )
    _refuse_taken_name(budget)
    budget.save(force_insert=True)
    ledger_sums.recount_budget(budget=budget)
    known.period_id(budget.pk, budget.period, today)
    _tell(budget, acting_user, "created a budget", None, _facts(budget), "")
    return budget


@transaction.atomic
def change_budget(  # noqa: PLR0913  a budget has this many facts
    *,
    budget: Budget,
    name: str,
    mode: str,
    limit_amount: Decimal,
    thresholds: Sequence[int],
    forecast_thresholds: Sequence[int],
    owner: User | None,
    acting_user: User,
    reason: str = "",
) -> Budget:
    """Change a budget's terms from now on, the running period's limit included; calls in flight keep their room.

    What it covers and its calendar stay: that would be another budget. Raises BudgetRefused, BudgetNameTaken and
    BudgetEnded.
    """
    Workspace.objects.select_for_update(no_key=True).get(pk=budget.workspace_id)
    found = _locked(budget)
    before = _facts(found)
    terms = _terms(found.workspace, name, mode, limit_amount, thresholds, forecast_thresholds, owner)
    for field, value in terms.items():
        setattr(found, field, value)
    _refuse_taken_name(found)
    found.save()
    today = periods.day_of(timezone.now(), found.workspace.zone)
    known.period_id(
        found.pk, found.period, today
    )  # made before the limit is copied to it, lest it be made with the old
    BudgetPeriod.objects.filter(budget=found, ends_on__gt=today).update(limit_amount=found.limit_amount)
    after = _facts(found)
    changed = [field for field in after if after[field] != before[field]]
    if changed:
        old, new = ({field: facts[field] for field in changed} for facts in (before, after))
        _tell(found, acting_user, "changed a budget", old, new, reason)
    return found


@transaction.atomic
def end_budget(*, budget: Budget, acting_user: User, reason: str = "") -> Budget:
    """Let a budget limit nothing any more; its periods stay to be read. Raises BudgetEnded."""
    found = _locked(budget)
    found.ended_at = timezone.now()
    found.save(update_fields=["ended_at"])
    _tell(found, acting_user, "ended a budget", None, None, reason)
    return found


def _locked(budget: Budget) -> Budget:
    found = Budget.objects.select_for_update(no_key=True, of=["self"]).select_related("workspace").get(pk=budget.pk)
    if found.ended_at:
        raise BudgetEnded(f"{found.name} has ended. Make another budget.")
    return found


def _conditions(conditions: Mapping[str, int | str]) -> dict[str, int | str]:
    unknown = set(conditions) - set(Budget.CONDITIONS)
    if unknown:
        raise BudgetRefused(f"A budget cannot ask for {', '.join(sorted(unknown))}.")
    for name, value in conditions.items():
        size = getattr(Budget._meta.get_field(name), "max_length", None)
        if isinstance(value, str) != bool(size) or (size and len(str(value)) > size):
            raise BudgetRefused(f"{name} cannot be {value!r}.")
    return dict(conditions)


def _terms(
    workspace: Workspace,
    name: str,
    mode: str,
    limit_amount: Decimal,
    thresholds: Sequence[int],
    forecast_thresholds: Sequence[int],
    owner: User | None,
) -> dict[str, Any]:
    cleaned = " ".join(text.clean(name, field="The name").split())
    if not cleaned or len(cleaned) > 120:
        raise BudgetRefused("The name needs between 1 and 120 characters.")
    if owner and not workspace.memberships.filter(user=owner).exists():
        raise BudgetRefused(f"{owner} is no member of {workspace.name}.")
    return {
        "name": cleaned,
        "mode": Budget.Mode(mode),
        "limit_amount": _limit(limit_amount),
        "thresholds": _shares(thresholds),
        "forecast_thresholds": _shares(forecast_thresholds),
        "owner": owner,
    }


def _shares(thresholds: Sequence[int]) -> list[int]:
    wanted = sorted(set(thresholds))
    if len(wanted) > MOST_THRESHOLDS or not all(1 <= share <= HIGHEST_THRESHOLD for share in wanted):
        raise BudgetRefused("Warnings come at up to ten shares of the limit, each between 1 % and 1,000 %.")
    return wanted


def _limit(limit_amount: Decimal) -> Decimal:
    try:
        exact = limit_amount.quantize(CENT_OF_A_CENT)
    except InvalidOperation:
        exact = None
    if exact is None or exact != limit_amount or not 0 <= exact <= HIGHEST:
        raise BudgetRefused("A limit lies between 0 and 10,000,000, with at most four decimals.")
    return exact


def _refuse_taken_name(budget: Budget) -> None:
    if Budget.objects.live().filter(workspace=budget.workspace_id, name=budget.name).exclude(pk=budget.pk).exists():
        raise BudgetNameTaken(f"There is a budget called {budget.name} already.")


def _tell(
    budget: Budget,
    actor: User,
    verb: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    reason: str,
) -> None:
    budgets.forget(budget.workspace_id)
    transaction.on_commit(lambda: budgets.forget(budget.workspace_id))
    audit.record(
        workspace=budget.workspace,
        actor=actor,
        verb=verb,
        target=budget,
        before=before,
        after=after,
        reason=text.clean(reason, field="The reason").strip(),
    )


def _facts(budget: Budget) -> dict[str, Any]:
    return {
        "name": budget.name,
        "limit": format(budget.limit_amount.normalize(), "f"),
        "mode": str(budget.mode),
        "period": str(budget.period),
        "covers": known.conditions_of(budget),
        "thresholds": list(budget.thresholds),
        "forecast_thresholds": list(budget.forecast_thresholds),
        "owner": str(budget.owner or ""),
    }
