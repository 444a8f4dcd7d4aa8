"""The check Spend, which this room writes itself, and what those who manage budgets say to it."""

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, User
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices import actions as notices
from apps.prompts import spend_forecast
from apps.prompts.actions import gate, steps
from apps.prompts.actions.reviewing import report_check
from apps.prompts.evidence import SPEND, covers, increase_of, over_limit
from apps.prompts.links import change_request_url
from apps.prompts.models import ChangeRequest, Check, SpendApproval


def approval_url(request: ChangeRequest) -> str:
    slug = request.workspace.slug
    return reverse("spend_approval", kwargs={"workspace": slug, "number": request.number})


@transaction.atomic
def refresh_spend_check(*, change_request: ChangeRequest) -> Check | None:
    """Forecast what a request costs by the traffic of the last days and report the check; None where it is not asked.

    Over the environment's limit those who manage budgets are told, once for each content and forecast.
    """
    request = gate.locked(change_request)
    if SPEND not in request.environment.rules.checks or not request.is_waiting:
        return None
    before = next((check for check in request.checks.all() if check.name == SPEND), None)
    forecast = spend_forecast.of_request(request, timezone.now())
    check = report_check(
        change_request=request,
        name=SPEND,
        status=forecast.status,
        summary=forecast.summary,
        evidence=forecast.evidence(),
        url=approval_url(request),
    )
    if check and forecast.over and _approved(request, check) is None and not _was_waiting(request, before, check):
        _tell_finance(request, forecast.summary)
    return check


def _was_waiting(request: ChangeRequest, before: Check | None, check: Check) -> bool:
    """Tell whether finance was told already: the forecast before was about the same content and waited as well."""
    if before is None or before.content_hash != check.content_hash:
        return False
    return over_limit(before, request.environment.rules) and _approved(request, before) is None


def _approved(request: ChangeRequest, check: Check) -> SpendApproval | None:
    decisions = [one for one in request.spend_approvals.all() if one.content_hash == check.content_hash]
    newest = max(decisions, key=lambda one: one.pk, default=None)
    good = newest is not None and newest.decision == SpendApproval.Decision.APPROVE
    return newest if good and newest is not None and covers(newest, increase_of(check)) else None


def _tell_finance(request: ChangeRequest, summary: str) -> None:
    """Names and numbers only: who reads this may not see what the prompt says."""
    members = Membership.objects.filter(workspace=request.workspace, user__is_active=True).select_related("user")
    names = ", ".join(item.prompt.name for item in request.items.all())
    notices.notify(
        users=[member.user for member in members.with_right(Right.MANAGE_BUDGETS)],
        workspace=request.workspace,
        kind="spend_approval_wanted",
        title=f"Spend approval wanted: {summary}",
        body=f"Request #{request.number} by {request.author}: {names} to {request.environment.name}.",
        url=approval_url(request),
    )


@transaction.atomic
def decide_spend(
    *, change_request: ChangeRequest, decision: str, report_hash: str, reason: str = "", acting_user: User
) -> SpendApproval:
    """Approve or decline the forecast of exactly this content. The caller has asked for the right to manage budgets.

    Raises NotAllowed for one's own request where the environment forbids it, Conflict when the forecast or what is
    asked for changed, and DomainError for a decline without a reason or where nothing waits.
    """
    request = gate.locked(change_request)
    steps.require_waiting(request)
    _require_budget_holder(request, acting_user)
    reason = text.clean(reason, field="The reason", max_bytes=4_000).strip()
    if decision not in SpendApproval.Decision.values:
        raise DomainError("Choose approve or decline.")
    if decision == SpendApproval.Decision.DECLINE and not reason:
        raise DomainError("Say why not: the author reads it.")
    check = next((one for one in request.checks.all() if one.name == SPEND), None)
    increase = increase_of(check) if check else None
    if check is None or increase is None or not over_limit(check, request.environment.rules):
        raise DomainError("Nothing here waits for a spend approval.")
    if check.report_hash != report_hash:
        raise Conflict("The forecast changed while you read it. Look at the new one.")
    made = SpendApproval.objects.create(
        change_request=request,
        decision=SpendApproval.Decision(decision),
        content_hash=check.content_hash,
        increase=increase,
        currency=str(check.evidence.get("currency", request.workspace.currency)),
        decided_by=acting_user,
        reason=reason,
    )
    steps.settle(request, by=acting_user)
    _tell_author(request, made)
    after = {"decision": decision, "increase": f"{made.increase:f}", "content_hash": made.content_hash}
    audit.record(
        workspace=request.workspace,
        actor=acting_user,
        verb="decided the spend of",
        target=request,
        after=after,
        reason=reason,
    )
    return made


def _require_budget_holder(request: ChangeRequest, user: User) -> None:
    member = Membership.objects.filter(workspace=request.workspace_id, user=user).first()
    if member is None or not member.may(Right.MANAGE_BUDGETS):
        raise NotAllowed("Spend is approved by those who manage budgets.")
    if not request.environment.allows_self_approval and user.pk in request.author_ids:
        raise NotAllowed("You wrote or asked for this. Somebody else has to approve what it costs.")


def _tell_author(request: ChangeRequest, made: SpendApproval) -> None:
    if request.author_id != made.decided_by_id:
        notices.notify(
            users=[request.author],
            workspace=request.workspace,
            kind="spend_decided",
            title=f"{made.decided_by} {made.get_decision_display().lower()} the spend of {request.title}",
            body=made.reason,
            url=change_request_url(request),
        )
