"""How programs come in: an API key as Bearer (the secret) or Basic (public id : secret), and what it may do."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.accounts.models import ApiKey
from apps.accounts.models.keys import hash_of

if TYPE_CHECKING:  # REST framework imports this module while it sets up its views
    from rest_framework.views import APIView

REALM = 'Bearer realm="galley"'
LAST_USED_GRAIN = timedelta(minutes=1)


class ApiKeyAuthentication(BaseAuthentication):
    """Accept a key that exists, is not revoked and has not expired; say nothing about why another is refused."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        header = request.headers.get("Authorization", "")
        if not header.partition(" ")[2]:
            return None
        key = identify(header, _stored)
        if key is None:
            raise AuthenticationFailed("This API key is not valid.")
        _touch(key)
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return REALM


def identify(authorization: str, find: Callable[[str], ApiKey | None]) -> ApiKey | None:
    """Return the usable key that an Authorization header names; `find` looks one up by the hash of its secret."""
    scheme, _, credentials = authorization.partition(" ")
    public_id, secret = _credentials(scheme.lower(), credentials.strip())
    key = find(hash_of(secret)) if secret else None
    if key is None or key.state(timezone.now()) != "active" or public_id not in (None, key.public_id):
        return None
    return key


def _stored(secret_hash: str) -> ApiKey | None:
    return ApiKey.objects.filter(secret_hash=secret_hash).first()


def _credentials(scheme: str, credentials: str) -> tuple[str | None, str]:
    """Return the public id (None with Bearer) and the secret; an empty secret when they cannot be read."""
    if scheme == "bearer":
        return None, credentials
    if scheme != "basic":
        return None, ""
    try:
        public_id, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, ""
    return public_id, secret


def is_due_for_touch(key: ApiKey, now: datetime) -> bool:
    return key.last_used_at is None or now - key.last_used_at > LAST_USED_GRAIN


def _touch(key: ApiKey) -> None:
    """Remember the use, at most once a minute so that a busy key is not a busy row."""
    now = timezone.now()
    if is_due_for_touch(key, now):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def key_of(request: Request) -> ApiKey:
    """Return the key that a scoped view was entered with."""
    if not isinstance(request.auth, ApiKey):
        raise AuthenticationFailed("This API key is not valid.")
    return request.auth


class Closed(BasePermission):
    """The default: a view that declares no scope lets nobody in."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return False


class HasScope(BasePermission):
    """Let keys in that hold `scope`. Use `scoped(...)` to make one per view."""

    scope = ""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, ApiKey) and request.auth.allows(self.scope)


class MayFetch(BasePermission):
    """Let keys in that may fetch prompts somewhere; the view asks `key.may_fetch(environment)` about the place."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, ApiKey) and request.auth.may_fetch_somewhere


def scoped(scope: str) -> type[HasScope]:
    """Return the permission class for one scope, for `permission_classes = [scoped("prompts:read")]`."""
    return type(f"HasScope_{scope}", (HasScope,), {"scope": scope})
