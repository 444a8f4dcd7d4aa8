from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import Conflict, DomainError
from apps.core.htmx import HttpRequest, page
from apps.experiments import actions, assertions, boards
from apps.experiments.forms import BLANK_ROWS, RunForm, SuiteForm, assertion_rows, assertions_of, type_choices
from apps.experiments.models import Suite

read_or_write = require_http_methods(["GET", "HEAD", "POST"])


def _suite(request: HttpRequest, suite_id: int) -> Suite:
    suites = Suite.objects.select_related("prompt", "dataset", "workspace")
    return get_object_or_404(suites, pk=suite_id, workspace=request.workspace)


@require_GET
@requires(Right.VIEW)
def suite_detail(request: HttpRequest, suite_id: int) -> HttpResponse:
    """Show what a suite asks for, its runs, and the form that starts another."""
    suite = _suite(request, suite_id)
    return _suite_page(request, suite, None)


def _suite_page(request: HttpRequest, suite: Suite, form: RunForm | None, status: int = 200) -> HttpResponse:
    cases = suite.dataset.cases.current().count()
    before = request.GET.get("before", "")
    lines, more = boards.runs_before(request.workspace, int(before) if before.isdecimal() else None, suite)
    context = {
        "suite": suite,
        "rows": [{"title": assertions.title(row), "weight": row["weight"]} for row in suite.assertions],
        "case_count": cases,
        "lines": lines,
        "more": more,
        "form": form or RunForm(suite, initial=boards.proposed_arms(suite), cases=cases),
        "may_edit": request.membership.may(Right.EDIT),
    }
    return page(request, "experiments/suite_detail.html", context, status=status)


@read_or_write
@requires(Right.EDIT)
def suite_create(request: HttpRequest) -> HttpResponse:
    """Make a suite for a prompt."""
    form = SuiteForm(request.workspace, request.POST or None, initial={"prompt": request.GET.get("prompt")})
    if request.method == "POST" and "more" not in request.POST and form.is_valid():
        try:
            suite = actions.create_suite(
                prompt=form.cleaned_data["prompt"], **_rules(request, form), acting_user=request.user
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("suite_detail", workspace=request.workspace.slug, suite_id=suite.pk)
    return _editor(request, form, None)


@read_or_write
@requires(Right.EDIT)
def suite_edit(request: HttpRequest, suite_id: int) -> HttpResponse:
    """Change a suite."""
    suite = _suite(request, suite_id)
    form = SuiteForm(request.workspace, request.POST or None, suite=suite, initial=SuiteForm.initial_of(suite))
    if request.method == "POST" and "more" not in request.POST and form.is_valid():
        version = request.POST.get("version", "")
        try:
            actions.update_suite(
                suite=suite,
                **_rules(request, form),
                version=int(version) if version.isdecimal() else 0,
                acting_user=request.user,
            )
        except Conflict:
            raise
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("suite_detail", workspace=request.workspace.slug, suite_id=suite.pk)
    return _editor(request, form, suite)


def _rules(request: HttpRequest, form: SuiteForm) -> dict[str, Any]:
    data = form.cleaned_data
    return {
        "name": data["name"],
        "dataset": data["dataset"],
        "rules": form.rules(assertions_of(request.POST.dict())),
    }


def _editor(request: HttpRequest, form: SuiteForm, suite: Suite | None) -> HttpResponse:
    posted = request.POST.dict() if request.method == "POST" else None
    wants_rows = "more" in request.POST
    rows = assertion_rows(posted, suite.assertions if suite else [], BLANK_ROWS)
    context = {"form": form, "suite": suite, "rows": rows, "types": type_choices(), "wants_rows": wants_rows}
    return page(request, "experiments/suite_edit.html", context, status=422 if form.errors and not wants_rows else 200)


@require_POST
@requires(Right.EDIT)
def suite_archive(request: HttpRequest, suite_id: int) -> HttpResponse:
    """Take a suite out of use."""
    actions.archive_suite(suite=_suite(request, suite_id), acting_user=request.user)
    return redirect("experiments_home", workspace=request.workspace.slug)


@require_POST
@requires(Right.EDIT)
def run_start(request: HttpRequest, suite_id: int) -> HttpResponse:
    """Start a run of a suite."""
    suite = _suite(request, suite_id)
    form = RunForm(suite, request.POST, cases=suite.dataset.cases.current().count())
    if form.is_valid():
        try:
            run = actions.start_run(
                suite=suite,
                arms=[actions.Arm(*arm) for arm in form.arms()],
                reuse=form.cleaned_data.get("reuse", False),
                acting_user=request.user,
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("run_detail", workspace=request.workspace.slug, run_id=run.pk)
    return _suite_page(request, suite, form, status=422)
