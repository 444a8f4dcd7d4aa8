from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import actions, connection_names, price_history, price_lines
from apps.costs.forms import PriceForm
from apps.costs.models import PriceProposal

PAGE_SIZE = 25


@require_GET
@requires(Right.VIEW_SPEND)
def price_list(request: HttpRequest) -> HttpResponse:
    workspace, query = request.workspace, request.GET.get("q", "").strip()[:200]
    is_used_alone = _is_used_alone(request, query)
    found = price_lines.models_of(workspace, query, only_used=is_used_alone)
    page_obj = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page_obj,
        "lines": price_lines.lines(workspace, page_obj, timezone.now()) if page_obj.object_list else [],
        "meters": price_lines.HEADS,
        "query": query,
        "is_used_alone": is_used_alone,
        "open_proposals": workspace.price_proposals.filter(state=PriceProposal.State.OPEN).count(),
        "may_price": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/price_list.html", context, fragment="table")


def _is_used_alone(request: HttpRequest, query: str) -> bool:
    """Show the models in use alone unless all are asked for, something is searched, or none is in use."""
    if query or request.GET.get("show") == "all":
        return False
    return price_lines.models_of(request.workspace, "", only_used=True).exists()


@require_GET
@requires(Right.VIEW_SPEND)
def price_history_page(request: HttpRequest) -> HttpResponse:
    provider, model = request.GET.get("provider", "")[:40], request.GET.get("model", "")[:120]
    now = timezone.now()
    entries = [] if "\x00" in provider + model else price_history.entries_of(request.workspace, provider, model, now)
    if not entries:
        raise Http404
    figure, columns, rows = price_history.figure(entries, now, request.workspace.zone, request.workspace.currency)
    context = {
        "provider": provider,
        "model": model,
        "entries": entries,
        "moments": price_history.moments(entries),
        "missing": price_history.missing(entries),
        "figure": figure,
        "columns": columns,
        "rows": rows,
        "may_price": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/price_history.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.APPROVE_PRICES)
def price_new(request: HttpRequest) -> HttpResponse:
    names = ("provider", "model", "tier", "region", "connection_id")
    initial = {
        name: request.GET[name][:200] for name in names if request.GET.get(name) and "\x00" not in request.GET[name]
    }
    workspace, provider, model = request.workspace, initial.get("provider", ""), initial.get("model", "")
    form = PriceForm(
        request.POST or None,
        initial=initial,
        connections=connection_names.choices(workspace),
        standing=price_lines.standing(workspace, provider, model, timezone.now()) if model else None,
    )
    if request.method == "POST" and form.is_valid():
        try:
            prices, repricing = actions.add_prices(
                workspace=request.workspace, acting_user=request.user, **form.values(request.workspace.zone)
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            words = "price is" if len(prices) == 1 else "prices are"
            messages.success(request, f"{len(prices)} {words} in the list for {prices[0].model}.")
            if repricing:
                return redirect("repricing", workspace=request.workspace.slug, repricing_id=repricing.pk)
            return redirect(price_lines.address(request.workspace, prices[0]))
    context: dict[str, Any] = {"form": form}
    return page(request, "costs/price_new.html", context, status=422 if form.errors else 200)
