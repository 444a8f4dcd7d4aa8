"""Where a prompt is running."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.htmx import HttpRequest, page
from apps.prompts import whereabouts
from apps.prompts.views.prompts import find, frame


@require_GET
@requires(Right.VIEW)
def prompt_running(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    places, pinned = whereabouts.of(prompt, timezone.now())
    context = {**frame(request, prompt, "running"), "places": places, "pinned": pinned}
    return page(request, "prompts/prompt_running.html", context, fragment="running")
