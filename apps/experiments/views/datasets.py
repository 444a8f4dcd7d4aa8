from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import Conflict, DomainError
from apps.core.htmx import HttpRequest, page
from apps.experiments import actions, boards
from apps.experiments.forms import CaseForm, DatasetForm, ImportForm, input_rows, inputs_of
from apps.experiments.importing import NewCase
from apps.experiments.models import Case, Dataset

read_or_write = require_http_methods(["GET", "HEAD", "POST"])


def _dataset(request: HttpRequest, dataset_id: int) -> Dataset:
    return get_object_or_404(Dataset.objects.active(), pk=dataset_id, workspace=request.workspace)


def _whole_number(request: HttpRequest, name: str) -> int:
    value = request.GET.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 18 else 0


@require_GET
@requires(Right.VIEW)
def dataset_list(request: HttpRequest) -> HttpResponse:
    """Show the workspace's datasets."""
    datasets = request.workspace.datasets.active().with_counts().order_by("name")
    context = {"datasets": datasets[:500], "may_edit": request.membership.may(Right.EDIT)}
    return page(request, "experiments/dataset_list.html", context)


@read_or_write
@requires(Right.EDIT)
def dataset_create(request: HttpRequest) -> HttpResponse:
    """Make a dataset."""
    form = DatasetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            dataset = actions.create_dataset(workspace=request.workspace, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            return redirect("dataset_detail", workspace=request.workspace.slug, dataset_id=dataset.pk)
    return page(request, "experiments/dataset_create.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@requires(Right.VIEW)
def dataset_detail(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Show a dataset's cases, a page at a time."""
    dataset = _dataset(request, dataset_id)
    cases, more = boards.cases_after(dataset, _whole_number(request, "after"))
    context = {
        "dataset": dataset,
        "cases": cases,
        "more": more,
        "case_count": dataset.cases.current().count(),
        "names": boards.input_names(dataset),
        "suites": dataset.suites.active().select_related("prompt").order_by("name")[:50],
        "may_edit": request.membership.may(Right.EDIT),
    }
    return page(request, "experiments/dataset_detail.html", context)


@read_or_write
@requires(Right.EDIT)
def dataset_import(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Add cases from a file or a pasted text, all or none."""
    dataset = _dataset(request, dataset_id)
    posted = request.method == "POST"
    form = ImportForm(request.POST, request.FILES) if posted else ImportForm()
    if posted and form.is_valid():
        try:
            cases = actions.import_cases(
                dataset=dataset, content=form.cleaned_data["content"], acting_user=request.user
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"{len(cases):,} cases were added.")
            return redirect("dataset_detail", workspace=request.workspace.slug, dataset_id=dataset.pk)
    context = {"form": form, "dataset": dataset}
    return page(request, "experiments/dataset_import.html", context, status=422 if form.errors else 200)


@require_POST
@requires(Right.EDIT)
def dataset_archive(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Take a dataset out of the lists."""
    actions.archive_dataset(dataset=_dataset(request, dataset_id), acting_user=request.user)
    return redirect("dataset_list", workspace=request.workspace.slug)


@read_or_write
@requires(Right.EDIT)
def case_create(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Add one case by hand."""
    dataset = _dataset(request, dataset_id)
    form = CaseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.add_cases(dataset=dataset, cases=[_new_case(request, form, None)], acting_user=request.user)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("dataset_detail", workspace=request.workspace.slug, dataset_id=dataset.pk)
    return _case_page(request, form, dataset, None)


@read_or_write
@requires(Right.EDIT)
def case_edit(request: HttpRequest, case_id: int) -> HttpResponse:
    """Change a case; what it was stays with the runs that used it."""
    cases = Case.objects.current().select_related("dataset__workspace")
    case = get_object_or_404(cases, pk=case_id, dataset__workspace=request.workspace)
    initial = {"name": case.name, "expected": case.expected, "tags": ", ".join(case.tags)}
    form = CaseForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.edit_case(case=case, new=_new_case(request, form, case), acting_user=request.user)
        except Conflict:
            raise
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return redirect("dataset_detail", workspace=request.workspace.slug, dataset_id=case.dataset_id)
    return _case_page(request, form, case.dataset, case)


def _new_case(request: HttpRequest, form: CaseForm, case: Case | None) -> NewCase:
    data = form.cleaned_data
    inputs = inputs_of(request.POST.dict(), case)
    return NewCase(inputs=inputs, name=data["name"], expected=data["expected"], tags=form.tag_list())


def _case_page(request: HttpRequest, form: CaseForm, dataset: Dataset, case: Case | None) -> HttpResponse:
    posted = request.POST.dict() if request.method == "POST" else None
    rows = input_rows(posted, case, boards.input_names(dataset))
    context = {"form": form, "dataset": dataset, "case": case, "rows": rows}
    return page(request, "experiments/case_edit.html", context, status=422 if form.errors else 200)


@require_POST
@requires(Right.EDIT)
def case_remove(request: HttpRequest, case_id: int) -> HttpResponse:
    """Take a case out of the next version of its dataset."""
    cases = Case.objects.current().select_related("dataset__workspace")
    case = get_object_or_404(cases, pk=case_id, dataset__workspace=request.workspace)
    actions.remove_case(case=case, acting_user=request.user)
    return redirect("dataset_detail", workspace=request.workspace.slug, dataset_id=case.dataset_id)
