"""A new encryption key: the old one opens what it stored until everything is under the new one."""

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from apps.accounts.models import AuditEvent, User
from apps.core import secrets
from apps.core.errors import DomainError
from apps.llm import actions, clients
from apps.llm.models import Connection
from tests.llm.conftest import KEY

NEWEST = Fernet.generate_key().decode()


def run() -> str:
    out = StringIO()
    call_command("reencrypt_keys", stdout=out)
    return out.getvalue()


def test_after_the_command_the_newest_key_alone_opens_everything(connection: Connection, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [NEWEST, *settings.ENCRYPTION_KEYS]
    said = run()
    settings.ENCRYPTION_KEYS = [NEWEST]
    assert Connection.objects.get().key() == KEY
    assert clients.client_of(Connection.objects.get()).models()
    assert f"{connection.workspace.slug} {connection.name}: encrypted anew" in said
    assert "1 keys are under the newest encryption key" in said
    assert KEY not in said


def test_the_audit_log_says_so(connection: Connection) -> None:
    run()
    assert AuditEvent.objects.filter(verb="encrypted the key anew", target_id=str(connection.pk)).exists()


def test_a_key_that_does_not_open_is_named_and_left_alone(
    connection: Connection, claude_connection: Connection, settings: Any
) -> None:
    old = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = [NEWEST]
    Connection.objects.filter(pk=claude_connection.pk).update(encrypted_key=secrets.encrypt(KEY))
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 2 keys cannot be opened") as caught:
        call_command("reencrypt_keys", stdout=out)
    assert caught.value.returncode == 1
    assert f"{connection.name}: cannot be opened" in out.getvalue()
    settings.ENCRYPTION_KEYS = old
    assert Connection.objects.get(pk=connection.pk).key() == KEY


def test_an_archived_connection_has_no_key_to_encrypt(connection: Connection, olga: User) -> None:
    actions.archive_connection(connection=connection, acting_user=olga)
    assert "0 keys" in run()


def test_without_an_encryption_key_the_command_says_so(connection: Connection, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = []
    with pytest.raises(CommandError, match="ENCRYPTION_KEYS is not set"):
        run()


def test_a_key_that_no_longer_opens_says_what_to_do(connection: Connection, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [NEWEST]
    with pytest.raises(DomainError, match="Enter it again, or ask the operator") as caught:
        clients.client_of(connection)
    assert connection.name in caught.value.message
