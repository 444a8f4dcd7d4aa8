"""Change requests: the list, asking, and one page like a good code review."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, boards, discussion, policy, request_boards
from apps.prompts.models import ChangeRequest
from apps.prompts.request_forms import ChangeRequestForm, ScheduleForm, WordsForm
from apps.prompts.views.prompts import find, frame
from apps.prompts.views.versions import find_version

SHOWS = (("mine", "Waiting for you"), ("open", "Open"), ("scheduled", "Scheduled"), ("closed", "Closed"))


def find_request(request: HttpRequest, number: int) -> ChangeRequest:
    """Return the workspace's change request of that number, loaded, or raise Http404."""
    visible = request.workspace.change_requests.visible_to(request.user)
    return get_object_or_404(boards.loaded(visible), number=number)


def to_request(request: HttpRequest, number: int, place: str = "") -> HttpResponse:
    """Go back to the page of a request."""
    answer = redirect("change_request_detail", workspace=request.workspace.slug, number=number)
    answer["Location"] += place
    return answer


@require_GET
@requires(Right.VIEW)
def change_request_list(request: HttpRequest) -> HttpResponse:
    wanted = request_boards.Filter(
        show=request.GET.get("show", ""),
        environment=request.GET.get("environment", "")[:40],
        query=request.GET.get("q", "").strip()[:200],
    )
    lists = request_boards.lists(request.membership, wanted, request.GET.get("page"))
    show = wanted.show if wanted.show in dict(SHOWS) else ("mine" if lists.mine else "open")
    context = {
        "lists": lists,
        "rows": getattr(lists, show),
        "show": show,
        "wanted": wanted,
        "tabs": [_tab(name, label, lists, show, wanted) for name, label in SHOWS],
        "environments": boards.environments_of(request.workspace),
        "page_obj": lists.closed,
    }
    return page(request, "prompts/change_request_list.html", context, fragment="table")


