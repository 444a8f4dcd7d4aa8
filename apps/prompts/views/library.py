"""The list of prompts, and keeping it in order: names, owners, tags, what is put away."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import charts, text
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import spend
from apps.prompts import actions, boards, composition, shelves, starters
from apps.prompts.library_forms import PromptSettingsForm
from apps.prompts.shelves import Filters
from apps.prompts.views.prompts import find, frame

PAGE_SIZE = 50


@require_GET
@requires(Right.VIEW)
def prompt_list(request: HttpRequest) -> HttpResponse:
    filters = _filters(request)
    found = shelves.found(request.workspace, filters)
    shown = Paginator(found.values_list("pk", flat=True), PAGE_SIZE).get_page(request.GET.get("page"))
    ids = list(shown)
    rows = shelves.rows(ids)
    context = {
        "filters": filters,
        "shown": shown,
        "rows": rows,
        "rate_query": _rate_query(rows),
        **_spending(request, ids),
        "sorts": shelves.SORTS,
        "is_empty": not ids and not filters.is_narrowed,
        "starters": starters.PATTERNS,
    }
    if not _is_typing(request):
        context["sides"] = shelves.sides_of(request.workspace, filters)
    return page(request, "prompts/prompt_list.html", context, fragment="table")


def _is_typing(request: HttpRequest) -> bool:
    """Tell whether only the table is asked for."""
    return bool(request.htmx) and not request.htmx.boosted and not request.htmx.history_restore_request


def _filters(request: HttpRequest) -> Filters:
    get = request.GET.get
    sort = get("sort", "")
    return Filters(
        query=" ".join(get("q", "").replace("\x00", " ").split())[:200],
        folder=get("folder", "").replace("\x00", "")[:255].strip("/"),
        tag=get("tag", "").replace("\x00", "")[:40],
        owner=text.whole_number(get("owner", "")),
        archived=get("archived") == "on",
        sort=sort if sort in shelves.SORTS else "name",
    )


def _spending(request: HttpRequest, ids: list[int]) -> dict[str, Any]:
    spent = spend.by_prompt(request.workspace.pk, ids) if ids else {}
    label = "Spend of the last 7 days"
    return {"spend": spent, "sparks": {pk: charts.sparkline(one.daily, label=label) for pk, one in spent.items()}}


def _rate_query(rows: list[shelves.Row]) -> str:
    """Return how the page asks for the pass rates of its rows."""
    return urlencode([("version", f"{row.prompt.pk}:{row.shown_number}") for row in rows if row.shown_number])


@require_GET
@requires(Right.VIEW)
def prompt_waiting(request: HttpRequest) -> HttpResponse:
    """Show the change requests that wait for this member, or all of a prompt: asked for by pages that are there at once."""
    prompt_id = text.whole_number(request.GET.get("prompt", ""))
    prompt = find(request, prompt_id) if prompt_id else None
    found = boards.waiting_requests(request.membership, prompt=prompt)
    context = {"waiting": found if prompt else [one for one in found if one.mine][:5], "prompt": prompt}
    return page(request, "prompts/prompt_waiting.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def prompt_settings(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    form = PromptSettingsForm(request.POST or None, prompt=prompt)
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_prompt(prompt=prompt, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, "Saved.")
            return redirect("prompt_settings", workspace=request.workspace.slug, prompt_id=prompt.pk)
    context = {
        **frame(request, prompt, "settings"),
        "form": form,
        "used_by": composition.parents_of(prompt),
        "live": boards.live_of(prompt),
        "fetches": prompt.fetches.latest_first()[:5],
    }
    return page(request, "prompts/prompt_settings.html", context, status=422 if form.errors else 200)


@require_POST
@requires(Right.EDIT)
def prompt_archive(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    actions.archive_prompt(prompt=prompt, acting_user=request.user)
    messages.success(request, f"{prompt.name} is archived.")
    return redirect("prompt_list", workspace=request.workspace.slug)


@require_POST
@requires(Right.EDIT)
def prompt_unarchive(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    actions.unarchive_prompt(prompt=prompt, acting_user=request.user)
    messages.success(request, f"{prompt.name} is back in the lists.")
    return redirect("prompt_detail", workspace=request.workspace.slug, prompt_id=prompt.pk)
