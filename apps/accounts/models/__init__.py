from apps.accounts.models.audit import AuditEvent
from apps.accounts.models.keys import ApiKey, new_secret
from apps.accounts.models.users import User, display_name
from apps.accounts.models.workspaces import Invitation, Membership, Team, Workspace

__all__ = [
    "ApiKey",
    "AuditEvent",
    "Invitation",
    "Membership",
    "Team",
    "User",
    "Workspace",
    "display_name",
    "new_secret",
]
