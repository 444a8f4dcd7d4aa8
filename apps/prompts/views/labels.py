"""Labels of a prompt: a panel of other pages, and moving them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions
from apps.prompts.views.prompts import find
from apps.prompts.views.versions import find_version


@require_GET
@requires(Right.VIEW)
def label_list(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Show the labels and, to who may edit, how to move them; hosted by the pages of a prompt."""
    prompt = find(request, prompt_id)
    context = {
        "prompt": prompt,
        "labels": prompt.labels.by_name(),
        "versions": prompt.versions.for_rows().newest_first()[:100],
        "may_edit": request.membership.may(Right.EDIT),
    }
    return page(request, "prompts/label_list.html", context, fragment="labels")


@require_POST
@requires(Right.EDIT)
def label_move(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    version = find_version(prompt, text.whole_number(request.POST.get("version", "")) or 0)
    label = actions.move_label(version=version, name=request.POST.get("name", ""), actor=request.user)
    messages.success(request, f"{label.name} points at version {version.number}.")
    return redirect("version_list", workspace=request.workspace.slug, prompt_id=prompt.pk)


@require_POST
@requires(Right.EDIT)
def label_remove(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    name = request.POST.get("name", "")
    actions.remove_label(prompt=prompt, name=name, actor=request.user)
    messages.success(request, f"The label {name} is gone.")
    return redirect("version_list", workspace=request.workspace.slug, prompt_id=prompt.pk)
