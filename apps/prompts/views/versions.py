"""Saved versions: reading, restoring, exporting."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import Conflict
from apps.core.htmx import HttpRequest, page
from apps.costs import spend
from apps.costs.models import Purpose
from apps.prompts import actions, boards, diffs
from apps.prompts.models import Deployment, Environment, Prompt, Version
from apps.prompts.views.prompts import find, frame


def find_version(prompt: Prompt, number: int) -> Version:
    """Return the prompt's version of that number or raise Http404."""
    return get_object_or_404(prompt.versions.select_related("author", "author_key", "prompt__workspace"), number=number)


@require_GET
@requires(Right.VIEW)
def version_list(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    live = boards.live_of(prompt)
    context = {
        **frame(request, prompt, "versions"),
        "versions": prompt.versions.select_related("author", "author_key").for_rows().newest_first()[:200],
        "live": live,
        "top": live[-1] if live else None,
        "spend": spend.by_version(request.workspace.pk, prompt.pk, Purpose.PRODUCTION),
        "has_draft": prompt.drafts.filter(author=request.user).exists(),
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
    return not environment.is_guarded and not there and environment.may_be_changed_by(request.membership)


@require_POST
@requires(Right.EDIT)
def version_restore(request: HttpRequest, prompt_id: int, number: int) -> HttpResponse:
    """Begin the draft anew from a version; a draft that would be lost is shown first."""
    prompt = find(request, prompt_id)
    version = find_version(prompt, number)
    replace = request.POST.get("replace") == "on"
    try:
        actions.restore_version(version=version, acting_user=request.user, replace=replace)
    except Conflict:
        draft = get_object_or_404(prompt.drafts.select_related("based_on"), author=request.user)
        context = {**frame(request, prompt, "versions"), "version": version, "draft": draft}
        context["diff"] = diffs.between(draft, version)
        return page(request, "prompts/version_restore.html", context, status=409)
    messages.success(request, f"Your draft starts from version {number}.")
    return redirect("draft_edit", workspace=request.workspace.slug, prompt_id=prompt.pk)
