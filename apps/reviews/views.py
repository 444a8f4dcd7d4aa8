from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.reviews import actions, assignment, charts, desk, results
from apps.reviews.forms import AnswerForm, QueueForm, RatingForm, SkipForm, TokenForm
from apps.reviews.models import Queue, Skip


@require_GET
@requires(Right.RATE, Right.VIEW, Right.MANAGE_QUEUES)
def review_desk(request: HttpRequest) -> HttpResponse:
    """Show raters what waits for them; send those who only look on to the queues."""
    if not request.membership.may(Right.RATE):
        return redirect("queue_list", workspace=request.workspace.slug)
    lines = desk.desk_of(request.workspace, request.user)
    first = next((line for line in lines if line.waiting), None)
    return page(request, "reviews/review_desk.html", {"lines": lines, "first": first, **_tabs(request)})


@never_cache
@require_http_methods(["GET", "POST"])
@requires(Right.RATE)
def rate(request: HttpRequest, queue_token: UUID) -> HttpResponse:
    """Show the item in hand; store the answer to it and show the next."""
    queue = _queue_by_token(request, queue_token)
    if request.method == "GET":
        return _show_task(request, queue)
    form = RatingForm(request.POST)
    if not form.is_valid():
        return _show_task(request, queue, status=422, problem="Choose one of the four answers.")
    answered = actions.submit_rating(queue=queue, acting_user=request.user, **form.cleaned_data)
    note = _note_on(answered, form.cleaned_data["answer"])
    return _show_task(request, queue, note=note) if request.htmx else _to_task(request, queue, note)


@never_cache
@require_http_methods(["GET", "POST"])
@requires(Right.RATE)
def rate_back(request: HttpRequest, queue_token: UUID, steps: int) -> HttpResponse:
    """Show one of one's last answers again, and change it."""
    queue = _queue_by_token(request, queue_token)
    if request.method == "POST":
        form = AnswerForm(request.POST)
        if not form.is_valid():
            raise DomainError("Choose one of the four answers.")
        actions.revise_rating(queue=queue, acting_user=request.user, **form.cleaned_data)
        return _show_task(request, queue, note="changed") if request.htmx else _to_task(request, queue, "changed")
    last = actions.last_ratings(queue, request.user)
    if not queue.is_open or not 1 <= steps <= len(last):
        return _show_task(request, queue, note="no_more")
    context = {"task": desk.task_again(last[steps - 1]), "steps": steps, "may_go_back": steps < len(last)}
    return _show(request, queue, context)


@require_POST
@requires(Right.RATE)
def rate_skip(request: HttpRequest, queue_token: UUID) -> HttpResponse:
    queue = _queue_by_token(request, queue_token)
    form = SkipForm(request.POST)
    if not form.is_valid():
        return _show_task(request, queue, status=422, problem="Say why you skip it, so that the item can be mended.")
    actions.skip_item(queue=queue, acting_user=request.user, **form.cleaned_data)
    return _show_task(request, queue, note="skipped") if request.htmx else _to_task(request, queue, "skipped")


@require_POST
@requires(Right.RATE)
def rate_heartbeat(request: HttpRequest, queue_token: UUID) -> HttpResponse:
    """Keep the item while its page is looked at; answer with the new end of the lease, or that it went to others."""
    _queue_by_token(request, queue_token)
    form = TokenForm(request.POST)
    until = assignment.heartbeat(form.cleaned_data["token"], request.user) if form.is_valid() else None
    return page(request, "reviews/_rate_lease.html", {"until": until, "is_heartbeat": True})


@require_POST
@requires(Right.RATE)
def rate_leave(request: HttpRequest, queue_token: UUID) -> HttpResponse:
    """Give the item in hand back at once and return to the desk."""
    _queue_by_token(request, queue_token)
    form = TokenForm(request.POST)
    if form.is_valid():
        assignment.release(form.cleaned_data["token"], request.user)
    return redirect("review_desk", workspace=request.workspace.slug)


@require_GET
@requires(Right.VIEW, Right.MANAGE_QUEUES)
def queue_list(request: HttpRequest) -> HttpResponse:
    return _show_queues(request, QueueForm(workspace=request.workspace))


@require_POST
@requires(Right.MANAGE_QUEUES)
def queue_create(request: HttpRequest) -> HttpResponse:
    form = QueueForm(request.POST, workspace=request.workspace)
    if not form.is_valid():
        return _show_queues(request, form, status=422)
    try:
        queue = actions.create_pairwise_queue(acting_user=request.user, **form.cleaned_data)
    except DomainError as error:
        form.add_error("run", error.message)
        return _show_queues(request, form, status=422)
    return redirect("queue_detail", workspace=request.workspace.slug, queue_id=queue.pk)


