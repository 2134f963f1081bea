"""How far an address is."""

from __future__ import annotations

import pytest

from warren.core.multiaddr import Multiaddr
from warren.services.peers.reach import FAR, HERE, NEAR, Place, place_of


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("/ip4/127.0.0.1/tcp/1", Place("127.0.0.1", HERE)),
        ("/ip4/192.168.1.7/tcp/1", Place("192.168.1.7", NEAR)),
        ("/ip4/8.8.8.8/tcp/1", Place("8.8.8.8", FAR)),
        ("/ip6/2001:4860::7/tcp/1", Place("2001:4860::/64", FAR)),
        ("/ip6/fd00::7/tcp/1", Place("fd00::/64", NEAR)),
        ("/dns4/example.org/tcp/1", Place("example.org", FAR)),
    ],
)
def test_an_address_tells_the_host_and_how_far_it_is(address: str, place: Place) -> None:
    assert place_of(Multiaddr.parse(address)) == place


def test_without_an_address_it_may_be_anywhere() -> None:
    assert place_of(None).reach == FAR
