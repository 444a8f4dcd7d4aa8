"""The SDK clients: one for each connection and key, and in event loops one for each loop as well."""

import asyncio
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TypeVar

from apps.core import outgoing
from apps.llm.clients.concurrent import AsyncClient, AsyncStream
from apps.llm.clients.plain import Client, Stream
from apps.llm.clients.wire import NoEmbeddings
from apps.llm.models import Connection

__all__ = ["AsyncClient", "AsyncStream", "Client", "NoEmbeddings", "Stream", "async_client_of", "client_of", "forget"]

MAX_CLIENTS = 128
Mark = tuple[int, str, str, bytes]
Kind = TypeVar("Kind", Client, AsyncClient)

_lock = threading.Lock()
_clients: OrderedDict[Mark, Client] = OrderedDict()
_in_loops: dict[asyncio.AbstractEventLoop, OrderedDict[Mark, AsyncClient]] = {}


def client_of(connection: Connection) -> Client:
    """Return the connection's client, made once for its key and address.

    The stored, encrypted key tells keys apart, so that a call need not decrypt it. Raises DomainError for an
    address that must not be called and for a key that cannot be opened. A name that no name server knows may be
    known in a moment, and fails when it is called.
    """
    mark = _mark(connection)
    with _lock:
        if client := _clients.get(mark):
            return client
    with suppress(outgoing.NotFound):
        outgoing.check_url(connection.base_url)
    made = Client(connection)
    with _lock:
        return _kept(_clients, mark, made)


def async_client_of(connection: Connection) -> AsyncClient:
    """Return the connection's client of the running event loop.

    Raises DomainError for a key that cannot be opened; `await client.ready()` looks at the address, too.
    """
    loop, mark = asyncio.get_running_loop(), _mark(connection)
    with _lock:
        if loop in _in_loops and (client := _in_loops[loop].get(mark)):
            return client
    made = AsyncClient(connection)
    with _lock:
        for ended in [other for other in _in_loops if other.is_closed()]:
            del _in_loops[ended]
        return _kept(_in_loops.setdefault(loop, OrderedDict()), mark, made)


def _mark(connection: Connection) -> Mark:
    return connection.pk, connection.kind, connection.base_url, bytes(connection.encrypted_key)


def _kept(clients: OrderedDict[Mark, Kind], mark: Mark, made: Kind) -> Kind:
    """Keep a client instead of those of the connection's earlier keys; the oldest ones go when there are too many."""
    for old in [key for key in clients if key[0] == mark[0] and key != mark]:
        del clients[old]
    client = clients.setdefault(mark, made)
    while len(clients) > MAX_CLIENTS:
        clients.popitem(last=False)
    return client


def forget() -> None:
    """Drop every client: a forked child must not share its parent's sockets."""
    global _lock
    _lock = threading.Lock()
    _clients.clear()
    _in_loops.clear()


os.register_at_fork(after_in_child=forget)
