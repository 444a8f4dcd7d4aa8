"""Serving the application on a socket, with granian inside this process."""

import asyncio
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from .application import build
from .settings import Settings

ALLOW_REMOTE = "PRACTICE_ALLOW_REMOTE"
GRACE = 0.5


class NotServableError(ValueError):
    """The address may not be served, or something is there already."""


def serve(host: str, port: int, settings: Settings, *, until_stdin_closes: bool = False) -> None:
    """Serve until interrupted, or until whoever holds our standard input is gone. Raise NotServableError."""
    check_host(host)
    port = claim(host, port)
    asyncio.run(_serve(host, port, settings, until_stdin_closes=until_stdin_closes))


def check_host(host: str) -> None:
    """Refuse to listen beyond this machine, unless the environment allows it."""
    is_loopback = host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
    if not is_loopback and os.environ.get(ALLOW_REMOTE) != "1":
        raise NotServableError(f"{host} is not loopback: set {ALLOW_REMOTE}=1 to serve it inside a private network")


def claim(host: str, port: int) -> int:
    """Return the port if it is free, or a free one for 0. The server itself would share a taken port silently."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise NotServableError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        return int(probe.getsockname()[1])


async def _serve(host: str, port: int, settings: Settings, *, until_stdin_closes: bool) -> None:
    server = Server(
        build(settings),
        address="127.0.0.1" if host == "localhost" else host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=4096,
        backpressure=8192,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()

    interrupt: Callable[[], None] = server.stop

    def leave() -> None:
        interrupt()
        loop.call_later(GRACE, os._exit, 0)  # calls that hang on demand would hold the process otherwise

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave)
    if until_stdin_closes:
        loop.add_reader(0, _leave_at_end, loop, leave)
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"Practice provider on http://{shown}:{port}\n")
    sys.stdout.flush()
    await server.serve()


def _leave_at_end(loop: asyncio.AbstractEventLoop, leave: Callable[[], None]) -> None:
    if not os.read(0, 1024):
        loop.remove_reader(0)
        leave()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
