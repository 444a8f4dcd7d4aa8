import hashlib
import secrets
from datetime import datetime
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from apps.accounts.models.users import User
from apps.accounts.models.workspaces import Team, Workspace
from apps.accounts.rights import READ_PREFIX, Scope, words_of

PUBLIC_PREFIX = "pk-gly-"
SECRET_PREFIX = "sk-gly-"  # noqa: S105


def new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def new_public_id() -> str:
    return PUBLIC_PREFIX + secrets.token_hex(8)


def hash_of(secret: str) -> str:
    """Return what is stored of a secret. It has 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: datetime) -> Self:
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now), revoked_at=None)

    def newest_first(self) -> Self:
        return self.select_related("team", "created_by").order_by("-created_at", "-id")


class ApiKey(models.Model):
    """A program's way in: a public id and a secret of which only the hash is kept."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="api_keys")
    name = models.CharField(max_length=80)
    public_id = models.CharField(max_length=40, unique=True, default=new_public_id)
    secret_hash = models.CharField(max_length=64, unique=True)
    secret_end = models.CharField(max_length=4)
    scopes = ArrayField(models.CharField(max_length=80))
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_fetch(self, environment: str | None = None) -> bool:
        """Tell whether it may fetch what is live in the environment of that name; without one, anything at all."""
        return self.allows(Scope.PROMPTS_READ) or f"{READ_PREFIX}{environment}" in self.scopes

    @property
    def may_fetch_somewhere(self) -> bool:
        return self.may_fetch() or any(scope.startswith(READ_PREFIX) for scope in self.scopes)

    @property
    def scope_words(self) -> list[str]:
        return [words_of(scope) for scope in self.scopes]

    def state(self, now: datetime) -> str:
        """Return "revoked", "expired" or "active"."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= now else "active"

    def details(self) -> dict[str, Any]:
        return {
            "public_id": self.public_id,
            "scopes": self.scopes,
            "team": self.team.name if self.team else None,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
        }
