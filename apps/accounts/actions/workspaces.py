import re

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from apps.accounts import audit
from apps.accounts.models import Membership, Team, User, Workspace
from apps.accounts.models.workspaces import check_time_zone
from apps.accounts.rights import Role
from apps.accounts.signals import workspace_created
from apps.core import text
from apps.core.errors import Conflict, DomainError

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
CURRENCY = re.compile(r"[A-Z]{3}")


@transaction.atomic
def create_workspace(
    *, name: str, slug: str, time_zone: str = "UTC", currency: str = "USD", acting_user: User | None
) -> Workspace:
    """Open a workspace with its maker as admin; without one (the command line) somebody must be invited next.

    Raises DomainError for a name, address, zone or currency that cannot be, Conflict when the address is taken.
    """
    if not SLUG.fullmatch(slug):
        raise DomainError("The address may hold small letters, digits and hyphens, up to 60.")
    workspace = Workspace(slug=slug, **_checked(name, time_zone, currency))
    _save_once(workspace, f"The address “{slug}” is taken by another workspace.")
    if acting_user is not None:
        Membership.objects.create(workspace=workspace, user=acting_user, roles=[Role.ADMIN])
    workspace_created.send(Workspace, workspace=workspace, acting_user=acting_user)
    audit.record(
        workspace=workspace, actor=acting_user, verb="created", target=workspace, after=_workspace_state(workspace)
    )
    return workspace


@transaction.atomic
def update_workspace(*, workspace: Workspace, name: str, time_zone: str, currency: str, acting_user: User) -> Workspace:
    """Change what a workspace is called, when its days end and what it counts in. Raises DomainError."""
    workspace = Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    before = _workspace_state(workspace)
    for field, value in _checked(name, time_zone, currency).items():
        setattr(workspace, field, value)
    workspace.save(update_fields=["name", "time_zone", "currency"])
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="changed",
        target=workspace,
        before=before,
        after=_workspace_state(workspace),
    )
    return workspace


@transaction.atomic
def create_team(*, workspace: Workspace, name: str, cost_centre: str = "", acting_user: User) -> Team:
    """Add a team. Raises DomainError without a name, Conflict when the name is taken."""
    team = Team(workspace=workspace, name=_name(name, 80), cost_centre=_line(cost_centre, "The cost centre", 40))
    _save_once(team, f"There is already a team “{team.name}”.")
    audit.record(workspace=workspace, actor=acting_user, verb="created", target=team, after=_team_state(team))
    return team


@transaction.atomic
def update_team(*, team: Team, name: str, cost_centre: str, acting_user: User) -> Team:
    """Rename a team or move it to another cost centre. Raises DomainError, and Conflict when the name is taken."""
    team = Team.objects.select_for_update(of=("self",), no_key=True).select_related("workspace").get(pk=team.pk)
    before = _team_state(team)
    team.name, team.cost_centre = _name(name, 80), _line(cost_centre, "The cost centre", 40)
    _save_once(team, f"There is already a team “{team.name}”.")
    audit.record(
        workspace=team.workspace,
        actor=acting_user,
        verb="changed",
        target=team,
        before=before,
        after=_team_state(team),
    )
    return team


def _checked(name: str, time_zone: str, currency: str) -> dict[str, str]:
    try:
        check_time_zone(time_zone)
    except ValidationError as error:
        raise DomainError(error.messages[0]) from None
    if not CURRENCY.fullmatch(currency):
        raise DomainError("Write the currency as its three capital letters, like EUR.")
    return {"name": _name(name, 120), "time_zone": time_zone, "currency": currency}


def _name(value: str, max_length: int) -> str:
    name = _line(value, "The name", max_length)
    if not name:
        raise DomainError("Give it a name.")
    return name


def _line(value: str, field: str, max_length: int) -> str:
    line = " ".join(text.clean(value, field=field).split())
    if len(line) > max_length:
        raise DomainError(f"{field} may have up to {max_length} characters.")
    return line


def _save_once(row: models.Model, taken: str) -> None:
    """Save, leaving it to the database to tell whether the name is free."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict(taken) from None


def _workspace_state(workspace: Workspace) -> dict[str, str]:
    return {"name": workspace.name, "time_zone": workspace.time_zone, "currency": workspace.currency}


def _team_state(team: Team) -> dict[str, str]:
    return {"name": team.name, "cost_centre": team.cost_centre}