@require_GET
@requires(Right.VIEW, Right.MANAGE_QUEUES)
def queue_detail(request: HttpRequest, queue_id: int) -> HttpResponse:
    """Show what people think and whether they agree."""
    queue = _queue(request, queue_id)
    found = results.results_of(queue)
    context = {
        "queue": queue,
        "found": found,
        "picture": charts.interval_picture(found.preference),
        "raters": found.raters,
        "lines": found.item_lines(),
        "may_manage": request.membership.may(Right.MANAGE_QUEUES),
    }
    return page(request, "reviews/queue_detail.html", context, fragment="progress")


@require_POST
@requires(Right.MANAGE_QUEUES)
def queue_close(request: HttpRequest, queue_id: int) -> HttpResponse:
    queue = actions.close_queue(queue=_queue(request, queue_id), acting_user=request.user)
    return redirect("queue_detail", workspace=request.workspace.slug, queue_id=queue.pk)


@require_GET
@requires(Right.VIEW, Right.MANAGE_QUEUES)
def change_request_people(request: HttpRequest, change_request_id: int) -> HttpResponse:
    """Show the People card of a change request: a part of its page."""
    wanted = get_object_or_404(
        request.workspace.change_requests.visible_to(request.user).select_related("environment"), pk=change_request_id
    )
    queues = Queue.objects.filter(change_request=wanted).select_related("rubric_version__rubric").newest_first()
    queue = queues.first()
    found = results.results_of(queue) if queue else None
    context = {
        "change_request": wanted,
        "check": wanted.checks.filter(name=actions.CHECK).first(),
        "is_required": actions.CHECK in wanted.environment.required_checks,
        "queue": queue,
        # Of a request with several prompts, each has a queue of its own.
        "others": queues.filter(set_aside=False).exclude(pk=queue.pk) if queue and wanted.items.count() > 1 else [],
        "found": found,
        "picture": charts.interval_picture(found.preference) if found else None,
    }
    return page(request, "reviews/change_request_people.html", context)


def _queue(request: HttpRequest, queue_id: int) -> Queue:
    queues = Queue.objects.filter(workspace=request.workspace).select_related(
        "workspace", "rubric_version__rubric", "run", "change_request", "created_by"
    )
    return get_object_or_404(queues, pk=queue_id)


def _queue_by_token(request: HttpRequest, token: UUID) -> Queue:
    queues = Queue.objects.filter(workspace=request.workspace).select_related("workspace", "rubric_version__rubric")
    return get_object_or_404(queues, token=token)


def _show_queues(request: HttpRequest, form: QueueForm, status: int = 200) -> HttpResponse:
    queues = Queue.objects.filter(workspace=request.workspace).with_progress().select_related("change_request")
    context = {
        "queues": queues.newest_first()[:100],
        "form": form,
        "may_manage": request.membership.may(Right.MANAGE_QUEUES),
        **_tabs(request),
    }
    return page(request, "reviews/queue_list.html", context, status=status)


def _tabs(request: HttpRequest) -> dict[str, Any]:
    return {
        "sees_desk": request.membership.may(Right.RATE),
        "sees_queues": request.membership.may(Right.VIEW, Right.MANAGE_QUEUES),
    }


def _show_task(
    request: HttpRequest, queue: Queue, *, note: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    held = assignment.next_slot(queue, request.user)
    note = note or request.GET.get("note", "")
    context: dict[str, Any] = {"note": note, "problem": problem, "saved_at": timezone.now()}
    if held:
        context["task"] = desk.task_of(held)
    else:
        context["reason"], context["held_until"] = desk.why_empty(queue, request.user)
    return _show(request, queue, context, status=status)


def _show(request: HttpRequest, queue: Queue, context: dict[str, Any], status: int = 200) -> HttpResponse:
    context |= {
        "queue": queue,
        "progress": desk.progress_in(queue, request.user),
        "skip_reasons": Skip.Reason.choices,
        "beat_seconds": int(assignment.HEARTBEAT.total_seconds()),
    }
    return page(request, "reviews/rate.html", context, fragment="task", status=status)


def _note_on(answered: assignment.Answered, answer: str) -> str:
    """Tell a saved answer from one that was not needed, and from one that came after another of the same person."""
    if not answered.is_new and answered.rating.answer != answer:
        return "stands"
    return "saved" if answered.rating.counted else "surplus"


def _to_task(request: HttpRequest, queue: Queue, note: str) -> HttpResponse:
    response = redirect("rate", workspace=request.workspace.slug, queue_token=queue.token)
    response["Location"] += f"?note={note}"
    return response
