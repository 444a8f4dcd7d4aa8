"""What people change about connections."""

from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import outgoing, secrets
from apps.core.errors import Conflict, DomainError
from apps.core.text import KILOBYTE, clean
from apps.llm import governor
from apps.llm.models import Connection

LONGEST_KEY = 4 * KILOBYTE


class NameTaken(Conflict):
    """Another live connection of the workspace has that name."""


class KeyNeeded(DomainError):
    """A stored key is only ever sent to the server that it was entered for."""


def create_connection(  # noqa: PLR0913 - one for each field of the form
    *,
    workspace: Workspace,
    name: str,
    kind: Connection.Kind,
    base_url: str,
    key: str,
    provider: str = "",
    max_concurrency: int = 32,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    acting_user: User,
) -> Connection:
    """Add a provider account. Raises DomainError for an address that is not called, NameTaken for a taken name."""
    outgoing.check_url(base_url)  # asks a name server: never while a transaction is open
    connection = Connection(
        workspace=workspace,
        name=clean(name, field="Name").strip(),
        kind=kind,
        provider=provider or kind,
        base_url=base_url,
        max_concurrency=max_concurrency,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        created_by=acting_user,
    )
    _put_key(connection, key)
    with transaction.atomic():
        _save_named(connection)
        audit.record(
            workspace=workspace,
            actor=acting_user,
            verb="created a connection",
            target=connection,
            after=_shown(connection),
        )
    return connection


def update_connection(  # noqa: PLR0913 - as above
    *,
    connection: Connection,
    name: str,
    base_url: str,
    provider: str,
    max_concurrency: int,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    key: str = "",
    acting_user: User,
) -> Connection:
    """Change a connection; an empty key keeps the stored one. Raises KeyNeeded when it would go to another server."""
    outgoing.check_url(base_url)
    with transaction.atomic():
        connection = locked(connection)
        before = _shown(connection)
        if _server(base_url) != _server(connection.base_url) and not key:
            raise KeyNeeded("The address leads to another server, so enter the key again.")
        connection.name = clean(name, field="Name").strip()
        connection.base_url, connection.provider, connection.max_concurrency = base_url, provider, max_concurrency
        connection.requests_per_minute, connection.tokens_per_minute = requests_per_minute, tokens_per_minute
        if key:
            _put_key(connection, key)
        _save_named(connection)
        if key or before["base_url"] != base_url:
            governor.start_over(connection)
        audit.record(
            workspace=connection.workspace,
            actor=acting_user,
            verb="changed a connection",
            target=connection,
            before=before,
            after=_shown(connection) | ({"key": "replaced"} if key else {}),
        )
    return connection


@transaction.atomic
def replace_key(*, connection: Connection, key: str, acting_user: User) -> None:
    """Store another key; calls that begin from now on use it."""
    connection = locked(connection)
    _put_key(connection, key)
    connection.save(update_fields=["encrypted_key", "key_end"])
    governor.start_over(connection)
    audit.record(workspace=connection.workspace, actor=acting_user, verb="replaced the key", target=connection)


@transaction.atomic
def archive_connection(*, connection: Connection, acting_user: User) -> None:
    """Take a connection out of use and forget its key. What was called through it stays."""
    connection = locked(connection)
    connection.archived_at = timezone.now()
    connection.encrypted_key, connection.key_end = b"", ""
    connection.save(update_fields=["archived_at", "encrypted_key", "key_end"])
    audit.record(workspace=connection.workspace, actor=acting_user, verb="archived a connection", target=connection)


def locked(connection: Connection) -> Connection:
    """Return the row as it is now, held until commit. Raises Conflict when it has been archived."""
    # No key: a plain lock would wait for transactions that only refer to the row, and they for our audit event.
    found = Connection.objects.live().select_for_update(no_key=True).filter(pk=connection.pk).first()
    if found is None:
        raise Conflict(f"{connection.name} is archived.")
    return found


def _put_key(connection: Connection, key: str) -> None:
    plain = clean(key, field="Key", max_bytes=LONGEST_KEY).strip()
    if not plain.isascii() or not plain.isprintable():
        raise DomainError("A key holds only letters, digits and signs. Copy it again.")
    connection.encrypted_key = secrets.encrypt(plain)
    # Four characters help to tell keys apart; of a short key they would be most of it.
    connection.key_end = plain[-4:] if len(plain) >= 16 else ""


def _save_named(connection: Connection) -> None:
    try:
        with transaction.atomic():
            connection.save()
    except IntegrityError as error:
        if "connection_name_once" not in str(error):
            raise
        raise NameTaken(f"There is already a connection named {connection.name}.") from None


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or outgoing.PORTS.get(parts.scheme)


def _shown(connection: Connection) -> dict[str, Any]:
    """What the audit log keeps of a connection: everything but the key."""
    fields = ("name", "kind", "provider", "base_url", "max_concurrency", "requests_per_minute", "tokens_per_minute")
    return {name: getattr(connection, name) for name in fields}
