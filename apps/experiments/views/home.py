from django.http import HttpResponse
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.experiments import boards


@require_GET
@requires(Right.VIEW)
def experiments_home(request: HttpRequest) -> HttpResponse:
    """Show what is proved and what is being proved: suites with their last result, and runs in progress."""
    context = {
        "suites": boards.suites(request.workspace),
        "active_runs": boards.active_runs(request.workspace),
        "dataset_count": request.workspace.datasets.active().count(),
        "may_edit": request.membership.may(Right.EDIT),
    }
    return page(request, "experiments/experiments_home.html", context, fragment="running")
