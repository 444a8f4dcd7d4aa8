"""Clients in event loops: one for each, never shared, closed with their loop; and many streams at once."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from apps.core import outgoing
from apps.core.errors import DomainError
from apps.llm import clients
from apps.llm.clients import AsyncClient
from apps.llm.errors import ErrorKind
from apps.llm.models import Connection
from tests.llm.conftest import KEY
from tests.llm.wire import ANTHROPIC, OPENAI, WAYS, Caller, body_for, connection_to, finished, perform, rude, said


def polite(caller: Caller) -> None:
    while True:
        caller.request()
        caller.start()
        caller.chunk(said(OPENAI, "hello") + finished(OPENAI))
        caller.end()


def wait_for(found: list[Any]) -> None:
    """Wait until something is found by the server's thread."""
    deadline = time.monotonic() + 5
    while not found and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found


async def one_stream(connection: Connection, body: Any, *, timeout: float = 20.0) -> tuple[str, float]:
    """Return the text of a stream and the seconds until its first word."""
    client = clients.async_client_of(connection)
    assembler = client.dialect.assembler()
    begun, first = time.monotonic(), 0.0
    async with await client.stream(body | {"stream": True}, timeout=timeout) as stream:
        async for event in stream:
            if assembler.feed(event) and not first:
                first = time.monotonic() - begun
    return assembler.answer().text, first


def test_a_loop_has_one_client_and_another_loop_another(provider: str) -> None:
    connection = connection_to(provider)

    async def twice() -> tuple[AsyncClient, AsyncClient]:
        return clients.async_client_of(connection), clients.async_client_of(connection)

    (first, same), (other, _) = asyncio.run(twice()), asyncio.run(twice())
    assert first is same
    assert first is not other


def test_the_sockets_close_with_their_loop() -> None:
    """The server sees us go: nothing is left open for the garbage collector to find."""
    gone: list[str] = []

    def manner(caller: Caller) -> None:
        try:
            polite(caller)
        finally:
            gone.append("seen")

    with rude(manner) as server:
        connection = connection_to(server.url)
        assert asyncio.run(one_stream(connection, body_for(OPENAI)))[0] == "hello"
        wait_for(gone)


def test_the_clients_of_loops_that_ended_are_forgotten(provider: str) -> None:
    connection = connection_to(provider)
    for _ in range(5):
        asyncio.run(one_stream(connection, body_for(OPENAI)))
    assert len(clients._in_loops) == 1


def test_calls_in_a_loop_share_their_connections() -> None:
    with rude(polite) as server:
        connection = connection_to(server.url)

        async def several() -> None:
            for _ in range(3):
                await one_stream(connection, body_for(OPENAI))

        asyncio.run(several())
        assert (server.connections, len(server.requests)) == (1, 3)


def test_a_cancelled_stream_leaves_and_the_loop_goes_on(provider: str, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=20)
    connection = connection_to(provider)

    async def impatient() -> str:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one_stream(connection, body_for(OPENAI)), 0.15)
        client = clients.async_client_of(connection)
        return (await client.ask(body_for(OPENAI), timeout=20))[1]

    assert asyncio.run(impatient()).startswith("req_")


@pytest.mark.parametrize("kind", [OPENAI, ANTHROPIC])
def test_two_hundred_streams_at_once_all_arrive(provider: str, kind: str, set_provider: Callable[..., None]) -> None:
    set_provider(token_ms=5, latency_ms=100)
    connection = connection_to(provider, kind)

    async def all_of_them() -> list[tuple[str, float]]:
        return await asyncio.gather(*[one_stream(connection, body_for(kind), timeout=60) for _ in range(200)])

    found = asyncio.run(all_of_them())
    assert len({text for text, _ in found}) == 1
    assert found[0][0]


