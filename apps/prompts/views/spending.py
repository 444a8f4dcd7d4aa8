"""Approving what a change will cost: names and numbers, nothing of what a prompt says."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, spend_board
from apps.prompts.spend_board import Wanted


def _find(request: HttpRequest, number: int) -> Wanted:
    found = spend_board.find(request.workspace, number)
    if found is None:
        raise Http404
    return found


@require_GET
@requires(Right.MANAGE_BUDGETS)
def spend_approval_list(request: HttpRequest) -> HttpResponse:
    wanted = spend_board.wanted_of(request.workspace)
    context = {
        "waiting": [one for one in wanted if not one.is_decided],
        "decided": [one for one in wanted if one.is_decided],
    }
    return page(request, "prompts/spend_approval_list.html", context)


@require_GET
@requires(Right.MANAGE_BUDGETS)
def spend_approval(request: HttpRequest, number: int) -> HttpResponse:
    found = _find(request, number)
    change_request = found.request
    barred = not change_request.environment.allows_self_approval and request.user.pk in change_request.author_ids
    context = {
        "wanted": found,
        "decisions": sorted(change_request.spend_approvals.all(), key=lambda one: -one.pk),
        "may_decide": change_request.is_waiting and bool(found.evidence.get("over")) and not barred,
        "own": barred,
        "may_view": request.membership.may(Right.VIEW),
    }
    return page(request, "prompts/spend_approval.html", context)


@require_POST
@requires(Right.MANAGE_BUDGETS)
def spend_decide(request: HttpRequest, number: int) -> HttpResponse:
    found = _find(request, number)
    made = actions.decide_spend(
        change_request=found.request,
        decision=request.POST.get("decision", ""),
        report_hash=request.POST.get("report_hash", ""),
        reason=request.POST.get("reason", ""),
        acting_user=request.user,
    )
    messages.success(request, f"Noted: {made.get_decision_display().lower()}.")
    return redirect("spend_approval_list", workspace=request.workspace.slug)
