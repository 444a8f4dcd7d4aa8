"""Connections and models are changed under audit, and the key goes nowhere but to its own server."""

import threading
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from apps.accounts.models import AuditEvent, User, Workspace
from apps.core.errors import Conflict, DomainError
from apps.llm import actions
from apps.llm.models import Connection, Model
from tests.llm.conftest import KEY

URL = "http://127.0.0.1:9/v1"


def create(workspace: Workspace, olga: User, **fields: Any) -> Connection:
    fields = {"name": "Main", "kind": Connection.Kind.COMPATIBLE, "base_url": URL, "key": KEY, **fields}
    return actions.create_connection(workspace=workspace, acting_user=olga, **fields)


def change(connection: Connection, olga: User, **fields: Any) -> Connection:
    fields = {"name": "Main", "base_url": URL, "provider": "practice", "max_concurrency": 8, **fields}
    return actions.update_connection(connection=connection, acting_user=olga, **fields)


def test_the_key_is_stored_encrypted_and_not_audited(workspace: Workspace, olga: User) -> None:
    connection = create(workspace, olga)
    assert KEY.encode() not in bytes(connection.encrypted_key)
    assert (connection.key(), connection.key_end) == (KEY, KEY[-4:])
    event = AuditEvent.objects.get()
    assert (event.verb, event.actor) == ("created a connection", olga)
    assert KEY not in str(vars(event))


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/v1", "http://169.254.169.254/", "file:///etc/passwd", "http://a:b@127.0.0.1/"]
)
def test_an_address_that_is_never_called_is_refused(workspace: Workspace, olga: User, url: str) -> None:
    with pytest.raises(DomainError):
        create(workspace, olga, base_url=url)
    assert not Connection.objects.exists()


def test_two_live_connections_cannot_share_a_name(workspace: Workspace, olga: User) -> None:
    first = create(workspace, olga)
    with pytest.raises(actions.NameTaken):
        create(workspace, olga)
    actions.archive_connection(connection=first, acting_user=olga)
    assert create(workspace, olga).name == "Main"


def test_a_stored_key_never_follows_the_address_to_another_server(workspace: Workspace, olga: User) -> None:
    connection = create(workspace, olga)
    with pytest.raises(actions.KeyNeeded):
        change(connection, olga, base_url="http://127.0.0.1:10/v1")
    connection.refresh_from_db()
    assert connection.base_url == URL
    moved = change(connection, olga, base_url="http://127.0.0.1:10/v1", key="sk-for-the-other-server")
    assert moved.key() == "sk-for-the-other-server"


def test_another_path_on_the_same_server_keeps_the_key(workspace: Workspace, olga: User) -> None:
    connection = change(create(workspace, olga), olga, base_url="http://127.0.0.1:9/v2", max_concurrency=4)
    assert (connection.key(), connection.max_concurrency) == (KEY, 4)
    assert AuditEvent.objects.get(verb="changed a connection").before["base_url"] == URL


def test_a_replaced_key_is_the_one_in_use(workspace: Workspace, olga: User) -> None:
    connection = create(workspace, olga)
    actions.replace_key(connection=connection, key=" sk-second-0123456789\n", acting_user=olga)
    assert Connection.objects.get().key() == "sk-second-0123456789"
    assert not any("sk-second" in str(vars(event)) for event in AuditEvent.objects.all())


def test_a_key_that_no_header_could_carry_is_refused(workspace: Workspace, olga: User) -> None:
    with pytest.raises(DomainError, match="Copy it again"):
        create(workspace, olga, key="sk-one\nsk-two")


def test_an_archived_connection_forgets_its_key_and_changes_no_more(workspace: Workspace, olga: User) -> None:
    connection = create(workspace, olga)
    actions.archive_connection(connection=connection, acting_user=olga)
    connection.refresh_from_db()
    assert (bytes(connection.encrypted_key), connection.key_end) == (b"", "")
    with pytest.raises(Conflict):
        actions.replace_key(connection=connection, key=KEY, acting_user=olga)


def test_a_model_is_offered_once_and_comes_back_after_it_was_archived(workspace: Workspace, olga: User) -> None:
    connection = create(workspace, olga)
    model = actions.add_model(connection=connection, name=" gpt ", context_window=8192, acting_user=olga)
    with pytest.raises(actions.ModelKnown):
        actions.add_model(connection=connection, name="gpt", acting_user=olga)
    actions.archive_model(model=model, acting_user=olga)
    assert not Model.objects.usable().exists()
    assert actions.add_model(connection=connection, name="gpt", acting_user=olga).pk == model.pk
    assert Model.objects.usable().get().name == "gpt"


@pytest.mark.django_db(transaction=True)
def test_names_are_looked_up_before_anything_is_locked(
    workspace: Workspace, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr("apps.core.outgoing.check_url", lambda url: seen.append(database.in_atomic_block))
    change(create(workspace, olga), olga, name="Other")
    assert seen == [False, False]


@pytest.mark.django_db(transaction=True)
def test_a_change_does_not_wait_for_those_who_only_refer_to_the_connection(workspace: Workspace, olga: User) -> None:
    """Adding a model holds the connection's key until commit, and may be waiting for the audit log behind us."""
    connection = create(workspace, olga)
    held, free = threading.Event(), threading.Event()

    def refer() -> None:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute("SELECT 1 FROM llm_connection WHERE id = %s FOR KEY SHARE", [connection.pk])
            held.set()
            free.wait(20)
        database.close()

    other = threading.Thread(target=refer)
    other.start()
    try:
        assert held.wait(10)
        with database.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        assert change(connection, olga, name="Other").name == "Other"
    finally:
        free.set()
        other.join()
        database.close()


def test_only_a_server_of_your_own_may_do_without_a_key() -> None:
    from apps.llm.forms import ConnectionForm

    entered = {"name": "Ollama", "base_url": "http://127.0.0.1:11434/v1", "max_concurrency": 2}
    assert ConnectionForm({**entered, "kind": "openai-compatible"}).is_valid()
    refused = ConnectionForm({**entered, "kind": "openai"})
    assert refused.errors["key"] == ["Enter the key: only a server of your own may do without."]