@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_no_server_knows_may_be_known_later(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = perform(way, connection_to("https://models.example.com"), body_for(OPENAI)).error
    assert error
    assert (error.kind, error.permanent, error.reached) == (ErrorKind.CONNECTION, False, False)
    assert "no name server knows" in error.message


@pytest.mark.parametrize("way", WAYS)
def test_a_port_where_nobody_listens_may_be_served_later(way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = perform(way, connection_to(f"http://127.0.0.1:{port}"), body_for(OPENAI)).error
    assert error
    assert (error.kind, error.permanent, error.reached) == (ErrorKind.CONNECTION, False, False)


def test_a_private_address_is_refused_in_a_loop_as_elsewhere(provider: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = []
    connection = connection_to(provider)

    async def ready() -> None:
        await clients.async_client_of(connection).ready()

    with pytest.raises(DomainError, match="OUTBOUND_ALLOW") as caught:
        clients.client_of(connection)
    with pytest.raises(DomainError, match="OUTBOUND_ALLOW") as in_loop:
        asyncio.run(ready())
    assert (type(in_loop.value), in_loop.value.message) == (type(caught.value), caught.value.message)
    error = perform("async ask", connection, body_for(OPENAI)).error
    assert error
    assert (error.kind, error.permanent, error.reached) == (ErrorKind.CONNECTION, True, False)
    assert "OUTBOUND_ALLOW" in error.message


@pytest.mark.parametrize("way", WAYS)
def test_a_public_name_that_leads_to_a_private_address_by_now_gets_nothing(
    way: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOUND_ALLOW = []
    monkeypatch.setattr(outgoing, "check_url", lambda url: None)
    received = []

    def manner(caller: Caller) -> None:
        received.append(caller.socket.recv(1000))

    with rude(manner) as server:
        error = perform(way, connection_to(server.url), body_for(OPENAI)).error
        assert error
        assert (error.kind, error.permanent, error.reached) == (ErrorKind.CONNECTION, True, False)
        wait_for(received)
    assert received == [b""]


@pytest.mark.parametrize("way", WAYS)
def test_a_link_local_address_is_refused_even_when_private_ones_are_allowed(
    way: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = ("169.254.169.254", 80)
    monkeypatch.setattr("httpcore2._backends.sync.SyncStream.get_extra_info", lambda self, name: peer)
    monkeypatch.setattr("httpcore2._backends.anyio.AnyIOStream.get_extra_info", lambda self, name: peer)
    error = perform(way, connection_to(provider), body_for(OPENAI)).error
    assert error
    assert ("link-local" in error.message, error.permanent, error.reached) == (True, True, False)


def test_a_client_in_a_loop_is_ready_though_no_name_server_knows_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(url: str) -> None:
        raise outgoing.NotFound("models.example.com cannot be found.")

    monkeypatch.setattr(outgoing, "check_url", unknown)

    async def ready() -> AsyncClient:
        return await clients.async_client_of(connection_to("https://models.example.com")).ready()

    assert repr(asyncio.run(ready())) == "<AsyncClient of Acme>"
    assert clients.client_of(connection_to("https://models.example.com"))


def test_the_address_is_looked_at_once_for_each_client(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(outgoing, "check_url", seen.append)

    async def several() -> None:
        client = await clients.async_client_of(connection_to(provider)).ready()
        await client.ask(body_for(OPENAI), timeout=5)
        await client.ready()

    asyncio.run(several())
    assert len(seen) == 1


def test_a_proxy_in_the_environment_is_not_used(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for way in WAYS:
        assert perform(way, connection_to(provider), body_for(OPENAI)).error is None


def test_the_representation_of_a_client_holds_no_key(provider: str) -> None:
    connection = connection_to(provider)

    async def shown() -> str:
        return repr(clients.async_client_of(connection))

    assert KEY not in asyncio.run(shown()) + repr(clients.client_of(connection))


def test_texts_become_vectors_in_a_loop_too(provider: str) -> None:
    async def embedded() -> list[list[float]]:
        client = clients.async_client_of(connection_to(provider))
        assert client.dialect.read_embeddings
        received, _ = await client.embed({"model": "practice-embed", "input": ["a", "b"]}, timeout=5)
        return client.dialect.read_embeddings(received, 2).vectors

    assert len(asyncio.run(embedded())) == 2


def test_a_provider_without_embeddings_says_so_in_a_loop_too(provider: str) -> None:
    async def embedded() -> None:
        await clients.async_client_of(connection_to(provider, ANTHROPIC)).embed({}, timeout=5)

    with pytest.raises(clients.NoEmbeddings):
        asyncio.run(embedded())
