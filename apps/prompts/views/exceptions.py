"""The ways round: a failure let pass, an emergency, and the look back it owes."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, exception_words
from apps.prompts.models import ChangeRequest, FollowUp


def _find(request: HttpRequest, number: int) -> ChangeRequest:
    rows = request.workspace.change_requests.opened().select_related("environment", "workspace")
    return get_object_or_404(rows, number=number)


def _back(request: HttpRequest, number: int) -> HttpResponse:
    return redirect("change_request_detail", workspace=request.workspace.slug, number=number)


@require_GET
@requires(Right.VIEW)
def change_request_exceptions(request: HttpRequest, number: int) -> HttpResponse:
    """Show what may be let pass, what was, and the emergency, for the page of a request to host."""
    found = _find(request, number)
    context = exception_words.of(found, request.membership)
    return page(request, "prompts/_exceptions.html", {"change_request": found, **context})


@require_POST
@requires(Right.PROMOTE)
def check_accept(request: HttpRequest, number: int) -> HttpResponse:
    name = request.POST.get("name", "")
    actions.accept_failure(
        change_request=_find(request, number),
        name=name,
        report_hash=request.POST.get("report_hash", ""),
        reason=request.POST.get("reason", ""),
        acting_user=request.user,
    )
    messages.success(request, f"{name} may pass. Your name and your reason stand beside it.")
    return _back(request, number)


@require_POST
@requires(Right.EDIT, Right.MANAGE_BUDGETS)
def spend_refresh(request: HttpRequest, number: int) -> HttpResponse:
    check = actions.refresh_spend_check(change_request=_find(request, number))
    if check:
        messages.success(request, f"Spend: {check.summary}")
    may_view = request.membership.may(Right.VIEW)
    return _back(request, number) if may_view else redirect("spend_approval_list", workspace=request.workspace.slug)


@require_POST
@requires(Right.BYPASS)
def promote_in_emergency(request: HttpRequest, number: int) -> HttpResponse:
    found = _find(request, number)
    actions.promote_in_emergency(
        change_request=found,
        typed=request.POST.get("typed", ""),
        content_hash=request.POST.get("content_hash", ""),
        reason=request.POST.get("reason", ""),
        acting_user=request.user,
    )
    messages.warning(request, f"Live in {found.environment.name}, in an emergency. Reviewers and admins were told.")
    return _back(request, number)


@require_POST
@requires(Right.REVIEW)
def follow_up_close(request: HttpRequest, number: int) -> HttpResponse:
    follow_up = get_object_or_404(
        FollowUp.objects.select_related("change_request__workspace", "opened_by"), change_request=_find(request, number)
    )
    actions.close_follow_up(
        follow_up=follow_up,
        verdict=request.POST.get("verdict", ""),
        note=request.POST.get("note", ""),
        acting_user=request.user,
    )
    messages.success(request, "Noted. Whoever promoted it was told.")
    return _back(request, number)


@require_GET
@requires(Right.VIEW)
def follow_up_list(request: HttpRequest) -> HttpResponse:
    """Show what was promoted in an emergency, what nobody looked back at first."""
    rows = FollowUp.objects.filter(change_request__workspace=request.workspace).loaded()
    now = timezone.now()
    context = {
        "open": [(one, one.is_overdue(now)) for one in rows.open().order_by("due_at", "id")[:100]],
        "closed": rows.exclude(closed_at=None).order_by("-closed_at", "-id")[:100],
    }
    return page(request, "prompts/follow_up_list.html", context)
