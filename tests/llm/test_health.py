"""A test of a connection says in words what is wrong; its day is told in a word."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.llm import diagnosis, health, hours, inference
from apps.llm.errors import ProviderError
from apps.llm.models import Model
from tests import factories
from tests.llm.calls import made
from tests.llm.conftest import KEY, ask

Answer = Callable[[socket.socket], None]


@contextmanager
def server(answer: Answer) -> Iterator[int]:
    """Listen on a port and treat whoever comes as `answer` does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    client, _ = listening.accept()
                except TimeoutError:
                    continue
                with client:
                    answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


def saying(body: bytes, status: str = "200 OK") -> Answer:
    def answer(client: socket.socket) -> None:
        client.recv(65536)
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        client.sendall(head.encode() + body)

    return answer


def found(workspace: Workspace, olga: User, url: str, key: str = KEY) -> health.Finding:
    return health.probe(factories.make_connection(workspace, url, key=key), asked_by=olga)


@pytest.mark.parametrize(
    ("base_url", "key", "words"),
    [
        ("{provider}/v1", "sk-revoked-1", "does not accept the key"),
        ("http://127.0.0.1:9/v1", KEY, "nothing listens on port 9"),
        ("http://10.1.2.3/v1", KEY, "private address"),
        ("{provider}/nowhere", KEY, "does not list models"),
        ("http://no-such-name.invalid/v1", KEY, "cannot be found"),
    ],
)
def test_a_test_says_in_words_what_is_wrong(
    base_url: str, key: str, words: str, workspace: Workspace, provider: str, olga: User
) -> None:
    finding = found(workspace, olga, base_url.format(provider=provider), key)
    assert not finding.is_good
    assert words in finding.message


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"<html>Welcome</html>", "200 OK", "Does the address lead to a web page?"),
        (b"<html>Gone</html>", "404 Not Found", "end in /v1"),
        (b"", "500 Oops", "failed on its side"),
        (b"", "302 Found", "another address"),
    ],
)
def test_a_web_server_is_told_from_a_provider(
    body: bytes, status: str, words: str, workspace: Workspace, olga: User
) -> None:
    with server(saying(body, status)) as port:
        finding = found(workspace, olga, f"http://127.0.0.1:{port}/v1")
    assert not finding.is_good
    assert words in finding.message


def test_a_server_that_does_not_speak_tls_is_named(workspace: Workspace, olga: User) -> None:
    with server(saying(b"", "400 Bad Request")) as port:
        finding = found(workspace, olga, f"https://127.0.0.1:{port}/v1")
    assert "does not speak TLS" in finding.message


@pytest.mark.django_db(transaction=True)
def test_a_wrong_path_and_an_unknown_model_are_one_finding(workspace: Workspace, olga: User) -> None:
    with server(saying(b"{}", "404 Not Found")) as port:
        connection = factories.make_connection(workspace, f"http://127.0.0.1:{port}/v2")
        factories.make_model(connection, "gpt-9")
        finding = health.probe(connection, asked_by=olga)
    assert "neither a list of models nor gpt-9" in finding.message


def test_a_server_that_says_nothing_is_stuck(workspace: Workspace, olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.5)
    free = threading.Event()
    with server(lambda client: free.wait(5) and None) as port:
        finding = found(workspace, olga, f"http://127.0.0.1:{port}/v1")
        free.set()
    assert "too busy or stuck" in finding.message


def test_a_slow_list_is_called_slow(
    workspace: Workspace, provider: str, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(workspace, olga, f"{provider}/v1").message.endswith("can be called.")
    monkeypatch.setattr(health, "SLOW_SECONDS", 0.0)
    finding = health.probe(workspace.connections.get(), asked_by=olga)
    assert finding.is_good
    assert finding.message.endswith("which is slow.")


def test_the_way_to_a_server_that_listens_is_free(provider: str) -> None:
    assert diagnosis.of_address(provider) == ""


def test_a_private_address_is_not_knocked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW", [])
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("knocked"))
    assert "private address" in diagnosis.of_address("http://127.0.0.1:9/")


@pytest.mark.django_db(transaction=True)
def test_health_is_told_in_a_word(workspace: Workspace, model: Model) -> None:
    for fault in ("", "", "400"):
        try:
            inference.complete(ask(model, fault))
        except ProviderError:
            continue
    hours.refresh(timezone.now())
    seen = health.of_workspace(workspace, timezone.now())[model.connection_id]
    assert (seen.calls, seen.seen.failed, seen.word) == (3, 1, "Shaky")
    assert seen.median_ms is not None


@pytest.mark.parametrize(("failures", "word"), [(0, "Healthy"), (1, "Shaky"), (10, "Failing")])
def test_the_word_follows_the_share_of_failures(failures: int, word: str, workspace: Workspace, model: Model) -> None:
    for _ in range(10):
        made(model)
    for _ in range(failures):
        made(model, kind="timeout")
    hours.refresh(timezone.now())
    assert health.of_workspace(workspace, timezone.now())[model.connection_id].word == word


def test_nobody_who_left_makes_a_provider_unhealthy(workspace: Workspace, model: Model) -> None:
    made(model, kind="interrupted")
    hours.refresh(timezone.now())
    assert health.of_workspace(workspace, timezone.now())[model.connection_id].word == "No calls"
