"""Addresses to listen on: is one free, who has it, which other one is."""

import errno
import socket
from pathlib import Path

from llmops_site.running import processes

LISTENING = "0A"


class PortError(Exception):
    """Say why we cannot listen, and what to do."""


def is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def check(host: str, port: int, *, again: str = "make up") -> None:
    """Return when we can listen there. Raises PortError."""
    try:
        _bind(host, port)
    except socket.gaierror:
        raise PortError(f"{host} is not an address of this machine. Set HOST=127.0.0.1.") from None
    except OverflowError:
        raise PortError(f"{port} is not a port: choose one from 1024 to 65535.") from None
    except OSError as error:
        raise PortError(_in_words(host, port, error, again)) from None


def next_free(host: str, port: int) -> int:
    """Return a free port at or after this one, else any."""
    for candidate in range(port, min(port + 100, 65536)):
        if is_free(host, candidate):
            return candidate
    return any_free(host)


def any_free(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def holder(port: int) -> str:
    """Return who listens on the port as far as we may see, for example `python -m http.server (pid 12)`."""
    inodes = {
        fields[9]
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
        if table.exists()
        for fields in (line.split() for line in table.read_text().splitlines()[1:])
        if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port
    }
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            who = processes.identify(int(descriptor.parts[2]))
            return f"`{who.command[:60]}` (pid {who.pid})" if who else "another program"
    return "another program"


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections that are only closing are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _in_words(host: str, port: int, error: OSError, again: str) -> str:
    if error.errno == errno.EADDRINUSE:
        other = next_free(host, port + 81 if port + 81 < 65536 else 8081)
        return f"Port {port} is taken by {holder(port)}. Choose another one: PORT={other} {again}"
    if error.errno == errno.EACCES:
        return f"Only root may listen on port {port}. Choose another one: PORT=8080 {again}"
    return f"Galley cannot listen on {host}:{port} ({error.strerror}). Set HOST=127.0.0.1 or choose another PORT."
