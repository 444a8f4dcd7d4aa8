from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import actions, exports, figures, month, price_lines, spend
from apps.costs.filters import ChargeFilter
from apps.costs.forms import PriceForm
from apps.costs.spend import AXES

PAGE_SIZE = 50


@require_GET
@requires(Right.VIEW_SPEND)
def spend_month(request: HttpRequest) -> HttpResponse:
    today = timezone.now().astimezone(request.workspace.zone).date()
    span = month.span_of(request.GET.get("month", ""), today)
    axis = AXES.get(request.GET.get("by", ""), AXES["model"])
    found = month.of(request.workspace, span, axis)
    columns, rows = figures.table(found, request.workspace.currency)
    context = {
        "month": found,
        "tabs": _tabs(span, axis),
        "figure": figures.by_day(found, request.workspace.currency),
        "columns": columns,
        "rows": rows,
    }
    return page(request, "costs/spend_month.html", context, fragment="breakdown")


def _tabs(span: month.Span, chosen: spend.Axis) -> list[dict[str, object]]:
    return [
        {"label": axis.label, "url": f"?month={span.first:%Y-%m}&by={axis.name}", "active": axis is chosen}
        for axis in AXES.values()
    ]


@require_GET
@requires(Right.VIEW_SPEND)
def spend_charges(request: HttpRequest) -> HttpResponse:
    wanted = _filter(request)
    if not wanted.is_valid():
        return page(request, "costs/spend_charges.html", {"form": wanted}, status=422)
    charges = wanted.charges(request.workspace.zone).filter(workspace_id=request.workspace.pk).newest_first()
    if before := request.GET.get("before"):
        charges = charges.older_than(_charge_id(before))
    rows = list(charges[: PAGE_SIZE + 1])
    context = {
        "form": wanted,
        "rows": rows[:PAGE_SIZE],
        "older": rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else None,
        "is_first": not before,
        "proof": spend.proof(wanted.days().of(request.workspace.pk)),
        "conditions": spend.name_conditions(request.workspace.pk, wanted.chosen),
        "query": wanted.query(),
    }
    return page(request, "costs/spend_charges.html", context)


def _filter(request: HttpRequest) -> ChargeFilter:
    """Read the filter; without any days it is the present month."""
    today = timezone.now().astimezone(request.workspace.zone).date()
    data = {"first": today.replace(day=1).isoformat(), "last": today.isoformat(), **request.GET.dict()}
    return ChargeFilter(data)


def _charge_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


@require_GET
@requires(Right.VIEW_SPEND)
def spend_charges_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    wanted = _filter(request)
    if not wanted.is_valid():
        return page(request, "costs/spend_charges.html", {"form": wanted}, status=422)
    charges = wanted.charges(request.workspace.zone).filter(workspace_id=request.workspace.pk).newest_first()
    response = StreamingHttpResponse(exports.lines(charges.iterator(chunk_size=2_000)), content_type="text/csv")
    days = wanted.cleaned_data
    name = f"charges-{request.workspace.slug}-{days['first']}-{days['last']}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_GET
@requires(Right.VIEW_SPEND)
def price_list(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:200]
    found = Paginator(price_lines.models_of(request.workspace, query), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page_obj": found,
        "lines": price_lines.lines(request.workspace, found, timezone.now()),
        "meters": ["Input", "Cached input", "Cache write", "Cache write 1 h", "Output"],
        "query": query,
        "may_price": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/price_list.html", context, fragment="table")


@require_GET
@requires(Right.VIEW_SPEND)
def price_history(request: HttpRequest) -> HttpResponse:
    provider, model = request.GET.get("provider", ""), request.GET.get("model", "")
    entries = price_lines.history(request.workspace, provider, model, timezone.now())
    if not entries:
        raise Http404
    context = {
        "provider": provider,
        "model": model,
        "entries": entries,
        "missing": price_lines.missing(entries),
        "may_price": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/price_history.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.APPROVE_PRICES)
def price_new(request: HttpRequest) -> HttpResponse:
    initial = {name: request.GET.get(name, "") for name in ("provider", "model", "meter")}
    form = PriceForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            price = actions.add_price(
                workspace=request.workspace, acting_user=request.user, **form.values(request.workspace.zone)
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"The price of {price.get_meter_display()} for {price.model} is in the book.")
            return redirect(price_lines.address(request.workspace, price))
    return page(request, "costs/price_new.html", {"form": form}, status=422 if form.errors else 200)
