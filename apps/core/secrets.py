"""Secrets at rest: encrypted with the first of ENCRYPTION_KEYS, readable with any of them."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from apps.core.errors import DomainError


class NotOpened(DomainError):
    """A secret was stored under a key that the installation no longer has."""


def encrypt(value: str) -> bytes:
    """Return `value` encrypted. Raises DomainError when the installation has no key."""
    return _box().encrypt(value.encode())


def decrypt(token: bytes) -> str:
    """Return the plain value. Raises DomainError when no configured key opens it."""
    try:
        return _box().decrypt(bytes(token)).decode()
    except InvalidToken:
        raise NotOpened(
            "A stored secret cannot be opened with ENCRYPTION_KEYS: put the key that it was stored under back, or enter "
            "the secret again."
        ) from None


def encrypt_again(token: bytes) -> bytes:
    """Return a stored secret encrypted with the newest key. Raises NotOpened when no configured key opens it."""
    return encrypt(decrypt(token))


def _box() -> MultiFernet:
    if not settings.ENCRYPTION_KEYS:
        raise DomainError("ENCRYPTION_KEYS is not set, so secrets cannot be stored. Ask the operator to set it.")
    try:
        return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
    except ValueError:
        raise DomainError("ENCRYPTION_KEYS holds something that is not a Fernet key.") from None
