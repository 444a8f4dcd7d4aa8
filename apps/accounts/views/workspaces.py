from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts import actions
from apps.accounts.access import requires
from apps.accounts.forms import ProfileForm, TeamForm, WorkspaceForm
from apps.accounts.models import Team, Workspace
from apps.accounts.rights import ROLE_HELP, Right, Role
from apps.accounts.views.frame import posted, settings_page
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest


@require_safe
@requires(Right.ADMIN)
def settings_home(request: HttpRequest) -> HttpResponse:
    now, workspace = timezone.now(), request.workspace
    last = workspace.audit_events.newest_first().first()
    context = {
        "counts": {
            "members": workspace.memberships.count(),
            "admins": workspace.memberships.admins().count(),
            "invitations": workspace.invitations.open(now).count(),
            "teams": workspace.teams.count(),
            "keys": workspace.api_keys.usable(now).count(),
            "events": last.number if last else 0,
        },
        "last_event": last,
    }
    return settings_page(request, "accounts/settings_home.html", context, here="settings_home")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def workspace_edit(request: HttpRequest) -> HttpResponse:
    workspace = request.workspace
    initial = {"name": workspace.name, "time_zone": workspace.time_zone, "currency": workspace.currency}
    form = WorkspaceForm(posted(request), initial=initial)
    if form.is_valid():
        try:
            actions.update_workspace(workspace=workspace, acting_user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return redirect("workspace_edit", workspace=workspace.slug)
    status = 422 if form.errors else 200
    return settings_page(request, "accounts/workspace_edit.html", {"form": form}, here="workspace_edit", status=status)


@require_safe
@requires()
def workspace_list(request: HttpRequest) -> HttpResponse:
    memberships = request.user.memberships.select_related("workspace").order_by("workspace__name", "id")
    return settings_page(request, "accounts/workspace_list.html", {"memberships": memberships}, here="workspace_list")


@require_http_methods(["GET", "HEAD", "POST"])
@requires()
def profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(posted(request), initial={"name": request.user.name})
    if form.is_valid():
        try:
            actions.update_profile(acting_user=request.user, name=form.cleaned_data["name"])
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return redirect("profile", workspace=request.workspace.slug)
    roles = [(Role(role).label, ROLE_HELP[role]) for role in Role.values if role in request.membership.roles]
    context = {"form": form, "roles": roles}
    status = 422 if form.errors else 200
    return settings_page(request, "accounts/profile.html", context, here="profile", status=status)


@require_safe
@requires(Right.ADMIN)
def team_list(request: HttpRequest) -> HttpResponse:
    teams = Team.objects.with_counts().filter(workspace=request.workspace).order_by("name", "id")
    return settings_page(request, "accounts/team_list.html", {"teams": teams}, here="team_list")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def team_create(request: HttpRequest) -> HttpResponse:
    return _team_form(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Right.ADMIN)
def team_edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _team_form(request, get_object_or_404(request.workspace.teams, pk=pk))


def _team_form(request: HttpRequest, team: Team | None) -> HttpResponse:
    initial = {"name": team.name, "cost_centre": team.cost_centre} if team else {}
    form = TeamForm(posted(request), initial=initial)
    if form.is_valid():
        try:
            saved = _save_team(request, team, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, f"Saved the team {saved.name}.")
            return redirect(reverse("team_list", kwargs={"workspace": request.workspace.slug}))
    context = {"form": form, "team": team}
    status = 422 if form.errors else 200
    return settings_page(request, "accounts/team_form.html", context, here="team_list", status=status)


def _save_team(request: HttpRequest, team: Team | None, *, name: str, cost_centre: str) -> Team:
    workspace: Workspace = request.workspace
    if team is None:
        return actions.create_team(workspace=workspace, name=name, cost_centre=cost_centre, acting_user=request.user)
    return actions.update_team(team=team, name=name, cost_centre=cost_centre, acting_user=request.user)
