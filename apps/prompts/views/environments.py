"""Environments and their policies, as sentences."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.accounts.views.frame import settings_page
from apps.core.htmx import HttpRequest
from apps.prompts import actions, boards
from apps.prompts.forms import PolicyForm


@require_GET
@requires(Right.ADMIN)
def environment_list(request: HttpRequest) -> HttpResponse:
    context = {"environments": boards.environments_of(request.workspace)}
    return settings_page(request, "prompts/environment_list.html", context, here="environment_list")


@require_http_methods(["GET", "POST"])
@requires(Right.ADMIN)
def environment_edit(request: HttpRequest, name: str) -> HttpResponse:
    environment = get_object_or_404(request.workspace.environments, name=name)
    form = PolicyForm(request.POST or None, initial=environment.policy)
    if request.method == "POST" and form.is_valid():
        actions.update_policy(environment=environment, acting_user=request.user, **form.cleaned_data)
        messages.success(request, f"The policy of {environment.name} is changed.")
        return redirect("environment_list", workspace=request.workspace.slug)
    status = 422 if request.method == "POST" else 200
    context = {"environment": environment, "form": form}
    return settings_page(request, "prompts/environment_edit.html", context, here="environment_list", status=status)
