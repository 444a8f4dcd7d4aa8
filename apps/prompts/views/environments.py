"""Environments and their policies, as sentences."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.accounts.views.frame import posted, settings_page
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, policy_words, usage
from apps.prompts.models import Environment
from apps.prompts.policy_forms import NameForm, PolicyForm


def _find(request: HttpRequest, name: str) -> Environment:
    return get_object_or_404(request.workspace.environments.select_related("workspace"), name=name)


@require_http_methods(["GET", "POST"])
@requires(Right.ADMIN)
def environment_list(request: HttpRequest) -> HttpResponse:
    """Show the environments in their order, and add one at the end."""
    form = NameForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create_environment(
                workspace=request.workspace, name=form.cleaned_data["name"], acting_user=request.user
            )
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, f"{made.name} is there, as strict as the one before it.")
            return redirect("environment_edit", workspace=request.workspace.slug, name=made.name)
    status = 422 if request.method == "POST" else 200
    context = {"places": policy_words.places_of(request.workspace), "form": form}
    return settings_page(request, "prompts/environment_list.html", context, here="environment_list", status=status)


@require_http_methods(["GET", "POST"])
@requires(Right.ADMIN)
def environment_edit(request: HttpRequest, name: str) -> HttpResponse:
    environment = _find(request, name)
    form = PolicyForm(posted(request), environment=environment)
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_policy(environment=environment, acting_user=request.user, **form.asked())
        except DomainError as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"The policy of {environment.name} is changed.")
            return redirect("environment_list", workspace=request.workspace.slug)
    status = 422 if request.method == "POST" else 200
    context = {
        "environment": environment,
        "form": form,
        "sentence": policy_words.sentence_of(environment),
        **_preview(environment, form),
    }
    return settings_page(request, "prompts/environment_edit.html", context, here="environment_list", status=status)


@require_POST
@requires(Right.ADMIN)
def environment_preview(request: HttpRequest, name: str) -> HttpResponse:
    """Say in a sentence what the form asks for so far, and who could not meet it."""
    environment = _find(request, name)
    form = PolicyForm(request.POST, environment=environment)
    form.is_valid()
    context = {"environment": environment, "form": form, **_preview(environment, form)}
    return page(request, "prompts/_environment_preview.html", context)


def _preview(environment: Environment, form: PolicyForm) -> dict[str, Any]:
    if not form.is_bound:
        return {"preview": policy_words.sentence_of(environment), "notes": policy_words.notes_of(environment)}
    if form.errors:
        texts = [str(text) for texts in form.errors.values() for text in texts]
        return {"preview": "", "problems": list(dict.fromkeys(texts))}
    try:
        wanted = form.wanted()
    except DomainError as error:
        return {"preview": "", "problems": [error.message]}
    return {
        "preview": policy_words.sentence_of(environment, wanted),
        "notes": policy_words.notes_of(environment, wanted),
    }


@require_http_methods(["GET", "POST"])
@requires(Right.ADMIN)
def environment_rename(request: HttpRequest, name: str) -> HttpResponse:
    environment = _find(request, name)
    form = NameForm(posted(request), initial={"name": environment.name})
    if request.method == "POST" and form.is_valid():
        try:
            renamed = actions.rename_environment(
                environment=environment, name=form.cleaned_data["name"], acting_user=request.user
            )
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, f"{name} is called {renamed.name} now.")
            return redirect("environment_list", workspace=request.workspace.slug)
    status = 422 if request.method == "POST" else 200
    context = {"environment": environment, "form": form, "uses": usage.uses_of(environment)}
    return settings_page(request, "prompts/environment_rename.html", context, here="environment_list", status=status)


@require_POST
@requires(Right.ADMIN)
def environment_move(request: HttpRequest, name: str) -> HttpResponse:
    environment = _find(request, name)
    up = request.POST.get("to") == "later"
    if actions.move_environment(environment=environment, up=up, acting_user=request.user):
        messages.success(request, f"{name} comes {'later' if up else 'earlier'} now.")
    return redirect("environment_list", workspace=request.workspace.slug)


@require_http_methods(["GET", "POST"])
@requires(Right.ADMIN)
def environment_delete(request: HttpRequest, name: str) -> HttpResponse:
    """Say what holds on to an environment, or take it away."""
    environment = _find(request, name)
    if request.method == "POST":
        actions.delete_environment(environment=environment, acting_user=request.user)
        messages.success(request, f"{name} is gone.")
        return redirect("environment_list", workspace=request.workspace.slug)
    context = {"environment": environment, "uses": usage.uses_of(environment)}
    return settings_page(request, "prompts/environment_delete.html", context, here="environment_list")
