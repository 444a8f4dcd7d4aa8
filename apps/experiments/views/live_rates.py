"""The pass rates of what is live, for the rows of another room's list: one answer fills all their places."""

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.htmx import HttpRequest, page
from apps.experiments import rates

MAX_PROMPTS = 100


@require_GET
@requires(Right.VIEW)
def live_pass_rates(request: HttpRequest) -> HttpResponse:
    """Show how much of its suites each wanted version passed last time: `version=<prompt id>:<number>` for each."""
    wanted: dict[int, int] = {}
    for asked in request.GET.getlist("version")[:MAX_PROMPTS]:
        prompt_id, _, number = asked.partition(":")
        if (key := text.whole_number(prompt_id)) and (value := text.whole_number(number)):
            wanted[key] = value
    found = rates.of_versions(request.workspace, wanted)
    return page(request, "experiments/live_pass_rates.html", {"rates": found})
