"""What was live in the whole workspace at a moment, and the moves that led there."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.prompts import boards, history
from apps.prompts.models import Environment
from apps.prompts.request_forms import MOMENT, AsOfForm

PAGE_SIZE = 50
MOVES = 50


@require_GET
@requires(Right.VIEW)
def history_page(request: HttpRequest) -> HttpResponse:
    form = AsOfForm(request.GET if request.GET.get("at") else None)
    moment = form.cleaned_data["at"] if form.is_bound and form.is_valid() else timezone.now()
    places = boards.environments_of(request.workspace)
    chosen = next((place for place in places if place.name == request.GET.get("environment")), None)
    chosen = chosen or (places[-1] if places else None)
    wanted = request.workspace.prompts.filter(deployments__at__lte=moment).distinct().order_by("name", "id")
    rows = Paginator(wanted, PAGE_SIZE).get_page(request.GET.get("page"))
    then = history.as_of(request.workspace, moment, list(rows))
    context = {
        "as_of_form": form,
        "moment": moment,
        "is_now": not form.is_bound,
        "places": places,
        "chosen": chosen,
        "rows": rows,
        "table": [
            {"prompt": prompt, "cells": [then.get(prompt.pk, {}).get(place.pk) for place in places]} for prompt in rows
        ],
        "moves": history.moves_of(request.workspace, moment)[:MOVES],
        **picture_of(request, lambda shown: _lanes(chosen, list(rows), shown), moment),
    }
    status = 422 if form.is_bound and not form.is_valid() else 200
    return page(request, "prompts/history_page.html", context, status=status)


def _lanes(chosen: Environment | None, prompts: list[Any], shown: history.Window) -> list[history.Lane]:
    return history.lanes_of_place(chosen, prompts, shown) if chosen else []


def picture_of(
    request: HttpRequest, lanes: Callable[[history.Window], list[history.Lane]], end: datetime | None = None
) -> dict[str, Any]:
    """Return the timeline with the links that zoom and move it."""
    until = AsOfForm({"at": request.GET.get("until", "")})
    shown = history.window(request.GET.get("range", ""), until.cleaned_data["at"] if until.is_valid() else end)
    now = timezone.now()
    return {
        "window": shown,
        "lanes": lanes(shown),
        "ticks": history.ticks(shown),
        "ranges": [
            {"label": label, "url": _link(request, range=name), "active": name == shown.name}
            for name, label, _ in (*history.RANGES, history.YEAR)
        ],
        "earlier": _link(request, range=shown.name, until=_written(shown.end - shown.length / 2)),
        "later": _link(request, range=shown.name, until=_written(min(shown.end + shown.length / 2, now)))
        if shown.end < now - shown.length / 100
        else "",
    }


def _written(moment: datetime) -> str:
    return timezone.localtime(moment).strftime(MOMENT)


def _link(request: HttpRequest, **changes: str) -> str:
    """Return this page's query with some of it changed."""
    kept = {name: request.GET[name][:100] for name in ("at", "environment", "range", "until") if name in request.GET}
    return "?" + urlencode({**kept, **changes})
