"""Who takes a prompt in: a page of its own, and a panel on the prompt's page and on its change requests."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.htmx import HttpRequest, page
from apps.prompts import blast
from apps.prompts.models import Deployment, Environment, Prompt, Version
from apps.prompts.views.prompts import find


@require_GET
@requires(Right.VIEW)
def prompt_blast(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Show the blast radius; with `environment` of a move there, with `version` also what it newly asks of callers.

    The panel is empty when nobody takes the prompt in.
    """
    prompt = find(request, prompt_id)
    name = request.GET.get("environment")
    environment = get_object_or_404(request.workspace.environments, name=name) if name else None
    number = text.whole_number(request.GET.get("version", ""))
    version = prompt.versions.filter(number=number).first() if number else None
    radius = blast.of(prompt, environment)
    context = {
        "prompt": prompt,
        "radius": radius,
        "demands": _demands(prompt, environment, version) if radius.hits else [],
    }
    return page(request, "prompts/prompt_blast.html", context, fragment="panel")


def _demands(prompt: Prompt, environment: Environment | None, version: Version | None) -> list[str]:
    if environment is None or version is None:
        return []
    live = Deployment.objects.by_prompt(environment.pk, [prompt.pk]).get(prompt.pk)
    return blast.new_demands(live.version if live else None, version)
