"""What is called on somebody's behalf, and what never is."""

from typing import Any

import pytest

from apps.core import outgoing
from apps.core.errors import DomainError

NEVER = [
    "169.254.169.254",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "0.0.0.0",
    "0.0.0.1",
    "::",
    "224.0.0.1",
    "ff02::1",
    "64:ff9b::224.0.0.1",
    # in disguise: to reach IPv4 through a relay, through a translator of the network's own, or as once was meant
    "2002:a9fe:a9fe::",
    "2001:0:a9fe:a9fe::1",
    "64:ff9b:1::169.254.169.254",
    "::169.254.169.254",
    "::127.0.0.1",
    "::ffff:0:169.254.169.254",
    # for the network's own needs, and for nobody yet
    "192.0.0.192",
    "fec0::1",
    "240.0.0.1",
    "255.255.255.255",
    "4000::1",
]


@pytest.mark.parametrize("host", NEVER)
def test_a_far_end_that_is_no_machine_of_ours_is_refused_even_where_private_ones_are_allowed(host: str) -> None:
    with pytest.raises(DomainError, match="never called"):
        outgoing.check_peer(host, 80, may_be_private=True)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "fd00::1", "::1", "64:ff9b::10.1.2.3", "::ffff:10.1.2.3", "100.100.100.200"]
)
def test_a_private_far_end_is_for_allowed_hosts_alone(host: str) -> None:
    outgoing.check_peer(host, 80, may_be_private=True)
    with pytest.raises(DomainError, match="private address"):
        outgoing.check_peer(host, 80, may_be_private=False)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_a_public_far_end_is_for_everybody_also_through_a_translator(host: str) -> None:
    outgoing.check_peer(host, 443, may_be_private=False)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]"]
)
def test_naming_such_an_address_in_outbound_allow_changes_nothing(host: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = [f"{host.strip('[]')}:*"]
    with pytest.raises(DomainError, match="never called"):
        outgoing.check_url(f"http://{host}/v1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://models.lan:8000/v1", True),
        ("http://models.lan:8001/v1", False),
        ("http://models.lan/v1", False),
        ("https://any.lan:1/v1", True),
        ("https://other.lan/v1", False),
        ("http://MODELS.lan:8000/v1", True),
    ],
)
def test_the_operator_allows_by_host_and_port(url: str, expected: bool, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["models.lan:8000", "any.lan:*"]
    assert outgoing.is_allowed(url) is expected
