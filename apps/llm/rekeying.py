"""Putting stored keys under the newest of ENCRYPTION_KEYS, so that the older ones can be taken away."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import Workspace
from apps.core import secrets
from apps.llm.models import Connection
from apps.notices import rekeying as webhooks


@dataclass(frozen=True)
class Rekeyed:
    """What became of one stored secret; `opened` is false when none of ENCRYPTION_KEYS opens it."""

    workspace: Workspace
    name: str
    opened: bool


def reencrypt() -> Iterator[Rekeyed]:
    """Encrypt the keys of all live connections and webhooks with the newest key, one by one, while work goes on.

    Raises DomainError when the installation has no usable encryption key.
    """
    yield from _connections()
    for endpoint, opened in webhooks.reencrypt():
        yield Rekeyed(endpoint.workspace, endpoint.name, opened)


def _connections() -> Iterator[Rekeyed]:
    for pk in Connection.objects.live().order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            connection = Connection.objects.live().select_for_update(no_key=True).filter(pk=pk).first()
            found = _reencrypted(connection) if connection else None
        if found:
            yield found


def _reencrypted(connection: Connection) -> Rekeyed:
    try:
        connection.encrypted_key = secrets.encrypt_again(bytes(connection.encrypted_key))
    except secrets.NotOpened:
        return Rekeyed(connection.workspace, connection.name, opened=False)
    connection.save(update_fields=["encrypted_key"])
    audit.record(workspace=connection.workspace, actor=None, verb="encrypted the key anew", target=connection)
    return Rekeyed(connection.workspace, connection.name, opened=True)
