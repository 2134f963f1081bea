from __future__ import annotations

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.services.contacts.model import Contact

ANNA = PrivateKey.from_seed(b"\1" * 32).peer_id
HOME, CAFE = Multiaddr.parse("/ip4/192.0.2.1/tcp/1"), Multiaddr.parse("/ip4/192.0.2.2/tcp/2")


def test_proven_addresses_are_tried_before_those_that_were_told() -> None:
    assert Contact(ANNA, "anna", "Anna", 0.0, proven=(CAFE,), told=(HOME,)).addresses == (CAFE, HOME)
    assert Contact(ANNA, "anna", "Anna", 0.0).addresses == ()
