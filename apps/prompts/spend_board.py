"""What waits for those who manage budgets: forecasts over a limit, in names and numbers alone."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils import timezone

from apps.accounts.models import Membership, Workspace
from apps.accounts.rights import Right
from apps.prompts import evidence
from apps.prompts.models import ChangeRequest, Check, SpendApproval
from apps.prompts.models.changes import ChangeRequestQuerySet


@dataclass(frozen=True)
class Wanted:
    """A request whose forecast is over its environment's limit, and what was decided about it last."""

    request: ChangeRequest
    check: Check
    team: str
    newest: SpendApproval | None

    @property
    def evidence(self) -> dict[str, Any]:
        return dict(self.check.evidence)

    @property
    def before(self) -> Decimal | None:
        return _amount(self.evidence.get("before"))

    @property
    def after(self) -> Decimal | None:
        return _amount(self.evidence.get("after"))

    @property
    def increase(self) -> Decimal | None:
        return _amount(self.evidence.get("increase"))

    @property
    def items(self) -> "list[Line]":
        return [_line(item) for item in self.evidence.get("items", [])]

    @property
    def names(self) -> str:
        return ", ".join(item.prompt for item in self.items)

    @property
    def is_decided(self) -> bool:
        """Tell whether the last word covers this forecast."""
        if self.newest is None or self.newest.content_hash != self.check.content_hash:
            return False
        if self.newest.decision == SpendApproval.Decision.DECLINE:
            return True
        return evidence.covers(self.newest, evidence.increase_of(self.check))


@dataclass(frozen=True)
class Line:
    """One prompt of a forecast, as numbers again."""

    prompt: str
    version_before: int | None
    version_after: int
    model_before: str
    model_after: str
    calls: int
    days: int
    per_call_before: Decimal | None
    per_call_after: Decimal | None
    month_before: Decimal | None
    month_after: Decimal | None
    basis: str
    teams: list[str]


def _line(item: dict[str, Any]) -> Line:
    before, after = item["before"], item["after"]
    return Line(
        prompt=item["prompt"],
        version_before=before["version"],
        version_after=after["version"],
        model_before=before["model"] or "",
        model_after=after["model"],
        calls=item["calls"],
        days=item["days"],
        per_call_before=_amount(item["per_call_before"]),
        per_call_after=_amount(item["per_call_after"]),
        month_before=_amount(item["month_before"]),
        month_after=_amount(item["month_after"]),
        basis=item["basis"],
        teams=item["teams"],
    )


def _amount(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _asking(workspace: Workspace) -> ChangeRequestQuerySet:
    over = Check.objects.filter(change_request=OuterRef("pk"), name=evidence.SPEND, evidence__over=True)
    return ChangeRequest.objects.filter(Exists(over), workspace=workspace).waiting()


def waiting_for(membership: Membership) -> "QuerySet[Check]":
    """Return the forecasts that wait for a decision; none for members who may not decide."""
    if not membership.may(Right.MANAGE_BUDGETS):
        return Check.objects.none()
    decided = SpendApproval.objects.filter(
        Q(decision=SpendApproval.Decision.DECLINE) | Q(increase__gte=OuterRef("covered_by")),
        change_request=OuterRef("change_request"),
        content_hash=OuterRef("content_hash"),
    )
    increase = Cast(KeyTextTransform("increase", "evidence"), DecimalField(max_digits=30, decimal_places=12))
    over = Check.objects.annotate(covered_by=increase / evidence.COVERS).filter(
        ~Exists(decided), name=evidence.SPEND, evidence__over=True
    )
    waiting = over.filter(change_request__in=_asking(membership.workspace))
    return waiting.filter(change_request__environment__policy__checks__contains=evidence.SPEND)


def wanted_of(workspace: Workspace) -> list[Wanted]:
    """Return the forecasts over a limit whose requests wait, those without a decision first."""
    requests = _asking(workspace).select_related("environment", "author").newest_first()
    rows = list(requests.prefetch_related("checks", "spend_approvals__decided_by")[:200])
    teams = _teams(workspace, {row.author_id for row in rows})
    found = [_wanted(row, teams.get(row.author_id, "")) for row in rows]
    return sorted(found, key=lambda one: one.is_decided)


def find(workspace: Workspace, number: int) -> Wanted | None:
    """Return the forecast of one request, whatever became of it; None when it has none over a limit."""
    rows = ChangeRequest.objects.filter(workspace=workspace, number=number).select_related(
        "environment", "author", "workspace"
    )
    row = rows.prefetch_related("checks", "spend_approvals__decided_by").first()
    if row is None or not any(check.name == evidence.SPEND for check in row.checks.all()):
        return None
    return _wanted(row, _teams(workspace, {row.author_id}).get(row.author_id, ""))


REFRESH_AFTER = timedelta(hours=20)


def outdated() -> list[ChangeRequest]:
    """Return the requests whose environment asks for a forecast and that have none or an old one."""
    fresh = Check.objects.filter(
        change_request=OuterRef("pk"), name=evidence.SPEND, reported_at__gt=timezone.now() - REFRESH_AFTER
    )
    waiting = ChangeRequest.objects.waiting().filter(~Exists(fresh))
    return list(waiting.filter(environment__policy__checks__contains=evidence.SPEND).order_by("pk"))


def _wanted(row: ChangeRequest, team: str) -> Wanted:
    check = next(check for check in row.checks.all() if check.name == evidence.SPEND)
    newest = max(row.spend_approvals.all(), key=lambda one: one.pk, default=None)
    return Wanted(row, check, team, newest)


def _teams(workspace: Workspace, users: set[int]) -> dict[int, str]:
    members = workspace.memberships.filter(user__in=users).select_related("team")
    return {member.user_id: member.team.name for member in members if member.team}
