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
from apps.experiments import actions, asking, boards, exporting, holdups, pictures, reporting, tables
from apps.experiments.models import Case, Output, Run
from apps.experiments.tables import Selection
from apps.prompts import diffs


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
        polls = bool(request.htmx) and request.htmx.target == "progress"
        now = timezone.now()
        progress = {"progress": boards.progress(run, now), "holdups": holdups.of_run(run, now), "oob": polls}
        context = {**progress, **_frame(request, run)}
        return page(request, "experiments/run_detail.html", context, fragment="progress")
    if request.htmx and request.htmx.target == "progress":
        return _reload()
    boards.ensure_figures(run)
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
        "may_administer": request.membership.may(Right.ADMIN),
        "refused_connections": boards.refused_connections(run),
        "has_missing": not run.is_active and Output.objects.filter(run=run).exclude(state=Output.State.DONE).exists(),
    }


def _result(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Return the verdict, its picture, and the page of cases that the filter asks for."""
    selection = _selection(request, run)
    arm = selection.arm
    figures = run.summary or {}
    comparison = next((item for item in figures.get("comparisons", []) if item["arm"] == arm.pk), None)
    own = next((item for item in figures.get("arms", []) if item["arm"] == arm.pk), None)
    return {
        "verdict": comparison["sentence"] if comparison else reporting.verdict(run),
        "answered": any(item["answered"] for item in figures.get("arms", [])),
        "comparison": comparison,
        "part": boards.part_sentence(run),
        "reuse": boards.reuse(run),
        "picture": _picture(comparison, own),
        "figures": [_readable(item) for item in figures.get("arms", [])],
        "assertions": _by_assertion(figures),
        "arm": arm,
        "live": selection.live,
        "selection": selection,
        "tabs": _tabs(request, selection),
        "table": tables.case_page(selection, after=request.GET.get("after", "")),
    }


def _selection(request: HttpRequest, run: Run) -> Selection:
    return tables.select(run, arm=request.GET.get("arm", ""), chosen=request.GET.get("show", "all"))


def _picture(comparison: dict[str, Any] | None, own: dict[str, Any] | None) -> pictures.IntervalPicture | None:
    """Draw the difference, or else the pass rate; where no case was answered there is nothing to draw."""
    if comparison:
        return pictures.difference(comparison) if comparison["n"] else None
    return pictures.share(own["rate"]) if own and own["rate"]["n"] else None


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


def _tabs(request: HttpRequest, selection: Selection) -> list[dict[str, Any]]:
    """Return the filters with how many cases each keeps; of those that seldom keep any, only the ones that do."""
    run, chosen, counts = selection.run, selection.chosen, tables.counts(selection)
    address = reverse("run_detail", kwargs={"workspace": request.workspace.slug, "run_id": run.pk})
    return [
        {
            "label": label,
            "url": f"{address}?show={name}&arm={selection.arm.pk}",
            "active": name == chosen,
            "count": counts[name],
        }
        for name, label in tables.FILTERS.items()
        if (selection.live or name not in tables.COMPARING)
        and (counts[name] or name == chosen or name not in tables.SELDOM)
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
        column["messages"] = asking.messages(column["arm"].version, case.inputs, column["arm"].taken_in)
    selection = _selection(request, run)
    if selection.chosen == "slow" and not run.is_active:
        boards.ensure_figures(run)  # they say what counts as slow
    context = {
        "run": run,
        "case": case,
        "columns": columns,
        "selection": selection,
        "filter": tables.FILTERS[selection.chosen],
        "place": tables.place_of(selection, case),
        **_difference(request, tables.pairs(columns, selection)),
    }
    wants_words = bool(request.htmx) and request.htmx.target == "difference"
    return page(request, "experiments/run_case.html", context, fragment="difference" if wants_words else "answers")


def _difference(request: HttpRequest, pairs: dict[int, tuple[str, str]]) -> dict[str, Any]:
    """Return the repeats whose answers can be compared, and the word diff of the one that was asked for."""
    shown = next((repeat for repeat in pairs if str(repeat) == request.GET.get("diff")), None)
    return {"repeats": list(pairs), "shown": shown, "ops": diffs.words(*pairs[shown]) if shown else None}


@require_GET
@requires(Right.VIEW)
def output_detail(request: HttpRequest, output_id: int) -> HttpResponse:
    """Lead to the case that an output answers: the address that its calls carry."""
    output = get_object_or_404(Output, pk=output_id, run__workspace=request.workspace)
    return redirect("run_case", workspace=request.workspace.slug, run_id=output.run_id, case_id=output.case_id)
