"""What the playground of the room below shows and does with test cases, by URL."""

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.htmx import HttpRequest, page
from apps.experiments import actions
from apps.experiments.importing import NewCase
from apps.experiments.models import Case, Dataset
from apps.prompts import inputs
from apps.prompts.models import Prompt

LISTED = 50
LONGEST = 32 * text.KILOBYTE


@require_GET
@requires(Right.EDIT)
def prompt_cases(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """List the cases of a prompt's suites: a press puts one's inputs into the fields of the playground."""
    prompt = get_object_or_404(Prompt, pk=prompt_id, workspace=request.workspace)
    datasets = list(actions.tests_of(prompt))
    cases = Case.objects.filter(dataset__in=datasets).current().select_related("dataset")
    rows = list(cases.order_by("dataset__name", "position", "id")[: LISTED + 1])
    context = {
        "prompt": prompt,
        "datasets": datasets,
        "rows": [_row(case) for case in rows[:LISTED]],
        "has_more": len(rows) > LISTED,
    }
    return page(request, "experiments/prompt_cases.html", context)


def _row(case: Case) -> dict[str, Any]:
    written = json.dumps(case.inputs, ensure_ascii=False)
    return {"case": case, "inputs": written if len(written) <= LONGEST else ""}


@require_POST
@requires(Right.EDIT)
def case_keep(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Make a test case of what was tried, with the answer as the one expected where that was asked for."""
    prompt = get_object_or_404(Prompt, pk=prompt_id, workspace=request.workspace)
    expects = request.POST.get("expected") == "on"
    case = NewCase(
        inputs=inputs.from_json(request.POST.get("inputs", "")),
        expected=request.POST.get("answer", "") if expects else "",
        tags=["tried out"],
    )
    kept, dataset = actions.keep_case(
        prompt=prompt, case=case, dataset=_chosen(request, prompt), acting_user=request.user
    )
    if request.htmx:
        context = {"case": kept, "dataset": dataset, "is_tested": actions.tests_of(prompt).exists()}
        return page(request, "experiments/case_keep.html", context)
    messages.success(request, f"{kept.name} is in {dataset.name}.")
    return redirect(reverse("case_edit", kwargs={"workspace": request.workspace.slug, "case_id": kept.pk}))


def _chosen(request: HttpRequest, prompt: Prompt) -> Dataset | None:
    number = text.whole_number(request.POST.get("dataset", ""))
    return actions.tests_of(prompt).filter(pk=number).first() if number is not None else None
