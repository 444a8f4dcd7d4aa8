from decimal import Decimal
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.experiments import actions, asking, boards, exporting, pictures, reporting, tables
from apps.experiments.models import Case, Output, Run, RunArm


def _run(request: HttpRequest, run_id: int) -> Run:
    runs = Run.objects.with_names().select_related("workspace")
    return get_object_or_404(runs, pk=run_id, workspace=request.workspace)


@require_GET
@requires(Right.VIEW)
def run_list(request: HttpRequest) -> HttpResponse:
    """Show runs, newest first."""
    before = request.GET.get("before", "")
    lines, more = boards.runs_before(request.workspace, int(before) if before.isdecimal() else None)
    return page(request, "experiments/run_list.html", {"lines": lines, "more": more})


@require_GET
@requires(Right.VIEW)
def run_detail(request: HttpRequest, run_id: int) -> HttpResponse:
    """Show how far a run is, and once it has ended what it found."""
    run = _run(request, run_id)
    if run.is_active:
        context = {"run": run, "progress": boards.progress(run, timezone.now())}
        return page(request, "experiments/run_detail.html", {**context, **_frame(request, run)}, fragment="progress")
    if request.htmx and request.htmx.target == "progress":
        return _reload()
    context = {**_frame(request, run), **_result(request, run)}
    return page(request, "experiments/run_detail.html", context, fragment="cases")


def _reload() -> HttpResponse:
    """The run ended while its page was open: the page shows its result now."""
    response = HttpResponse()
    response["HX-Refresh"] = "true"
    return response


def _frame(request: HttpRequest, run: Run) -> dict[str, Any]:
    return {
        "run": run,
        "arms": list(run.arms.all()),
        "may_edit": request.membership.may(Right.EDIT),
        "has_missing": not run.is_active and Output.objects.filter(run=run).exclude(state=Output.State.DONE).exists(),
    }


def _result(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Return the verdict, its picture, and the page of cases that the filter asks for."""
    arms = sorted(run.arms.all(), key=lambda arm: arm.position)
    live = next((arm for arm in arms if arm.role == RunArm.Role.BASELINE), None)
    candidates = [arm for arm in arms if arm is not live]
    arm = next((arm for arm in candidates if str(arm.pk) == request.GET.get("arm")), candidates[0])
    chosen = request.GET.get("show", "all")
    if chosen not in tables.FILTERS or (live is None and chosen in tables.COMPARING):
        chosen = "all"
    after = request.GET.get("after", "")
    figures = run.summary or {}
    comparison = next((item for item in figures.get("comparisons", []) if item["arm"] == arm.pk), None)
    own = next((item for item in figures.get("arms", []) if item["arm"] == arm.pk), None)
    return {
        "verdict": comparison["sentence"] if comparison else reporting.verdict(run),
        "comparison": comparison,
        "picture": pictures.difference(comparison) if comparison else pictures.share(own["rate"]) if own else None,
        "figures": [_readable(item) for item in figures.get("arms", [])],
        "assertions": _by_assertion(figures),
        "arm": arm,
        "live": live,
        "chosen": chosen,
        "tabs": _tabs(request, run, live, chosen, arm),
        "table": tables.case_page(run, arm, live, chosen=chosen, after=int(after) if after.isdecimal() else 0),
    }


def _readable(figures: dict[str, Any]) -> dict[str, Any]:
    """Return an arm's figures with money as Decimal again: JSON kept it as text."""
    money = {name: Decimal(figures[name]) if figures[name] else None for name in ("cost", "cost_per_answer")}
    return {**figures, **money}


def _by_assertion(figures: dict[str, Any]) -> list[dict[str, Any]]:
    arms = [str(arm["arm"]) for arm in figures.get("arms", [])]
    return [
        {"title": row["title"], "cells": [row["arms"].get(arm) for arm in arms]}
        for row in figures.get("assertions", [])
    ]


def _tabs(request: HttpRequest, run: Run, live: RunArm | None, chosen: str, arm: RunArm) -> list[dict[str, Any]]:
    address = reverse("run_detail", kwargs={"workspace": request.workspace.slug, "run_id": run.pk})
    return [
        {"label": label, "url": f"{address}?show={name}&arm={arm.pk}", "active": name == chosen}
        for name, label in tables.FILTERS.items()
        if live or name not in tables.COMPARING
    ]


@require_POST
@requires(Right.EDIT)
def run_cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    """Stop a run."""
    actions.cancel_run(run=_run(request, run_id), acting_user=request.user)
    return redirect("run_detail", workspace=request.workspace.slug, run_id=run_id)


@require_POST
@requires(Right.EDIT)
def run_resume(request: HttpRequest, run_id: int) -> HttpResponse:
    """Go on with a run: ask again for what is missing."""
    actions.resume_run(run=_run(request, run_id), acting_user=request.user)
    return redirect("run_detail", workspace=request.workspace.slug, run_id=run_id)


@require_GET
@requires(Right.VIEW)
def run_export(request: HttpRequest, run_id: int) -> StreamingHttpResponse:
    """Hand out every output of a run as CSV."""
    run = _run(request, run_id)
    response = StreamingHttpResponse(exporting.lines(run), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="run-{run.pk}.csv"'
    return response


@require_GET
@requires(Right.VIEW)
def run_case(request: HttpRequest, run_id: int, case_id: int) -> HttpResponse:
    """Show what each version answered to one case, side by side."""
    run = _run(request, run_id)
    case = get_object_or_404(Case.objects.filter(outputs__run=run).distinct(), pk=case_id)
    columns = tables.answers(run, case)
    for column in columns:
        column["messages"] = asking.messages(column["arm"].version, case.inputs)
    context = {"run": run, "case": case, "columns": columns}
    return page(request, "experiments/run_case.html", context, fragment="answers")


@require_GET
@requires(Right.VIEW)
def output_detail(request: HttpRequest, output_id: int) -> HttpResponse:
    """Lead to the case that an output answers: the address that its calls carry."""
    output = get_object_or_404(Output, pk=output_id, run__workspace=request.workspace)
    return redirect("run_case", workspace=request.workspace.slug, run_id=output.run_id, case_id=output.case_id)
