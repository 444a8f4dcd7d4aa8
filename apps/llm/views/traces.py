"""Pages of the traces: every call for all who may see prompts."""

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.core.ids import time_of
from apps.llm.forms.traces import CallFilterForm
from apps.llm.models import Call
from apps.llm.traces import jump, listing, names, search, trace


@require_safe
@requires(Right.VIEW)
def call_list(request: HttpRequest) -> HttpResponse:
    """List the calls of the workspace, newest first, narrowed by whatever is asked for."""
    form = CallFilterForm(request.GET, workspace=request.workspace, now=timezone.now())
    found = search.page_of_calls(request.workspace.pk, form.wanted(), form.place)
    context = {
        "form": form,
        "found": found,
        "rows": listing.rows_of(request.workspace, found.calls),
        "chips": form.chips(),
        "older": form.address(before=found.older) if found.older else "",
        "newer": form.address(after=found.newer) if found.newer else "",
        "newest": form.address() if found.place.call_id else "",
        "further": form.address(**{found.place.cursor: found.stopped_at}) if found.stopped_at else "",
        "stopped_on": time_of(found.stopped_at) if found.stopped_at else None,
    }
    response = page(request, "llm/call_list.html", context, fragment="calls")
    if request.htmx:
        # Of a form, the browser sends the fields that are empty too; the address is one to hand on.
        response["HX-Push-Url"] = request.path + form.address(before=form.data.get("before"))
    return response


@require_safe
@requires(Right.VIEW)
def call_prompts(request: HttpRequest) -> HttpResponse:
    """Offer the names of prompts that have calls, for the field that asks for one."""
    called = names.prompts_called(request.workspace.pk)
    offered = names.matching(called.values(), request.GET.get("prompt", ""))
    return page(request, "llm/_trace_prompts.html", {"names": offered})


@require_safe
@requires(Right.VIEW)
def call_jump(request: HttpRequest) -> HttpResponse:
    """Go to the call that an id belongs to: its own, its charge's, or the provider's for the request."""
    wanted = request.GET.get("q", "").strip()
    call = jump.call_of(request.workspace.pk, wanted)
    if call is None:
        return page(request, "llm/call_jump.html", {"wanted": wanted[:200]}, status=404)
    return redirect("call_detail", workspace=request.workspace.slug, pk=call.pk)


@require_safe
@requires(Right.VIEW)
def call_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one call: what was asked, what came back, every attempt, and what it cost."""
    call = _call(request, pk)
    context = {"call": call, "trace": trace.of(call, timezone.now()), "is_admin": request.membership.may(Right.ADMIN)}
    return page(request, "llm/call_detail.html", context)


@require_safe
@requires(Right.VIEW)
def call_json(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a call with everything that is kept of it, as a file."""
    found: dict[str, Any] = trace.as_data(_call(request, pk))
    response = HttpResponse(json.dumps(found, indent=2, ensure_ascii=False), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="call-{pk}.json"'
    return response


def _call(request: HttpRequest, pk: UUID) -> Call:
    return get_object_or_404(request.workspace.calls.with_model().with_body(), pk=pk)
