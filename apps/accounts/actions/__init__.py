"""Everything that may be done to workspaces, their people, teams and keys."""

from apps.accounts.actions.invitations import (
    InvitationGone,
    accept_invitation,
    invite_member,
    revoke_invitation,
)
from apps.accounts.actions.keys import create_api_key, revoke_api_key
from apps.accounts.actions.members import LastAdmin, remove_membership, update_membership, update_profile
from apps.accounts.actions.workspaces import create_team, create_workspace, update_team, update_workspace

__all__ = [
    "InvitationGone",
    "LastAdmin",
    "accept_invitation",
    "create_api_key",
    "create_team",
    "create_workspace",
    "invite_member",
    "remove_membership",
    "revoke_api_key",
    "revoke_invitation",
    "update_membership",
    "update_profile",
    "update_team",
    "update_workspace",
]
