"""Whom of the peer table it names."""

from __future__ import annotations

import pytest

from tests.services.discovery.test_conformance import Entry
from warren.core.keys import PrivateKey
from warren.services.discovery.acquaintances import is_vouched_for

PEER = PrivateKey.from_seed(b"p" * 32).peer_id


@pytest.mark.parametrize(
    ("last_seen", "sources", "named"),
    [
        (1.0, ("mdns",), True),
        (None, ("exchange",), True),
        (None, ("import", "mdns"), True),
        (None, ("mdns",), False),
        (None, ("mdns", "dht"), False),
        (None, (), False),
    ],
)
def test_what_a_liar_announced_does_not_come_back_from_the_table(
    last_seen: float | None, sources: tuple[str, ...], named: bool
) -> None:
    assert is_vouched_for(Entry(PEER, (), last_seen, sources=sources)) is named
