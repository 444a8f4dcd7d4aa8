"""Saved inputs of the playground."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, columns, inputs
from apps.prompts.models import InputSet, Prompt
from apps.prompts.views.prompts import find


@require_POST
@requires(Right.EDIT)
def input_set_save(request: HttpRequest, prompt_id: int) -> HttpResponse:
    """Keep what stands in the fields under a name."""
    prompt = find(request, prompt_id)
    sources = columns.sources_of(prompt, request.user)
    chosen = columns.asked_for(request.POST) or columns.first_choice(sources)
    contract, problem = columns.contract_of(sources, chosen)
    if problem:
        raise DomainError(problem)
    saved = actions.save_input_set(
        prompt=prompt,
        name=request.POST.get("name", ""),
        values=inputs.read(request.POST, contract),
        replaces=prompt.input_sets.named(request.POST.get("loaded")),
        acting_user=request.user,
    )
    return _sets_changed(request, prompt, f'"{saved.name}" is saved.', loaded=saved)


@require_POST
@requires(Right.EDIT)
def input_set_rename(request: HttpRequest, prompt_id: int, set_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    renamed = actions.rename_input_set(
        input_set=_own_set(prompt, set_id), name=request.POST.get("name", ""), acting_user=request.user
    )
    return _sets_changed(request, prompt, f'It is called "{renamed.name}" now.', loaded=renamed)


@require_POST
@requires(Right.EDIT)
def input_set_delete(request: HttpRequest, prompt_id: int, set_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    gone = _own_set(prompt, set_id)
    actions.delete_input_set(input_set=gone, acting_user=request.user)
    return _sets_changed(request, prompt, f'"{gone.name}" is deleted.')


def _sets_changed(request: HttpRequest, prompt: Prompt, said: str, loaded: InputSet | None = None) -> HttpResponse:
    if request.htmx:
        context = {"prompt": prompt, "sets": prompt.input_sets.by_name(), "loaded": loaded, "said": said}
        return page(request, "prompts/prompt_try.html", context, fragment="sets")
    messages.success(request, said)
    url = reverse("prompt_try", kwargs={"workspace": request.workspace.slug, "prompt_id": prompt.pk})
    return redirect(f"{url}?set={loaded.pk}" if loaded else url)


def _own_set(prompt: Prompt, set_id: int) -> InputSet:
    return get_object_or_404(prompt.input_sets.select_related("prompt__workspace"), pk=set_id)
