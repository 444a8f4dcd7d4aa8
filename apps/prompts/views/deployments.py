"""What was live when, and changing it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import Conflict
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, boards
from apps.prompts.forms import ReasonForm
from apps.prompts.models import Deployment
from apps.prompts.views.prompts import find, frame
from apps.prompts.views.versions import find_version


@require_GET
@requires(Right.VIEW)
def deployment_list(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    history = list(boards.history(prompt)[:200])
    followed = {deployment.previous_id for deployment in history}
    live = [deployment for deployment in history if deployment.pk not in followed]
    context = {
        **frame(request, prompt, "deployments"),
        "history": history,
        "live": live,
        "undo": [_undo(request, deployment, history) for deployment in live],
        "environments": boards.environments_of(request.workspace),
    }
    return page(request, "prompts/deployment_list.html", context)


def _undo(request: HttpRequest, live: Deployment, history: list[Deployment]) -> dict[str, object]:
    """Find what one click would put back: the newest earlier state with another version, looking past undos."""
    here = [d for d in history if d.environment_id == live.environment_id and d.pk < live.pk]
    to = next((d for d in here if d.version.pk != live.version.pk), None)
    may = request.membership.may_promote(live.environment.name)
    return {"live": live, "to": to, "may": may and to is not None}


@require_POST
@requires(Right.PROMOTE)
def version_deploy(request: HttpRequest, prompt_id: int, number: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    version = find_version(prompt, number)
    environment = get_object_or_404(request.workspace.environments, name=request.POST.get("environment", ""))
    form = ReasonForm(request.POST)
    form.is_valid()
    actions.deploy(
        version=version,
        environment=environment,
        actor=request.user,
        reason=form.cleaned_data.get("reason", ""),
        replaces=_seen(request, prompt_id, form.cleaned_data.get("replaces")),
    )
    messages.success(request, f"Version {number} is live in {environment.name}.")
    return redirect("prompt_detail", workspace=request.workspace.slug, prompt_id=prompt.pk)


@require_POST
@requires(Right.PROMOTE)
def version_roll_back(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    form = ReasonForm(request.POST)
    form.is_valid()
    live = _seen(request, prompt_id, form.cleaned_data.get("replaces"))
    if live is None:
        raise Conflict("This page is out of date. Reload it.")
    value = request.POST.get("to", "")
    to = get_object_or_404(prompt.deployments, pk=int(value) if value.isdigit() else 0)
    made = actions.roll_back(
        prompt=prompt,
        environment=live.environment,
        to=to,
        replaces=live,
        actor=request.user,
        reason=form.cleaned_data.get("reason", ""),
    )
    messages.success(request, f"Version {made.version.number} is live again in {live.environment.name}.")
    return redirect("deployment_list", workspace=request.workspace.slug, prompt_id=prompt.pk)


def _seen(request: HttpRequest, prompt_id: int, pk: int | None) -> Deployment | None:
    """Return the deployment that the page showed as live."""
    if pk is None:
        return None
    found = Deployment.objects.filter(prompt__workspace=request.workspace, prompt=prompt_id)
    return get_object_or_404(found.select_related("environment__workspace"), pk=pk)
