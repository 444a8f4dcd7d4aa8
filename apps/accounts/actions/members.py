from collections.abc import Sequence

from django.db import transaction

from apps.accounts import audit
from apps.accounts.actions import granting
from apps.accounts.models import Membership, Team, User
from apps.accounts.rights import Role
from apps.core import text
from apps.core.errors import Conflict, DomainError


class LastAdmin(Conflict):
    """Without an admin nobody could let anybody in again."""


@transaction.atomic
def update_membership(
    *,
    membership: Membership,
    roles: Sequence[str],
    environments: Sequence[str],
    team: Team | None,
    acting_user: User,
) -> Membership:
    """Change what a member may do, where they may publish, and whose budget they use.

    Raises LastAdmin for taking the last admin's role, NotAllowed for handing out what one does not hold.
    """
    membership = _locked(membership)
    workspace = membership.workspace
    roles = granting.checked_roles(roles)
    environments = granting.checked_environments(environments, roles)
    granting.check_team(team, workspace)
    granting.check_is_admin(workspace, acting_user)
    granting.check_may_grant(workspace, acting_user, roles, environments)
    if Role.ADMIN not in roles:
        _check_not_last_admin(membership)
    before = membership.details()
    membership.roles, membership.environments, membership.team = roles, environments, team
    membership.save(update_fields=["roles", "environments", "team"])
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="changed rights",
        target=membership,
        before=before,
        after=membership.details(),
    )
    return membership


@transaction.atomic
def remove_membership(*, membership: Membership, acting_user: User) -> None:
    """Take a person out of a workspace; anybody may leave by themselves. Raises LastAdmin, NotAllowed."""
    membership = _locked(membership)
    leaves = membership.user_id == acting_user.pk
    if not leaves:
        granting.check_is_admin(membership.workspace, acting_user)
    _check_not_last_admin(membership)
    before, key = membership.details(), membership.pk
    membership.delete()
    membership.pk = key  # deleting clears it, and the audit event names it
    audit.record(
        workspace=membership.workspace,
        actor=acting_user,
        verb="left" if leaves else "removed",
        target=membership,
        before=before,
    )


@transaction.atomic
def update_profile(*, acting_user: User, name: str) -> None:
    """Change one's own name. Raises DomainError for an empty one. It belongs to no workspace, so no chain holds it."""
    name = " ".join(text.clean(name, field="Your name", max_bytes=480).split())
    if not name or len(name) > 120:
        raise DomainError("Write your name in up to 120 characters.")
    acting_user.name = name
    acting_user.save(update_fields=["name"])


def _locked(membership: Membership) -> Membership:
    """Return the membership as it is now, with its workspace's members held still until commit."""
    granting.lock(membership.workspace)
    found = Membership.objects.select_related("workspace", "user", "team").filter(pk=membership.pk).first()
    if found is None:
        raise Conflict("That person is no longer a member.")
    return found


def _check_not_last_admin(membership: Membership) -> None:
    if Role.ADMIN not in membership.roles:
        return
    others = Membership.objects.admins().filter(workspace=membership.workspace).exclude(pk=membership.pk)
    if not others.exists():
        raise LastAdmin("This is the last admin. Make somebody else an admin first.")
