"""Which host and network a peer is counted with."""

from __future__ import annotations

import pytest

from tests.network.nodes import key
from warren.network.places import LOOPBACK, NOWHERE, Place, place_of

ANNA, BEN = (key(number).peer_id for number in (1, 2))


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("20.1.2.3", Place("20.1.2.3", "20.1.2.0/24")),
        ("::ffff:20.1.2.3", Place("20.1.2.3", "20.1.2.0/24")),
        ("2a00:1:2:3::4", Place("2a00:1:2:3::/64", "2a00:1:2::/48")),
        ("fe80::1%eth0", Place("fe80::/64", "fe80::/48")),
        ("some.name", Place("some.name", "some.name")),
        (None, NOWHERE),
    ],
)
def test_a_place_is_a_host_in_a_network(host: str | None, place: Place) -> None:
    assert place_of(ANNA, host) == place


@pytest.mark.parametrize("host", ["127.0.0.1", "127.7.7.7", "::1", "::ffff:127.0.0.1"])
def test_on_this_machine_each_peer_is_a_host_and_all_are_one_network(host: str) -> None:
    assert place_of(ANNA, host) == Place(str(ANNA), LOOPBACK)
    assert place_of(BEN, host) == Place(str(BEN), LOOPBACK)
