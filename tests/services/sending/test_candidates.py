"""Whom a receiver tries: a few of each source, so that none of them can fill it alone."""

from __future__ import annotations

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.services.sending.candidates import (
    ADDRESSES_MAX,
    SOURCE_MAX,
    TELLER_MAX,
    TOLD,
    TOLD_MAX,
    Candidates,
)

ME, *PEERS = [PrivateKey.from_seed(n.to_bytes(32, "big")).peer_id for n in range(100)]


def where(number: int) -> Multiaddr:
    return Multiaddr.tcp("192.0.2.1", number + 1)


def taken(candidates: Candidates) -> list[int]:
    found = []
    while (peer := candidates.next()) is not None:
        found.append(PEERS.index(peer))
    return found


def test_each_is_tried_once_in_the_order_in_which_they_were_named() -> None:
    candidates = Candidates(ME)
    for number in (3, 1, 3, 2, 1):
        candidates.add(PEERS[number], (where(number),), "mdns")
    candidates.add(ME, (where(0),), "mdns")
    assert taken(candidates) == [3, 1, 2]
    candidates.add(PEERS[1], (where(9),), "dht")
    assert taken(candidates) == []
    assert candidates.tried == 3


def test_all_say_where_it_is_and_that_has_a_bound() -> None:
    candidates = Candidates(ME)
    candidates.add(PEERS[0], (where(1), where(2)), "mdns")
    candidates.add(PEERS[0], (where(2), where(3)), "dht")
    assert candidates.addresses(PEERS[0]) == [where(1), where(2), where(3)]
    candidates.add(PEERS[0], [where(n) for n in range(100)], "dht")
    assert len(candidates.addresses(PEERS[0])) == ADDRESSES_MAX
    assert candidates.addresses(PEERS[1]) == []


def test_one_source_that_names_many_leaves_room_for_the_others() -> None:
    candidates = Candidates(ME)
    for number in range(50):
        candidates.add(PEERS[number], (), "dht")
    candidates.add(PEERS[60], (), "mdns")
    assert taken(candidates) == [*range(SOURCE_MAX), 60]


def test_one_peer_that_names_many_leaves_room_for_what_others_tell() -> None:
    candidates = Candidates(ME)
    for number in range(30):
        candidates.add(PEERS[number], (), TOLD, PEERS[80])
    candidates.add(PEERS[60], (), TOLD, PEERS[81])
    assert taken(candidates) == [*range(TELLER_MAX), 60]


def test_no_more_are_tried_than_have_a_guess_to_spare() -> None:
    candidates = Candidates(ME)
    for number in range(80):
        candidates.add(PEERS[number], (), TOLD, PEERS[98 - number])
    assert taken(candidates) == list(range(TOLD_MAX))
    assert 2**22 / (TOLD_MAX + 2 * SOURCE_MAX) > 87_380
