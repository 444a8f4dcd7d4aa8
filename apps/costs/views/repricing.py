from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import actions, price_lines, repricing_report, repricing_words
from apps.costs import repricing as work
from apps.costs.forms import RepricingForm
from apps.costs.models import Repricing

PAGE_SIZE = 25
SCOPE = ("first", "last", "model", "only_unpriced")


@require_GET
@requires(Right.VIEW_SPEND)
def repricing_list(request: HttpRequest) -> HttpResponse:
    rows = request.workspace.repricings.select_related("asked_by").order_by("-pk")
    context = {
        "page_obj": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_price": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/repricing_list.html", context)


@require_http_methods(["GET", "POST"])
@requires(Right.APPROVE_PRICES)
def repricing_new(request: HttpRequest) -> HttpResponse:
    form = _form(request)
    shown = None
    if form.is_bound and form.is_valid():
        if request.method == "GET":
            shown = repricing_report.preview(Repricing(workspace=request.workspace, **form.scope()))
        else:
            try:
                made = actions.reprice_period(
                    workspace=request.workspace,
                    reason=form.cleaned_data["reason"],
                    acting_user=request.user,
                    **form.scope(),
                )
            except DomainError as error:
                form.add_error(None, error.message)
            else:
                return redirect("repricing", workspace=request.workspace.slug, repricing_id=made.pk)
    context: dict[str, Any] = {"form": form, "preview": shown}
    if shown:
        only_unpriced = form.cleaned_data["only_unpriced"]
        context["headline"] = repricing_words.headline(
            shown, only_unpriced=only_unpriced, currency=request.workspace.currency
        )
    return page(request, "costs/repricing_new.html", context, status=422 if form.errors else 200)


def _form(request: HttpRequest) -> RepricingForm:
    today = timezone.now().astimezone(request.workspace.zone).date()
    month = {"first": today.replace(day=1), "last": today}
    models = price_lines.used_pairs(request.workspace)
    sent = request.POST if request.method == "POST" else request.GET
    if any(sent.get(name) for name in SCOPE):
        return RepricingForm({**{name: day.isoformat() for name, day in month.items()}, **sent.dict()}, models=models)
    return RepricingForm(initial=month, models=models)


@require_GET
@requires(Right.VIEW_SPEND)
def repricing(request: HttpRequest, repricing_id: int) -> HttpResponse:
    found = _repricing(request, repricing_id)
    is_active = found.state in work.ACTIVE
    days = [] if is_active else repricing_report.days_of(found)
    context = {
        "repricing": found,
        "is_active": is_active,
        "total_to_see": max(repricing_report.to_look_at(found), found.charges_seen) if is_active else 0,
        "difference": found.after_total - found.before_total,
        "days": days,
        "total": repricing_report.total_of(days, found.first),
        "unpriced": None if is_active or not found.after_unpriced else repricing_report.still_unpriced(found),
        "may_price": request.membership.may(Right.APPROVE_PRICES),
    }
    return page(request, "costs/repricing.html", context, fragment="state")


@require_POST
@requires(Right.APPROVE_PRICES)
def repricing_resume(request: HttpRequest, repricing_id: int) -> HttpResponse:
    found = _repricing(request, repricing_id)
    try:
        actions.resume_repricing(repricing=found, acting_user=request.user)
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("repricing", workspace=request.workspace.slug, repricing_id=found.pk)


@require_GET
@requires(Right.VIEW_SPEND)
def repricing_csv(request: HttpRequest, repricing_id: int) -> StreamingHttpResponse:
    found = _repricing(request, repricing_id)
    by = "charge" if request.GET.get("by") == "charge" else "day"
    lines = repricing_report.lines_by_charge if by == "charge" else repricing_report.lines_by_day
    response = StreamingHttpResponse(lines(found), content_type="text/csv")
    name = f"repricing-{request.workspace.slug}-{found.pk}-by-{by}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _repricing(request: HttpRequest, repricing_id: int) -> Repricing:
    rows = request.workspace.repricings.select_related("asked_by", "workspace")
    return get_object_or_404(rows, pk=repricing_id)
