"""Deciding about a change request: review, promotion now or later, undo, and the record of it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.formats import date_format
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, dossiers
from apps.prompts.forms import ReviewForm
from apps.prompts.models import Dossier
from apps.prompts.request_forms import ScheduleForm
from apps.prompts.views.changes import find_request, to_request
from apps.prompts.views.deployments import read_reason


@require_POST
@requires(Right.REVIEW)
def change_request_review(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        raise DomainError("Choose approve, ask for changes or reject.")
    approval = actions.review_change_request(change_request=found, acting_user=request.user, **form.cleaned_data)
    messages.success(request, f"Noted: {approval.get_decision_display().lower()}.")
    return to_request(request, number)


@require_POST
@requires(Right.PROMOTE)
def change_request_promote(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    reason = str(read_reason(request)["reason"])
    actions.promote_change_request(change_request=found, actor=request.user, reason=reason)
    messages.success(request, f"Live in {found.environment.name}.")
    return to_request(request, number)


@require_POST
@requires(Right.PROMOTE)
def change_request_schedule(request: HttpRequest, number: int) -> HttpResponse:
    """Promote at a moment of the workspace's clock."""
    found = find_request(request, number)
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        raise DomainError("Choose a day and a time that the workspace's clock shows once.")
    made = actions.schedule_promotion(change_request=found, acting_user=request.user, **form.cleaned_data)
    when = date_format(timezone.localtime(made.scheduled_at), "j F Y, H:i")
    messages.success(request, f"It goes live on {when}, if nothing is missing then.")
    return to_request(request, number)


@require_POST
@requires(Right.EDIT, Right.PROMOTE)
def change_request_unschedule(request: HttpRequest, number: int) -> HttpResponse:
    actions.cancel_schedule(change_request=find_request(request, number), acting_user=request.user)
    messages.success(request, "It is off the schedule.")
    return to_request(request, number)


@require_POST
@requires(Right.PROMOTE)
def change_request_undo(request: HttpRequest, number: int) -> HttpResponse:
    """Take back all that the request put live, as one."""
    found = find_request(request, number)
    reason = str(read_reason(request)["reason"])
    made = actions.undo_release(change_request=found, reason=reason, acting_user=request.user)
    words = ", ".join(f"{one.prompt.name} v{one.version.number}" for one in made)
    messages.success(request, f"Live again in {found.environment.name}: {words}.")
    return to_request(request, number)


@require_GET
@requires(Right.VIEW)
def change_request_dossier(request: HttpRequest, number: int) -> HttpResponse:
    found = get_object_or_404(request.workspace.change_requests.select_related("dossier"), number=number)
    dossier = get_object_or_404(Dossier, change_request=found)
    context = {
        "change_request": found,
        "dossier": dossier,
        "holds": dossiers.digest(dossier.body) == dossier.hash,
    }
    return page(request, "prompts/change_request_dossier.html", context)
