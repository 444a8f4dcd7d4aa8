from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.costs import books, explorer, exports, figures, month, spend
from apps.costs.budgets import burn
from apps.costs.forms.explorer import ExplorerForm
from apps.costs.models import Budget
from apps.costs.month import Month, Span
from apps.costs.spend import AXES, Axis


@require_GET
@requires(Right.VIEW_SPEND)
def spend_month(request: HttpRequest) -> HttpResponse:
    now = timezone.now().astimezone(request.workspace.zone)
    span, axis = _asked(request, now)
    found = month.of(request.workspace, span, axis)
    columns, rows = figures.table(found, request.workspace.currency)
    context = {
        "month": found,
        "months": month.months_of(found.first_day, span),
        "now": now,
        "tabs": _tabs(span, axis),
        "figure": figures.by_day(found, request.workspace.currency),
        "columns": columns,
        "rows": rows,
        "burns": _burns(request, now) if span.is_running else [],
        "recount": books.last(request.workspace),
    }
    return page(request, "costs/spend_month.html", context, fragment="breakdown")


def _asked(request: HttpRequest, now: datetime) -> tuple[Span, Axis]:
    span = month.span_of(request.GET.get("month", ""), now.date())
    return span, AXES.get(request.GET.get("by", ""), AXES["model"])


def _tabs(span: Span, chosen: Axis) -> list[dict[str, object]]:
    return [
        {"label": axis.label, "url": f"?month={span.first:%Y-%m}&by={axis.name}", "active": axis is chosen}
        for axis in AXES.values()
    ]


def _burns(request: HttpRequest, now: datetime) -> list[burn.Burn]:
    """Return the running periods of the budgets that cover everything."""
    whole = {f"{name}__isnull": True for name in Budget.CONDITIONS}
    return list(burn.of(request.workspace, list(request.workspace.budgets.live().filter(**whole)), now).values())


@require_GET
@requires(Right.VIEW_SPEND)
def spend_month_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Send the month's table by one dimension, every value of it; or with `table=days` the days behind the chart."""
    span, axis = _asked(request, timezone.now().astimezone(request.workspace.zone))
    slug = request.workspace.slug
    if request.GET.get("table") == "days":
        found: Month = month.of(request.workspace, span, axis)
        return exports.answer(exports.days(found), f"spend-{slug}-{span.first:%Y-%m}-days.csv")
    lines = exports.values(request.workspace.pk, axis, span)
    return exports.answer(lines, f"spend-{slug}-{span.first:%Y-%m}-by-{axis.name}.csv")


@require_GET
@requires(Right.VIEW_SPEND)
def spend_explorer(request: HttpRequest) -> HttpResponse:
    form = _explorer_form(request)
    context: dict[str, Any] = {"form": form, "recount": books.last(request.workspace)}
    if not form.is_valid():
        return page(request, "costs/spend_explorer.html", context, status=422)
    question = explorer.ask(request.workspace, *form.question())
    table = explorer.table(request.workspace, question)
    context |= {
        "question": question,
        "table": table,
        "proof": spend.proof(request.workspace.pk, question.first, question.last),
        "presets": _presets(timezone.now().astimezone(request.workspace.zone).date()),
        "query": form.query(),
    }
    return page(request, "costs/spend_explorer.html", context, fragment="table")


@require_GET
@requires(Right.VIEW_SPEND)
def spend_explorer_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    form = _explorer_form(request)
    if not form.is_valid():
        return page(request, "costs/spend_explorer.html", {"form": form}, status=422)
    question = explorer.ask(request.workspace, *form.question())
    name = f"spend-{request.workspace.slug}-{question.rows.name}-{question.columns.name}"
    lines = exports.pairs(question, explorer.pairs(request.workspace, question))
    return exports.answer(lines, f"{name}-{question.first}-{question.last}.csv")


def _explorer_form(request: HttpRequest) -> ExplorerForm:
    """Read the question; without any it is the present month by team and model."""
    first, last = _presets(timezone.now().astimezone(request.workspace.zone).date())[0][1:]
    given = {"rows": "team", "columns": "model", "first": first.isoformat(), "last": last.isoformat()}
    return ExplorerForm({**given, **request.GET.dict()})


def _presets(today: date) -> list[tuple[str, date, date]]:
    """Return whole months, which sums by month answer for."""
    this = month.span_of("", today)
    year = today.replace(month=1, day=1)
    before = this.previous_first
    quarter = (before - timedelta(days=1)).replace(day=1)
    return [
        ("This month", this.first, this.last),
        ("Last month", before, this.previous_last),
        ("Three months", quarter, this.last),
        ("This year", year, this.last),
    ]
