"""Nobody is believed about a network nearer to us than the one he speaks from."""

from __future__ import annotations

import pytest

from warren.core.multiaddr import Multiaddr
from warren.protocols.kad.addresses import believable, is_public, subnet

LOOPBACK, PRIVATE, PUBLIC = (Multiaddr.tcp(host, 4101) for host in ("127.0.0.1", "192.168.1.7", "60.1.2.3"))
LOCAL6, PUBLIC6 = Multiaddr.tcp("fd00::7", 4101), Multiaddr.tcp("2a01:4f8::7", 4101)
ALL = (LOOPBACK, PRIVATE, PUBLIC, LOCAL6, PUBLIC6)


@pytest.mark.parametrize(
    ("teller", "believed"),
    [
        (LOOPBACK, ALL),
        (PRIVATE, (PRIVATE, PUBLIC, LOCAL6, PUBLIC6)),
        (LOCAL6, (PRIVATE, PUBLIC, LOCAL6, PUBLIC6)),
        (PUBLIC, (PUBLIC, PUBLIC6)),
        (PUBLIC6, (PUBLIC, PUBLIC6)),
        (None, (PUBLIC, PUBLIC6)),
    ],
)
def test_who_is_believed_about_what(teller: Multiaddr | None, believed: tuple[Multiaddr, ...]) -> None:
    assert believable(ALL, teller) == believed


def test_who_speaks_through_a_relay_is_far_away() -> None:
    relayed = Multiaddr.parse("/ip4/127.0.0.1/tcp/1/p2p-circuit")
    assert believable(ALL, relayed) == (PUBLIC, PUBLIC6)


@pytest.mark.parametrize(
    "text",
    [
        "/dns4/localhost/tcp/4101",
        "/dns/example.org/tcp/4101",
        "/ip4/60.1.2.3/tcp/0",
        "/ip4/0.0.0.0/tcp/4101",
        "/ip4/224.0.0.1/tcp/4101",
        "/ip4/60.1.2.3/tcp/4101/p2p-circuit",
        "/ip4/60.1.2.3",
    ],
)
def test_what_nobody_is_believed_about(text: str) -> None:
    address = Multiaddr.parse(text)
    assert believable([address], LOOPBACK) == ()
    assert not is_public([address])


def test_public_is_what_the_internet_reaches() -> None:
    assert is_public([PRIVATE, PUBLIC])
    assert not is_public([LOOPBACK, PRIVATE, LOCAL6])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("60.1.2.3", "60.1.2.0/24"),
        ("::ffff:60.1.2.3", "60.1.2.0/24"),
        ("2a01:4f8:1:2::3", "2a01:4f8:1::/48"),
    ],
)
def test_a_subnet_is_what_one_party_has_many_addresses_of(host: str, expected: str) -> None:
    assert subnet(Multiaddr.tcp(host, 4101)) == expected


def test_what_has_no_ip_is_in_no_subnet() -> None:
    assert subnet(None) == subnet(Multiaddr.parse("/dns4/example.org/tcp/1")) == ""
