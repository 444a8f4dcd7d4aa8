"""Secrets that are shown once: kept in the session from the POST that made them to the page that shows them.

So reloading that page makes nothing again. The session holds them encrypted, as the database keeps every secret.
"""

from django.http import HttpRequest

from apps.core import secrets

PREFIX = "shown_once:"


def keep(request: HttpRequest, name: str, secret: str) -> None:
    """Keep a secret for the next page. Raises DomainError when the installation cannot encrypt."""
    request.session[PREFIX + name] = secrets.encrypt(secret).decode()


def take(request: HttpRequest, name: str) -> str:
    """Return the secret and forget it; nothing when it was taken before.

    Raises DomainError when ENCRYPTION_KEYS has changed since it was kept.
    """
    kept = request.session.pop(PREFIX + name, "")
    return secrets.decrypt(kept.encode()) if kept else ""
