"""The one guard for addresses that Galley calls on somebody's behalf."""

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.errors import DomainError

PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# On networks without IPv4 a gateway passes packets for these on to the IPv4 address in their last four bytes.
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# No provider is there: what networks need for themselves, some clouds' metadata too, or an IPv4 address in disguise.
SPECIAL = tuple(map(ipaddress.ip_network, ("0.0.0.0/8", "192.0.0.0/24", "2001::/32", "2002::/16", "fec0::/10")))


class NotFound(DomainError):
    """No name server knows the host, now at least."""


def check_url(url: str) -> None:
    """Refuse an address that must not be called.

    Raises DomainError for other schemes than http(s), credentials in the address, names that do not resolve
    (NotFound), and private targets that the operator's OUTBOUND_ALLOW (host:port, or host:* for every port) does not name.
    Link-local addresses (cloud metadata) and those that belong to no machine are refused even then.
    """
    host, port = _host_and_port(url)
    may_be_private = is_allowed(url)
    for address in _addresses(host, port):
        _check_address(address, host, port, may_be_private=may_be_private)


def is_allowed(url: str) -> bool:
    """Tell whether OUTBOUND_ALLOW names the address, so that it may be private. Raises DomainError for none."""
    host, port = _host_and_port(url)
    return not {f"{host}:{port}", f"{host}:*"}.isdisjoint(settings.OUTBOUND_ALLOW)


def check_peer(host: str, port: int, *, may_be_private: bool) -> None:
    """Refuse the far end of a connection: a name may lead elsewhere by now. Raises DomainError as `check_url` does."""
    _check_address(_address(host), host, port, may_be_private=may_be_private)


def _check_address(address: Address, host: str, port: int, *, may_be_private: bool) -> None:
    if address.is_link_local:
        raise DomainError(f"{host} is a link-local address, which is never called.")
    if address.is_multicast or _is_special(address):
        raise DomainError(f"{host} is not the address of one machine, so it is never called.")
    if not address.is_global and not may_be_private:
        raise DomainError(
            f"{host}:{port} is a private address. The operator can allow it by naming it in OUTBOUND_ALLOW."
        )


def _is_special(address: Address) -> bool:
    return (address.is_reserved and not address.is_loopback) or any(address in network for network in SPECIAL)


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


def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotFound(f"{host} cannot be found. Check the spelling and the network.") from None
    return [_address(str(entry[4][0])) for entry in found]


def _address(text: str) -> Address:
    """Return the address that packets go to: without its zone, and the IPv4 one inside an IPv6 one."""
    address = ipaddress.ip_address(text.split("%")[0])
    if address in TRANSLATED:
        return ipaddress.IPv4Address(address.packed[-4:])
    return getattr(address, "ipv4_mapped", None) or address
