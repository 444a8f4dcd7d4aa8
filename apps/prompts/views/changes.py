"""Change requests: one page like a good code review."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import spend
from apps.costs.models import Purpose
from apps.prompts import actions, boards, diffs
from apps.prompts.forms import ChangeRequestForm, ReviewForm
from apps.prompts.models import ChangeRequest, Dossier
from apps.prompts.views.prompts import find, frame
from apps.prompts.views.versions import find_version


def find_request(request: HttpRequest, number: int) -> ChangeRequest:
    """Return the workspace's change request of that number, loaded, or raise Http404."""
    return get_object_or_404(boards.loaded(request.workspace.change_requests.all()), number=number)


@require_GET
@requires(Right.VIEW)
def change_request_list(request: HttpRequest) -> HttpResponse:
    closed = request.workspace.change_requests.exclude(state__in=ChangeRequest.WAITING)
    context = {
        "waiting": boards.waiting_requests(request.membership, limit=100),
        "closed": closed.select_related("environment", "author")
        .prefetch_related("items__prompt", "items__version")
        .order_by("-closed_at", "-id")[:100],
    }
    return page(request, "prompts/change_request_list.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def change_request_new(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    top = request.workspace.environments.ranked().last()
    initial = {"environment": top, "version": prompt.versions.filter(number=_asked(request)).first()}
    form = ChangeRequestForm(request.POST or None, prompt=prompt, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.open_change_request(acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("change_request_detail", workspace=request.workspace.slug, number=made.number)
    status = 422 if request.method == "POST" else 200
    context = {
        "form": form,
        "waiting": boards.waiting_requests(request.membership, prompt=prompt),
        "environments": boards.environments_of(request.workspace),
        **frame(request, prompt, ""),
    }
    return page(request, "prompts/change_request_new.html", context, status=status)


def _asked(request: HttpRequest) -> int:
    return text.whole_number(request.GET.get("version", "")) or 0


@require_GET
@requires(Right.VIEW)
def change_request_detail(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    response = page(request, "prompts/change_request_detail.html", _context(request, found), fragment="standing")
    if request.htmx:
        # The evidence cards come from other rooms: they look again when the strip does.
        response["HX-Trigger"] = "galley:evidence"
    return response


def _context(request: HttpRequest, found: ChangeRequest) -> dict[str, Any]:
    standing = boards.standing_of(found)
    sentence, mine = boards.turn(found, standing, request.membership)
    items = [_item(request, item) for item in found.items.all()]
    user = request.user
    return {
        "change_request": found,
        "standing": standing,
        "sentence": sentence,
        "mine": mine,
        "items": items,
        "comments": found.comments.select_related("author").order_by("id"),
        "decisions": sorted(found.approvals.all(), key=lambda approval: approval.pk),
        "may_review": found.is_waiting and request.membership.may(Right.REVIEW),
        "own_work": not found.environment.allows_self_approval and user.pk in found.author_ids,
        "may_promote": found.is_waiting and request.membership.may_promote(found.environment.name),
        "may_edit": request.membership.may(Right.EDIT),
        "may_withdraw": found.is_waiting and found.author_id == user.pk,
        "is_running": any(check.check and check.check.status == "pending" for check in standing.checks),
        "has_dossier": hasattr(found, "dossier"),
    }


def _item(request: HttpRequest, item: Any) -> dict[str, Any]:
    """Collect the diff against live, the newer version if there is one, and what both cost per call."""
    before = item.base.version if item.base else None
    by_purpose = {
        purpose: spend.by_version(request.workspace.pk, item.prompt_id, purpose)
        for purpose in (Purpose.PRODUCTION, Purpose.EVALUATION)
    }
    newest = item.prompt.versions.newest_first().first()
    return {
        "item": item,
        "before": before,
        "diff": diffs.between(before, item.version),
        "newer": newest if newest.number > item.version.number else None,
        "money": [
            {
                "label": purpose.label,
                "before": spent.get(before.pk) if before else None,
                "after": spent.get(item.version_id),
            }
            for purpose, spent in by_purpose.items()
        ],
    }


@require_POST
@requires(Right.REVIEW)
def change_request_review(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        raise DomainError("Choose approve, ask for changes or reject.")
    approval = actions.review_change_request(change_request=found, acting_user=request.user, **form.cleaned_data)
    messages.success(request, f"Noted: {approval.get_decision_display().lower()}.")
    return redirect("change_request_detail", workspace=request.workspace.slug, number=number)


@require_POST
@requires(Right.VIEW)
def change_request_comment(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    actions.comment_on_change_request(
        change_request=found, remark=request.POST.get("text", ""), acting_user=request.user
    )
    return redirect("change_request_detail", workspace=request.workspace.slug, number=number)


@require_POST
@requires(Right.EDIT)
def change_request_replace(request: HttpRequest, number: int) -> HttpResponse:
    """Ask for another version, or for the same one against what is live now."""
    found = find_request(request, number)
    wanted = request.POST.get("version", "")
    item = next(iter(found.items.all()))
    version = find_version(item.prompt, text.whole_number(wanted) or item.version.number)
    actions.replace_version(change_request=found, version=version, acting_user=request.user)
    messages.success(request, f"The request now asks for version {version.number}. Its checks run again.")
    return redirect("change_request_detail", workspace=request.workspace.slug, number=number)


@require_POST
@requires(Right.PROMOTE)
def change_request_promote(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    actions.promote_change_request(
        change_request=found, acting_user=request.user, reason=request.POST.get("reason", "")
    )
    messages.success(request, f"Live in {found.environment.name}.")
    return redirect("change_request_detail", workspace=request.workspace.slug, number=number)


@require_POST
@requires(Right.EDIT)
def change_request_withdraw(request: HttpRequest, number: int) -> HttpResponse:
    actions.withdraw_change_request(change_request=find_request(request, number), acting_user=request.user)
    messages.success(request, "The request is withdrawn.")
    return redirect("change_request_detail", workspace=request.workspace.slug, number=number)


@require_GET
@requires(Right.VIEW)
def change_request_dossier(request: HttpRequest, number: int) -> HttpResponse:
    found = get_object_or_404(request.workspace.change_requests.select_related("dossier"), number=number)
    dossier = get_object_or_404(Dossier, change_request=found)
    return page(request, "prompts/change_request_dossier.html", {"change_request": found, "dossier": dossier})
