"""The page of one prompt, and beginning a new one."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import counting
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.costs import spend
from apps.costs.models import Purpose
from apps.prompts import actions, boards, items, snippets, starters, timelines, variables
from apps.prompts.forms import PromptForm
from apps.prompts.models import Deployment, Prompt, Version


def find(request: HttpRequest, prompt_id: int) -> Prompt:
    """Return the workspace's prompt or raise Http404."""
    return get_object_or_404(request.workspace.prompts.select_related("workspace", "owner"), pk=prompt_id)


def frame(request: HttpRequest, prompt: Prompt, tab: str) -> dict[str, Any]:
    """Return what every page of a prompt shows around its content: the prompt, its tabs, what this member may do."""
    may_edit = request.membership.may(Right.EDIT)
    tabs = [("overview", "Overview", "prompt_detail"), ("versions", "Versions", "version_list")]
    if may_edit:
        tabs.insert(1, ("draft", "Draft", "draft_edit"))
        tabs.append(("try", "Try", "prompt_try"))
    tabs += [
        ("deployments", "Deployments", "deployment_list"),
        ("running", "Running", "prompt_running"),
        ("use", "Use it", "prompt_use"),
    ]
    if may_edit:
        tabs.append(("settings", "Settings", "prompt_settings"))
    place = {"workspace": request.workspace.slug, "prompt_id": prompt.pk}
    return {
        "prompt": prompt,
        "may_edit": may_edit,
        "tabs": [
            {"label": label, "url": reverse(url_name, kwargs=place), "active": name == tab}
            for name, label, url_name in tabs
        ],
    }


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def prompt_new(request: HttpRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "")[:255] for name in ("name", "starter")}
    form = PromptForm(request.POST or None, initial=asked)
    if request.method == "POST" and form.is_valid():
        try:
            prompt = actions.create_prompt(workspace=request.workspace, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            return redirect("draft_edit", workspace=request.workspace.slug, prompt_id=prompt.pk)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "starters": starters.STARTERS, "chosen": starters.find(form["starter"].value() or "")}
    return page(request, "prompts/prompt_new.html", context, status=status)


@require_GET
@requires(Right.VIEW)
def prompt_detail(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    versions = list(prompt.versions.select_related("author", "author_key").for_rows().newest_first()[:30])
    live = boards.live_of(prompt)
    shown = _shown(live, versions)
    open_requests, drafts = counting.counts(
        boards.requests_of(prompt).waiting(), prompt.drafts.filter(author=request.user)
    )
    context = {
        **frame(request, prompt, "overview"),
        "live": live,
        "shown": shown,
        "versions": versions[:10],
        "spend": spend.by_version(request.workspace.pk, prompt.pk, Purpose.PRODUCTION),
        "open_requests": open_requests,
        "timeline": timelines.timeline(prompt, versions),
        "has_draft": bool(drafts),
    }
    return page(request, "prompts/prompt_detail.html", context)


def _shown(live: list[Deployment], versions: list[Version]) -> Version | None:
    """Choose the text to open on: what is live highest up, else the newest version."""
    if live:
        return live[-1].version
    return versions[0].prompt.versions.get(pk=versions[0].pk) if versions else None


@require_GET
@requires(Right.VIEW)
def prompt_use(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    environments = boards.environments_of(request.workspace)
    live = {deployment.environment.name: deployment.version for deployment in boards.live_of(prompt)}
    highest = next((place.name for place in reversed(environments) if place.name in live), "production")
    chosen = request.GET.get("environment", highest)
    version = live.get(chosen)
    context = {
        **frame(request, prompt, "use"),
        "version": version,
        "chosen": chosen,
        "places": [
            {"label": place.name, "url": f"?environment={place.name}", "active": place.name == chosen}
            for place in environments
        ],
        "snippets": snippets.snippets(_subject(prompt, chosen, version)),
    }
    return page(request, "prompts/prompt_use.html", context)


def _subject(prompt: Prompt, environment: str, version: Version | None) -> snippets.Subject:
    return snippets.Subject(
        base_url=settings.PUBLIC_URL,
        name=prompt.name,
        kind=prompt.kind,
        environment=environment,
        format=version.format if version else "mustache",
        values=variables.example_values(version.variables) if version else {},
        placeholders=tuple(items.placeholders(version.messages)) if version else (),
    )
