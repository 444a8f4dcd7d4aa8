"""The SDK clients: one for each key, closed to redirects and private addresses, and silent about the key."""

import http.server
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet

from apps.accounts.models import User, Workspace
from apps.core import secrets, transport
from apps.core.errors import DomainError
from apps.llm import actions, clients, failures, inference
from apps.llm.errors import ErrorKind, ProviderError
from apps.llm.models import Call, Connection, Model
from tests import factories
from tests.llm.conftest import KEY, ask

BODY = {"model": "practice-small", "messages": [{"role": "user", "content": "Hi"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    """A provider with bad manners: what it does is said by the path."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        getattr(self, self.path.split("/")[1])()

    def moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()

    def parrot(self) -> None:
        key = self.headers["Authorization"].removeprefix("Bearer ")
        self._send(401, b'{"error": {"message": "Your key %s is wrong"}}' % key.encode())

    def packed(self) -> None:
        self._send(200, b"\x1f\x8b" + b"0" * 50, ("Content-Encoding", "gzip"))

    def empty(self) -> None:
        self._send(429, b'{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}')

    def never(self) -> None:
        self._send(429, b"{}", ("x-should-retry", "false"))

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def rude() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def failure(workspace: Workspace, url: str) -> ProviderError:
    connection = factories.make_connection(workspace, url, key=KEY)
    with pytest.raises(ProviderError) as caught:
        clients.client_of(connection).ask(BODY, timeout=5)
    return caught.value


def test_a_redirect_is_not_followed(workspace: Workspace, rude: str) -> None:
    error = failure(workspace, f"{rude}/moved")
    assert (error.http_status, error.permanent) == (302, True)
    assert "another address" in error.message


def test_a_key_that_the_provider_repeats_is_taken_out(workspace: Workspace, rude: str) -> None:
    error = failure(workspace, f"{rude}/parrot")
    assert "is wrong" in error.message
    assert KEY not in error.message + repr(error) + str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_compressed_answer_is_refused_unread(workspace: Workspace, rude: str) -> None:
    error = failure(workspace, f"{rude}/packed")
    assert (error.kind, error.permanent) == (ErrorKind.MALFORMED, True)


@pytest.mark.parametrize("path", ["empty", "never"])
def test_a_limit_that_waiting_does_not_lift_is_permanent(workspace: Workspace, rude: str, path: str) -> None:
    error = failure(workspace, f"{rude}/{path}")
    assert (error.kind, error.permanent) == (ErrorKind.RATE_LIMITED, True)


def test_a_connection_has_one_client_until_its_key_changes(connection: Connection, olga: User) -> None:
    first = clients.client_of(connection)
    assert clients.client_of(Connection.objects.get()) is first
    actions.replace_key(connection=connection, key="sk-another-0123456789", acting_user=olga)
    second = clients.client_of(Connection.objects.get())
    assert second is not first
    assert clients.client_of(Connection.objects.get()) is second


def test_a_key_stored_under_the_old_encryption_key_still_opens(connection: Connection, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    assert Connection.objects.get().key() == KEY
    assert clients.client_of(connection).models()
    fresh = secrets.encrypt("sk-new")
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert secrets.decrypt(fresh) == "sk-new"
    with pytest.raises(DomainError, match="cannot be opened"):
        Connection.objects.get().key()


def test_a_public_name_that_leads_to_a_private_address_gets_nothing(rude: str) -> None:
    client = transport.http_client(may_be_private=False)
    with pytest.raises(DomainError, match="private address"):
        client.post(f"{rude}/parrot", content=b"")


def test_an_allowed_name_that_leads_to_a_link_local_address_by_now_gets_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cloud metadata would answer whoever asks, and would be handed the key."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connection = factories.make_connection(workspace, f"http://127.0.0.1:{port}/v1", key=KEY)
        client = clients.client_of(connection)
        monkeypatch.setattr(
            "httpcore2._backends.sync.SyncStream.get_extra_info", lambda self, name: ("169.254.169.254", port)
        )
        with pytest.raises(ProviderError, match="link-local") as caught:
            client.ask(BODY, timeout=5)
        reached, _ = server.accept()
        with reached:
            reached.settimeout(0.3)
            try:
                received = reached.recv(1000)
            except TimeoutError:
                received = b""
    assert (received, caught.value.permanent, caught.value.reached) == (b"", True, False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert failures.retry_after(httpx2.Headers(headers)) == seconds


@pytest.mark.django_db(transaction=True)
def test_the_key_is_in_no_log_no_row_and_no_repr(
    model: Model, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ProviderError):
        inference.complete(ask(model, "401"))
    inference.complete(ask(model))
    client = clients.client_of(model.connection)
    rows = [str(vars(call)) for call in Call.objects.all()]
    printed = "".join(capfd.readouterr())
    seen = "".join([caplog.text, printed, repr(client), repr(model.connection), *rows])
    assert "failed" in seen
    assert KEY not in seen
