"""Parts that pages of the rooms below show by URL."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.experiments import actions, rates, reporting
from apps.prompts.models import ChangeRequest, Prompt


@require_GET
@requires(Right.VIEW)
def version_pass_rates(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Show how much of its suites each version of a prompt passed, last time."""
    prompt = get_object_or_404(Prompt, pk=prompt_id, workspace=request.workspace)
    context = {"prompt": prompt, "rows": rates.by_version(prompt)}
    return page(request, "experiments/version_pass_rates.html", context)


@require_GET
@requires(Right.VIEW)
def change_request_tests(request: HttpRequest, request_id: int) -> HttpResponse:
    """Show what the tests say of a change request."""
    change_request = get_object_or_404(request.workspace.change_requests.visible_to(request.user), pk=request_id)
    context = {
        "change_request": change_request,
        "suites": reporting.cards(change_request),
        "standing": reporting.standing_of(change_request, {}),
        "may_start": change_request.is_waiting and request.membership.may(Right.EDIT),
    }
    return page(request, "experiments/change_request_tests.html", context)


@require_POST
@requires(Right.EDIT)
def change_request_tests_start(request: HttpRequest, request_id: int) -> HttpResponse:
    """Start the tests of a change request again."""
    change_request = get_object_or_404(ChangeRequest, pk=request_id, workspace=request.workspace)
    runs = actions.start_change_request_tests(change_request=change_request, acting_user=request.user)
    if runs:
        return redirect("run_detail", workspace=request.workspace.slug, run_id=runs[0].pk)
    return redirect("change_request_detail", workspace=request.workspace.slug, number=change_request.number)
