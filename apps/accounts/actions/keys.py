from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.actions import granting
from apps.accounts.models import ApiKey, Team, User, Workspace, new_secret
from apps.accounts.models.keys import hash_of
from apps.accounts.rights import is_scope
from apps.core import text
from apps.core.errors import Conflict, DomainError


@transaction.atomic
def create_api_key(
    *,
    workspace: Workspace,
    name: str,
    scopes: Sequence[str],
    team: Team | None = None,
    expires_at: datetime | None = None,
    acting_user: User,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which is kept nowhere. Raises DomainError for what cannot be."""
    name = " ".join(text.clean(name, field="The name", max_bytes=320).split())
    if not name or len(name) > 80:
        raise DomainError("Give the key a name of up to 80 characters, so that people know what uses it.")
    if expires_at is not None and expires_at <= timezone.now():
        raise DomainError("The key would have expired already. Choose a later day.")
    granting.check_team(team, workspace)
    secret = new_secret()
    key = ApiKey.objects.create(
        workspace=workspace,
        team=team,
        name=name,
        secret_hash=hash_of(secret),
        secret_end=secret[-4:],
        scopes=_checked_scopes(scopes),
        created_by=acting_user,
        expires_at=expires_at,
    )
    audit.record(workspace=workspace, actor=acting_user, verb="created", target=key, after=key.details())
    return key, secret


@transaction.atomic
def revoke_api_key(*, api_key: ApiKey, acting_user: User) -> None:
    """Make a key worthless from now on. Raises Conflict when it was revoked before."""
    if not ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        raise Conflict("That key was already revoked.")
    audit.record(
        workspace=api_key.workspace, actor=acting_user, verb="revoked", target=api_key, before=api_key.details()
    )


def _checked_scopes(scopes: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(scopes))
    for scope in wanted:
        if not is_scope(scope):
            raise DomainError(f"There is no scope “{scope}”.")
    if not wanted:
        raise DomainError("Choose at least one thing that the key may do.")
    return wanted
