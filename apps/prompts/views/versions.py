"""Saved versions: reading, comparing, restoring."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import Conflict
from apps.core.htmx import HttpRequest, page
from apps.costs import spend
from apps.costs.models import Purpose
from apps.prompts import actions, boards, diffs
from apps.prompts.models import Deployment, Environment, Prompt, Version
from apps.prompts.views.prompts import find, frame


def find_version(prompt: Prompt, number: int) -> Version:
    """Return the prompt's version of that number or raise Http404."""
    return get_object_or_404(prompt.versions.select_related("author", "prompt__workspace"), number=number)


@require_GET
@requires(Right.VIEW)
def version_list(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    context = {
        **frame(request, prompt, "versions"),
        "versions": prompt.versions.select_related("author").newest_first()[:200],
        "live": boards.live_of(prompt),
        "spend": spend.by_version(request.workspace.pk, prompt.pk, Purpose.PRODUCTION),
    }
    return page(request, "prompts/version_list.html", context)


@require_GET
@requires(Right.VIEW)
def version_detail(request: HttpRequest, prompt_id: int, number: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    version = find_version(prompt, number)
    live = boards.live_of(prompt)
    top = live[-1] if live else None
    context = {
        **frame(request, prompt, "versions"),
        "version": version,
        "live": live,
        "top": top,
        "diff": diffs.between(top.version if top else None, version),
        "environments": boards.environments_of(request.workspace),
        "may_promote": [e for e in boards.environments_of(request.workspace) if _may_deploy(request, e, version, live)],
    }
    return page(request, "prompts/version_detail.html", context)


def _may_deploy(request: HttpRequest, environment: Environment, version: Version, live: list[Deployment]) -> bool:
    """Offer the direct way only where the environment asks for no request and this version is not live."""
    there = any(d.environment_id == environment.pk and d.version.pk == version.pk for d in live)
    return not environment.is_guarded and not there and request.membership.may_promote(environment.name)


@require_GET
@requires(Right.VIEW)
def version_compare(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    before, after = (find_version(prompt, _number(request, name)) for name in ("from", "to"))
    context = {
        **frame(request, prompt, "versions"),
        "before": before,
        "after": after,
        "diff": diffs.between(before, after),
        "versions": prompt.versions.newest_first()[:200],
    }
    return page(request, "prompts/version_compare.html", context)


def _number(request: HttpRequest, name: str) -> int:
    number = text.whole_number(request.GET.get(name, ""))
    if number is None:
        raise Http404
    return number


@require_POST
@requires(Right.EDIT)
def version_restore(request: HttpRequest, prompt_id: int, number: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    version = find_version(prompt, number)
    try:
        actions.open_draft(prompt=prompt, acting_user=request.user, start_from=version)
    except Conflict as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, f"Your draft starts from version {number}.")
    return redirect("draft_edit", workspace=request.workspace.slug, prompt_id=prompt.pk)
