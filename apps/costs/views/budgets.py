from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import actions
from apps.costs.budgets import burn, detail, preview, trust, words
from apps.costs.forms.budgets import BudgetForm, BudgetTermsForm, PreviewForm
from apps.costs.models import Budget

EMPTY = {"mode": Budget.Mode.HARD, "thresholds": "50, 80, 100", "forecast_thresholds": "100"}


@require_GET
@requires(Right.VIEW_SPEND)
def budget_list(request: HttpRequest) -> HttpResponse:
    budgets = list(request.workspace.budgets.live().select_related("owner").order_by("name", "pk"))
    running = burn.of(request.workspace, budgets, timezone.now())
    context = {
        "burns": sorted(running.values(), key=lambda found: (-found.share, found.budget.name)),
        "covers": words.described(request.workspace.pk, budgets),
        "trust": trust.of(running.values(), request.workspace.pk, request.workspace.zone),
        "ended": detail.ended(request.workspace),
        "may_manage": request.membership.may(Right.MANAGE_BUDGETS),
    }
    return page(request, "costs/budget_list.html", context, fragment="list")


@require_GET
@requires(Right.VIEW_SPEND)
def budget(request: HttpRequest, budget_id: int) -> HttpResponse:
    found = get_object_or_404(request.workspace.budgets.select_related("owner"), pk=budget_id)
    now = timezone.now()
    running = detail.running(request.workspace, found, now)
    figure, columns, rows = detail.figure(running, detail.today_of(request.workspace, now), request.workspace.currency)
    context = {
        "budget": found,
        "burn": running,
        "covers": words.described(request.workspace.pk, [found])[found.pk],
        "held": detail.held(running),
        "earlier": detail.earlier(found, running.starts_on),
        "alerts": detail.alerts(found),
        "changes": detail.changes(request.workspace, found),
        "trust": trust.of([running], request.workspace.pk, request.workspace.zone)[found.pk],
        "figure": figure,
        "columns": columns,
        "rows": rows,
        "may_manage": request.membership.may(Right.MANAGE_BUDGETS) and found.ended_at is None,
    }
    return page(request, "costs/budget.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.MANAGE_BUDGETS)
def budget_new(request: HttpRequest) -> HttpResponse:
    form = BudgetForm(request.POST or None, initial=_initial(request), **_options(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create_budget(
                workspace=request.workspace,
                conditions=form.conditions(),
                period=form.cleaned_data["period"],
                acting_user=request.user,
                **form.terms(),
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"{made.name} counts from {made.counted_from.day} {made.counted_from:%B %Y} on.")
            return redirect("budget", workspace=request.workspace.slug, budget_id=made.pk)
    return page(request, "costs/budget_new.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@requires(Right.MANAGE_BUDGETS)
def budget_preview(request: HttpRequest) -> HttpResponse:
    form = PreviewForm(request.GET, **_options(request))
    context: dict[str, Any] = {"past": [], "limit": None}
    if form.is_valid():
        conditions, period = form.conditions(), form.cleaned_data["period"]
        past = preview.of(request.workspace, conditions, period, form.limit, timezone.now())
        context = {"past": past, "limit": form.limit, "period": period}
    return page(request, "costs/_budget_preview.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.MANAGE_BUDGETS)
def budget_edit(request: HttpRequest, budget_id: int) -> HttpResponse:
    found = get_object_or_404(request.workspace.budgets, pk=budget_id)
    form = BudgetTermsForm(request.POST or None, initial=_terms_of(found), workspace=request.workspace)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_budget(
                budget=found, acting_user=request.user, reason=request.POST.get("reason", ""), **form.terms()
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is changed.")
            return redirect("budget", workspace=request.workspace.slug, budget_id=found.pk)
    return page(request, "costs/budget_edit.html", {"form": form, "budget": found}, status=422 if form.errors else 200)


@require_POST
@requires(Right.MANAGE_BUDGETS)
def budget_end(request: HttpRequest, budget_id: int) -> HttpResponse:
    found = get_object_or_404(request.workspace.budgets, pk=budget_id)
    actions.end_budget(budget=found, acting_user=request.user, reason=request.POST.get("reason", ""))
    messages.success(request, f"{found.name} has ended. Nothing is limited by it any more.")
    return redirect("budget_list", workspace=request.workspace.slug)


def _options(request: HttpRequest) -> dict[str, Any]:
    today = detail.today_of(request.workspace, timezone.now())
    return {"workspace": request.workspace, "offered": words.choices(request.workspace, today)}


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Begin with what the address names, so that other pages can offer a budget for what they show."""
    named = {name: request.GET[name] for name in Budget.CONDITIONS if name in request.GET}
    return {**EMPTY, "owner": str(request.user.pk), **named}


def _terms_of(found: Budget) -> dict[str, Any]:
    return {
        "name": found.name,
        "limit_amount": format(found.limit_amount.normalize(), "f"),
        "mode": found.mode,
        "thresholds": ", ".join(map(str, found.thresholds)),
        "forecast_thresholds": ", ".join(map(str, found.forecast_thresholds)),
        "owner": str(found.owner_id or ""),
    }
