"""Why a server cannot be reached: the steps of a connection taken one by one, until one of them fails."""

import socket
import ssl
from urllib.parse import urlsplit

from apps.core import outgoing
from apps.core.errors import DomainError

SECONDS = 5.0


def of_address(base_url: str) -> str:
    """Return what is wrong with the way to the address, in a sentence; nothing when the way is free."""
    try:
        outgoing.check_url(base_url)
    except DomainError as error:
        return error.message
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or outgoing.PORTS[parts.scheme]
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as raw:
            outgoing.check_peer(raw.getpeername()[0], port, may_be_private=outgoing.is_allowed(base_url))
            if parts.scheme == "https":
                return _handshake(raw, host)
    except ConnectionRefusedError:
        return f"{host} is there, but nothing listens on port {port}: the connection is refused. Is the server running?"
    except TimeoutError:
        return f"{host} does not react on port {port} within {SECONDS:.0f} s. A firewall may be in the way."
    except DomainError as error:
        return error.message
    except OSError:
        return f"There is no way from here to {host} on port {port}. Check the network."
    return ""


def _handshake(raw: socket.socket, host: str) -> str:
    try:
        with ssl.create_default_context().wrap_socket(raw, server_hostname=host):
            return ""
    except ssl.SSLCertVerificationError as error:
        return f"The certificate of {host} is not to be trusted: {error.verify_message}."
    except ssl.SSLError:
        return f"{host} does not speak TLS there. If the server is meant to be called in the clear, write http://."
    except OSError:
        return f"{host} broke off while the connection was being secured."
