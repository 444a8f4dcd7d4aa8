from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts import actions
from apps.accounts.access import requires
from apps.accounts.forms import GrantForm
from apps.accounts.rights import ROLE_HELP, Right, Role
from apps.accounts.views.frame import posted, settings_page
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest


@require_safe
@requires(Right.ADMIN)
def member_list(request: HttpRequest) -> HttpResponse:
    context = {
        "memberships": request.workspace.memberships.by_name(),
        "roles": [(role.label, ROLE_HELP[role]) for role in Role],
    }
    return settings_page(request, "accounts/member_list.html", context, here="member_list")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def member_edit(request: HttpRequest, pk: int) -> HttpResponse:
    membership = get_object_or_404(request.workspace.memberships.by_name(), pk=pk)
    initial = GrantForm.initial_of(membership)
    form = GrantForm(posted(request), initial=initial, workspace=request.workspace)
    if form.is_valid():
        try:
            actions.update_membership(membership=membership, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"Changed what {membership.user} may do.")
            return redirect("member_list", workspace=request.workspace.slug)
    context = {"form": form, "member": membership}
    status = 422 if form.errors else 200
    return settings_page(request, "accounts/member_edit.html", context, here="member_list", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def member_remove(request: HttpRequest, pk: int) -> HttpResponse:
    membership = get_object_or_404(request.workspace.memberships.by_name(), pk=pk)
    refusal = ""
    if request.method == "POST":
        try:
            actions.remove_membership(membership=membership, acting_user=request.user)
        except DomainError as error:
            refusal = error.message
        else:
            messages.success(request, f"{membership.user} is no longer a member.")
            return redirect("member_list", workspace=request.workspace.slug)
    keys = request.workspace.api_keys.filter(created_by=membership.user, revoked_at=None).count()
    context = {"member": membership, "keys": keys, "refusal": refusal}
    status = 422 if refusal else 200
    return settings_page(request, "accounts/member_remove.html", context, here="member_list", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires()
def leave(request: HttpRequest) -> HttpResponse:
    refusal = ""
    if request.method == "POST":
        try:
            actions.remove_membership(membership=request.membership, acting_user=request.user)
        except DomainError as error:
            refusal = error.message
        else:
            messages.success(request, f"You left {request.workspace}.")
            return redirect("home")
    status = 422 if refusal else 200
    return settings_page(request, "accounts/leave.html", {"refusal": refusal}, here="profile", status=status)
