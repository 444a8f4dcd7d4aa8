"""What a person may hand to another: never more than they hold themselves."""

from collections.abc import Iterable

from apps.accounts.models import Membership, Team, User, Workspace
from apps.accounts.rights import Right, Role, is_environment, rights_of
from apps.core.errors import DomainError, NotAllowed


def lock(workspace: Workspace) -> None:
    """Let one change of a workspace's members happen at a time, until commit."""
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def checked_roles(roles: Iterable[str]) -> list[str]:
    """Return the roles in their order. Raises DomainError for none and for unknown ones."""
    wanted = set(roles)
    if unknown := wanted - set(Role.values):
        raise DomainError(f"There is no role “{sorted(unknown)[0]}”.")
    if not wanted:
        raise DomainError("Choose at least one role.")
    return [role for role in Role.values if role in wanted]


def checked_environments(environments: Iterable[str], roles: list[str]) -> list[str]:
    """Return where a publisher may publish; nobody else needs one. Raises DomainError for what cannot be a name."""
    if Role.PUBLISHER not in roles:
        return []
    names = list(dict.fromkeys(name.strip() for name in environments if name.strip()))
    for name in names:
        if name != Membership.ANYWHERE and not is_environment(name):
            raise DomainError(f"“{name}” cannot be the name of an environment.")
    if not names:
        raise DomainError("Name the environments that a publisher may change, or choose all of them.")
    return [Membership.ANYWHERE] if Membership.ANYWHERE in names else names


def check_team(team: Team | None, workspace: Workspace) -> None:
    if team is not None and team.workspace_id != workspace.pk:
        raise DomainError("That team belongs to another workspace.")


def check_may_grant(
    workspace: Workspace, acting_user: User | None, roles: list[str], environments: Iterable[str] = ()
) -> None:
    """Refuse handing out what one does not hold. Nobody (`None`) is the operator at the command line, who may."""
    if acting_user is None:
        return
    membership = workspace.memberships.filter(user=acting_user).first()
    if membership is None or not rights_of(roles) <= membership.rights:
        raise NotAllowed("You can only hand out rights that you hold yourself.")
    if not all(membership.may_promote(name) for name in environments):
        raise NotAllowed("You can only hand out environments that you may publish to yourself.")


def check_is_admin(workspace: Workspace, acting_user: User) -> None:
    """Refuse when the person stopped being an admin meanwhile."""
    membership = workspace.memberships.filter(user=acting_user).first()
    if membership is None or not membership.may(Right.ADMIN):
        raise NotAllowed("Only an admin can do that.")
