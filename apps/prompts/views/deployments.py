"""What was live when, and changing it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, boards
from apps.prompts.forms import ReasonForm
from apps.prompts.history import as_of, lanes_of_prompt
from apps.prompts.models import Deployment, Environment, Prompt
from apps.prompts.request_forms import AsOfForm
from apps.prompts.views.history import picture_of
from apps.prompts.views.prompts import find, frame
from apps.prompts.views.versions import find_version


@require_GET
@requires(Right.VIEW)
def deployment_list(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    history = list(boards.history(prompt)[:200])
    tips = boards.tips_of(prompt)
    places = boards.environments_of(request.workspace)
    context = {
        **frame(request, prompt, "deployments"),
        "history": history,
        "cards": [_card(request, tip) for tip in tips],
        "environments": places,
        **picture_of(request, lambda shown: lanes_of_prompt(prompt, places, shown)),
        **_as_of(request, prompt, places),
    }
    return page(request, "prompts/deployment_list.html", context)


def _as_of(request: HttpRequest, prompt: Prompt, places: list[Environment]) -> dict[str, object]:
    """Answer what was live at the moment that is asked for, place by place, highest first; nothing when none is."""
    form = AsOfForm(request.GET if "at" in request.GET else None)
    moment = form.cleaned_data["at"] if form.is_bound and form.is_valid() else None
    then = as_of(request.workspace, moment, [prompt]).get(prompt.pk, {}) if moment else {}
    answers = [{"environment": place, "deployment": then.get(place.pk)} for place in reversed(places)]
    return {"as_of_form": form, "moment": moment, "answers": answers if moment else []}


def _card(request: HttpRequest, tip: Deployment) -> dict[str, object]:
    """Say what is live in a place, and offer what one click would put back, or take down."""
    may = tip.environment.may_be_changed_by(request.membership)
    return {"tip": tip, "to": boards.undo_target(tip) if may else None, "may_take_down": may and not tip.is_take_down}


@require_POST
@requires(Right.PROMOTE)
def version_deploy(request: HttpRequest, prompt_id: int, number: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    version = find_version(prompt, number)
    environment = get_object_or_404(request.workspace.environments, name=request.POST.get("environment", ""))
    form = read_reason(request)
    actions.deploy(
        version=version,
        environment=environment,
        actor=request.user,
        reason=form["reason"],
        replaces=_seen(request, prompt_id, form["replaces"]),
    )
    messages.success(request, f"Version {number} is live in {environment.name}.")
    return redirect("prompt_detail", workspace=request.workspace.slug, prompt_id=prompt.pk)


@require_POST
@requires(Right.PROMOTE)
def version_roll_back(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    form = read_reason(request)
    tip = _seen(request, prompt_id, form["replaces"])
    if tip is None:
        raise Conflict("This page is out of date. Reload it.")
    to = get_object_or_404(prompt.deployments, pk=text.whole_number(request.POST.get("to", "")))
    made = actions.roll_back(
        prompt=prompt,
        environment=tip.environment,
        to=to,
        replaces=None if tip.is_take_down else tip,
        actor=request.user,
        reason=form["reason"],
    )
    messages.success(request, f"Version {made.version.number} is live again in {tip.environment.name}.")
    return redirect("deployment_list", workspace=request.workspace.slug, prompt_id=prompt.pk)


@require_POST
@requires(Right.PROMOTE)
def version_take_down(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    form = read_reason(request)
    live = _seen(request, prompt_id, form["replaces"])
    if live is None or live.is_take_down:
        raise Conflict("This page is out of date. Reload it.")
    place = live.environment
    actions.take_down(prompt=prompt, environment=place, replaces=live, actor=request.user, reason=form["reason"])
    messages.success(request, f"Nothing of {prompt.name} is live in {place.name} any more.")
    return redirect("deployment_list", workspace=request.workspace.slug, prompt_id=prompt.pk)


def read_reason(request: HttpRequest) -> dict[str, Any]:
    """Return {"reason", "replaces"} as sent. Raises DomainError for what cannot be kept."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise DomainError("The reason must be text of at most 4,000 characters.")
    return form.cleaned_data


def _seen(request: HttpRequest, prompt_id: int, pk: int | None) -> Deployment | None:
    """Return the deployment that the page showed as live."""
    if pk is None:
        return None
    found = Deployment.objects.filter(prompt__workspace=request.workspace, prompt=prompt_id)
    return get_object_or_404(found.select_related("environment__workspace"), pk=pk)
