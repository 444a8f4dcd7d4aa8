from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.costs import actions, books, proving
from apps.costs.forms.books import RetentionForm
from apps.costs.ingest import status
from apps.costs.models import Retention


@require_GET
@requires(Right.VIEW_SPEND)
def books_state(request: HttpRequest) -> HttpResponse:
    if request.htmx and request.GET.get("part") == "recounts":
        return page(request, "costs/books_state.html", _recounts(request), fragment="recounts")
    kept = _kept(request)
    today = timezone.now().astimezone(request.workspace.zone).date()
    context = _recounts(request) | {
        "kept": kept,
        "months": books.months(request.workspace, kept),
        "gone": books.gone(),
        "holding": books.held_by_budgets(request.workspace),
        "sources": status.sources(request.workspace, today),
        "may_keep": request.membership.may(Right.MANAGE_BUDGETS),
    }
    return page(request, "costs/books_state.html", context)


def _recounts(request: HttpRequest) -> dict[str, Any]:
    recounts = books.recounts(request.workspace)
    return {
        "recounts": recounts,
        "recount": recounts[0] if recounts else None,
        "under_way": proving.progress(request.workspace.pk),
    }


def _kept(request: HttpRequest) -> int | None:
    return Retention.objects.filter(workspace=request.workspace).values_list("months", flat=True).first()


@require_POST
@requires(Right.VIEW_SPEND)
def books_verify(request: HttpRequest) -> HttpResponse:
    if actions.verify_books(workspace=request.workspace, acting_user=request.user):
        messages.success(request, "A worker recounts the books.")
    else:
        messages.info(request, "A recount is under way already.")
    return redirect("books_state", workspace=request.workspace.slug)


@require_http_methods(["GET", "POST"])
@requires(Right.MANAGE_BUDGETS)
def books_keeping(request: HttpRequest) -> HttpResponse:
    """For how long charges are kept; htmx asks, while somebody types, what that would let go."""
    kept = _kept(request)
    form = RetentionForm(_asked(request), initial={"keep": "months" if kept else "always", "months": kept})
    if request.method == "POST" and form.is_valid():
        actions.keep_charges(
            workspace=request.workspace,
            months=form.chosen,
            reason=form.cleaned_data["reason"],
            acting_user=request.user,
        )
        messages.success(request, "Charges are kept as you said.")
        return redirect("books_state", workspace=request.workspace.slug)
    wanted = form.chosen if form.is_bound and form.is_valid() else kept
    context = {
        "form": form,
        "kept": kept,
        "wanted": wanted,
        "months": books.months(request.workspace, wanted),
        "today": timezone.now().astimezone(request.workspace.zone).date(),
    }
    code = 422 if request.method == "POST" else 200
    return page(request, "costs/books_keeping.html", context, fragment="preview", status=code)


def _asked(request: HttpRequest) -> Any:
    if request.method == "POST":
        return request.POST
    return request.GET if "keep" in request.GET else None