def _tab(
    name: str, label: str, lists: request_boards.Lists, show: str, wanted: request_boards.Filter
) -> dict[str, object]:
    kept = {"show": name, "environment": wanted.environment, "q": wanted.query}
    query = urlencode({key: value for key, value in kept.items() if value})
    return {"label": label, "url": f"?{query}", "active": name == show, "count": lists.count(name)}


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def change_request_new(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    top = request.workspace.environments.ranked().last()
    initial = {"environment": top, "version": prompt.versions.filter(number=_asked(request)).first()}
    form = ChangeRequestForm(request.POST or None, prompt=prompt, membership=request.membership, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = _made(request, form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return to_request(request, made.number)
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


def _made(request: HttpRequest, words: dict[str, Any]) -> ChangeRequest:
    """Open the request, or keep it as a draft to put more prompts in."""
    if request.POST.get("op") != "draft":
        return actions.open_change_request(acting_user=request.user, **words)
    words.pop("replaces", None)
    return actions.start_change_request(versions=[words.pop("version")], acting_user=request.user, **words)


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
    talk = discussion.of(found)
    return {
        "change_request": found,
        "standing": standing,
        "sentence": sentence,
        "mine": mine,
        "items": [request_boards.item_card(item, talk) for item in found.items.all()],
        "talk": talk,
        "decisions": sorted(found.approvals.all(), key=lambda approval: approval.pk),
        "names": request_boards.people_to_name(request.membership),
        "is_running": any(check.check and check.check.status == "pending" for check in standing.checks),
        "has_dossier": hasattr(found, "dossier"),
        "schedule_form": ScheduleForm(initial={"at": found.scheduled_at or _thaw(found)}, auto_id="schedule_%s"),
        **_rights(request, found),
    }


def _rights(request: HttpRequest, found: ChangeRequest) -> dict[str, bool]:
    """Say what this member may do here now."""
    member, own = request.membership, found.author_id == request.user.pk
    promotes = found.environment.may_be_changed_by(member)
    return {
        "may_review": found.is_waiting and member.may(Right.REVIEW),
        "own_work": not found.environment.allows_self_approval and request.user.pk in found.author_ids,
        "may_promote": found.is_waiting and promotes,
        "may_edit": member.may(Right.EDIT),
        "may_change": found.is_collecting and member.may(Right.EDIT),
        "may_reword": own and (found.is_waiting or found.is_draft) and member.may(Right.EDIT),
        "may_withdraw": own and (found.is_waiting or found.is_draft) and member.may(Right.EDIT),
        "may_unschedule": found.is_scheduled and (own or promotes),
        "may_undo": request_boards.may_undo(found, member),
    }


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def change_request_edit(request: HttpRequest, number: int) -> HttpResponse:
    found = find_request(request, number)
    asked = [one.user_id for one in found.asked.all()]
    initial = {"title": found.title, "why": found.why, "reviewers": asked}
    form = WordsForm(request.POST or None, membership=request.membership, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.edit_change_request(change_request=found, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return to_request(request, number)
    status = 422 if request.method == "POST" else 200
    context = {"change_request": found, "form": form}
    return page(request, "prompts/change_request_edit.html", context, status=status)


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def change_request_collect(request: HttpRequest, prompt_id: int, number: int) -> HttpResponse:
    """Put a version into a request that still collects."""
    prompt = find(request, prompt_id)
    version = find_version(prompt, number)
    if request.method == "POST":
        found = find_request(request, text.whole_number(request.POST.get("request", "")) or 0)
        actions.add_to_change_request(change_request=found, version=version, acting_user=request.user)
        messages.success(request, f"{prompt.name} version {number} is in. All of it goes live as one.")
        return to_request(request, found.number)
    context = {
        **frame(request, prompt, "versions"),
        "version": version,
        "candidates": request_boards.could_take(request.membership, prompt),
    }
    return page(request, "prompts/change_request_collect.html", context)


def _thaw(found: ChangeRequest) -> datetime | None:
    """Return when the freeze that holds now ends: the moment that people would schedule for."""
    hold = policy.freeze_of(found.environment, timezone.now())
    return hold.end if hold else None


@require_POST
@requires(Right.EDIT)
def change_request_submit(request: HttpRequest, number: int) -> HttpResponse:
    actions.submit_change_request(change_request=find_request(request, number), acting_user=request.user)
    messages.success(request, "The request is open: checks begin, and people are asked.")
    return to_request(request, number)


@require_POST
@requires(Right.EDIT)
def change_request_replace(request: HttpRequest, number: int) -> HttpResponse:
    """Ask for another version of one prompt of the request."""
    found = find_request(request, number)
    items = {str(item.prompt_id): item for item in found.items.all()}
    item = items.get(request.POST.get("prompt", ""))
    if item is None:
        raise Http404
    version = find_version(item.prompt, text.whole_number(request.POST.get("version", "")) or item.version.number)
    actions.replace_version(change_request=found, version=version, acting_user=request.user)
    messages.success(request, f"The request now asks for version {version.number}. Its checks run again.")
    return to_request(request, number)


@require_POST
@requires(Right.EDIT)
def change_request_remove(request: HttpRequest, number: int, prompt_id: int) -> HttpResponse:
    found = find_request(request, number)
    actions.remove_from_change_request(change_request=found, prompt_id=prompt_id, acting_user=request.user)
    messages.success(request, "It is out of the request.")
    return to_request(request, number)


@require_POST
@requires(Right.EDIT)
def change_request_rebase(request: HttpRequest, number: int) -> HttpResponse:
    """Compare with what is live now."""
    actions.rebase_change_request(change_request=find_request(request, number), acting_user=request.user)
    messages.success(request, "Compared with what is live now. Checks run again, and eyes are wanted again.")
    return to_request(request, number)


@require_POST
@requires(Right.EDIT)
def change_request_withdraw(request: HttpRequest, number: int) -> HttpResponse:
    actions.withdraw_change_request(change_request=find_request(request, number), acting_user=request.user)
    messages.success(request, "The request is withdrawn.")
    return to_request(request, number)
