"""Comparing any two texts of a prompt: versions, the own draft, what is live somewhere."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.htmx import HttpRequest, page
from apps.prompts import boards, diffs
from apps.prompts.models import Deployment, Draft, Prompt, Version
from apps.prompts.views.prompts import find, frame

LIVE = "live:"
VIEWS = ("inline", "split")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: its spelling in the address, its name for people, its content."""

    key: str
    label: str
    content: Version | Draft
    version: Version | None


@require_GET
@requires(Right.VIEW)
def version_compare(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    live = boards.live_of(prompt)
    before, after = (_side(request, prompt, live, request.GET.get(name, "")) for name in ("from", "to"))
    view = request.GET.get("view", "")
    view = view if view in VIEWS else VIEWS[0]
    here = reverse("version_compare", kwargs={"workspace": request.workspace.slug, "prompt_id": prompt.pk})
    context = {
        **frame(request, prompt, "versions"),
        "before": before,
        "after": after,
        "view": view,
        "diff": diffs.between(before.content, after.content),
        "choices": _choices(request, prompt, live),
        "swap_url": f"{here}?{urlencode({'from': after.key, 'to': before.key, 'view': view})}",
        "views": [
            {
                "label": label,
                "url": f"{here}?{urlencode({'from': before.key, 'to': after.key, 'view': name})}",
                "active": name == view,
            }
            for name, label in zip(VIEWS, ("Inline", "Side by side"), strict=True)
        ],
    }
    return page(request, "prompts/version_compare.html", context)


def _side(request: HttpRequest, prompt: Prompt, live: list[Deployment], key: str) -> Side:
    """Read "7", "draft" or "live:production". Raises Http404 for what is not there."""
    if key == "draft":
        draft = prompt.drafts.filter(author=request.user).first()
        if draft:
            return Side(key, "your draft", draft, None)
    elif key.startswith(LIVE):
        for deployment in live:
            if deployment.environment.name == key.removeprefix(LIVE):
                version = deployment.version
                return Side(key, f"v{version.number}, live in {deployment.environment.name}", version, version)
    else:
        number = text.whole_number(key)
        found = prompt.versions.select_related("author").filter(number=number).first() if number else None
        if found:
            return Side(key, f"v{found.number}", found, found)
    raise Http404


def _choices(request: HttpRequest, prompt: Prompt, live: list[Deployment]) -> list[tuple[str, str]]:
    """Return what either side may be: the draft, what is live, and the newest versions."""
    found = [("draft", "Your draft")] if prompt.drafts.filter(author=request.user).exists() else []
    found += [
        (f"{LIVE}{one.environment.name}", f"Live in {one.environment.name} (v{one.version.number})") for one in live
    ]
    versions = prompt.versions.newest_first().values_list("number", "message")[:500]
    return found + [(str(number), f"v{number} {message[:60]}") for number, message in versions]
