from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from apps.accounts import audit, tasks
from apps.accounts.actions import granting
from apps.accounts.models import Invitation, Membership, Team, User, Workspace
from apps.accounts.models.keys import hash_of
from apps.core.errors import Conflict, DomainError

VALID_FOR = timedelta(days=7)


class InvitationGone(Conflict):
    """The invitation was used, withdrawn or replaced, has expired, or is for somebody else."""


@transaction.atomic
def invite_member(
    *,
    workspace: Workspace,
    email: str,
    roles: Sequence[str],
    environments: Sequence[str] = (),
    team: Team | None = None,
    acting_user: User | None,
) -> tuple[Invitation, str]:
    """Invite an e-mail address and return the invitation with its token, which is kept nowhere.

    An open invitation for the same address is replaced. The link goes out by e-mail after commit.
    Raises DomainError for what cannot be granted, Conflict for members.
    """
    granting.lock(workspace)
    email, roles = _checked_email(email), granting.checked_roles(roles)
    environments = granting.checked_environments(environments, roles)
    granting.check_team(team, workspace)
    granting.check_may_grant(workspace, acting_user, roles, environments)
    if workspace.memberships.filter(user__email=email).exists():
        raise Conflict(f"{email} is already a member.")
    now = timezone.now()
    workspace.invitations.waiting().filter(email=email).update(revoked_at=now)
    invitation = Invitation(
        workspace=workspace,
        email=email,
        roles=roles,
        environments=environments,
        team=team,
        invited_by=acting_user,
        created_at=now,
        expires_at=now + VALID_FOR,
    )
    token = invitation.token()
    invitation.token_hash = hash_of(token)
    invitation.save(force_insert=True)
    tasks.send_invitation.delay_on_commit(invitation_id=invitation.pk)
    audit.record(workspace=workspace, actor=acting_user, verb="invited", target=invitation, after=invitation.details())
    return invitation, token


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, acting_user: User) -> None:
    """Make an invitation's link worthless. Raises InvitationGone when it was used or withdrawn before."""
    waiting = Invitation.objects.waiting().filter(pk=invitation.pk)
    if not waiting.update(revoked_at=timezone.now()):
        raise InvitationGone("That invitation was already used or withdrawn.")
    audit.record(workspace=invitation.workspace, actor=acting_user, verb="withdrew invitation", target=invitation)


@transaction.atomic
def accept_invitation(*, invitation: Invitation, acting_user: User, now: datetime | None = None) -> Membership:
    """Make the person a member, once. Raises InvitationGone unless it is open and written to their address."""
    now = now or timezone.now()
    granting.lock(invitation.workspace)
    mine = Invitation.objects.open(now).filter(pk=invitation.pk, email=acting_user.email.lower())
    if not mine.update(accepted_at=now):
        raise InvitationGone("This invitation does not work any more, or was written to another address.")
    invitation.refresh_from_db()
    membership, is_new = Membership.objects.get_or_create(
        workspace=invitation.workspace,
        user=acting_user,
        defaults={
            "roles": invitation.roles,
            "environments": invitation.environments,
            "team": invitation.team,
        },
    )
    audit.record(
        workspace=invitation.workspace,
        actor=acting_user,
        verb="joined" if is_new else "accepted invitation",
        target=membership,
        after=membership.details(),
    )
    return membership


def _checked_email(value: str) -> str:
    email = value.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise DomainError("That is not an e-mail address.") from None
    return email
