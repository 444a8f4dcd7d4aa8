"""The one guard for addresses that Galley calls on somebody's behalf."""

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.errors import DomainError

PORTS = {"http": 80, "https": 443}


def check_url(url: str) -> None:
    """Refuse an address that must not be called.

    Raises DomainError for other schemes than http(s), credentials in the address, names that do not resolve,
    and private or link-local targets that the operator's OUTBOUND_ALLOW (host:port, or host:* for every port) does not name.
    Link-local addresses (cloud metadata) are refused even then.
    """
    host, port = _host_and_port(url)
    allowed = not {f"{host}:{port}", f"{host}:*"}.isdisjoint(settings.OUTBOUND_ALLOW)
    for address in _addresses(host, port):
        if address.is_link_local:
            raise DomainError(f"{host} is a link-local address, which is never called.")
        if not address.is_global and not allowed:
            raise DomainError(
                f"{host}:{port} is a private address. The operator can allow it by naming it in OUTBOUND_ALLOW."
            )


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise DomainError("That is not a web address.") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise DomainError("The address must start with http:// or https:// and name a host.")
    if parts.username or parts.password:
        raise DomainError("The address must not hold a user name or password.")
    return parts.hostname, port


def _addresses(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DomainError(f"{host} cannot be found. Check the spelling and the network.") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]
