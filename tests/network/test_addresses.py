from __future__ import annotations

import math

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.addresses import AddressBook

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(1, 5)]
PEER = PEERS[0]


def address(n: int) -> Multiaddr:
    return Multiaddr.tcp("10.0.0.1", n)


def test_addresses_are_remembered_until_they_expire() -> None:
    book = AddressBook(8, 8)
    book.add(PEER, [address(1)], 100.0, 10.0)
    book.add(PEER, [address(2)], 100.0, math.inf)
    assert book.get(PEER, 109.9) == [address(1), address(2)]
    assert book.get(PEER, 110.0) == [address(2)]
    assert book.get(PEER, 1e12) == [address(2)]
    assert book.get(PEERS[1], 100.0) == []


def test_a_longer_life_that_was_promised_stays() -> None:
    book = AddressBook(8, 8)
    book.add(PEER, [address(1)], 0.0, 100.0)
    book.add(PEER, [address(1)], 50.0, 10.0)
    assert book.get(PEER, 99.0) == [address(1)]
    book.add(PEER, [address(1)], 90.0, 100.0)
    assert book.get(PEER, 189.0) == [address(1)]


def test_the_peer_at_the_end_of_an_address_is_not_kept() -> None:
    book = AddressBook(8, 8)
    book.add(PEER, [address(1).with_peer(PEER), address(1)], 0.0, 10.0)
    assert book.get(PEER, 0.0) == [address(1)]


def test_of_too_many_addresses_the_first_to_expire_goes() -> None:
    book = AddressBook(2, 8)
    book.add(PEER, [address(1)], 0.0, 50.0)
    book.add(PEER, [address(2)], 0.0, math.inf)
    book.add(PEER, [address(3)], 0.0, 100.0)
    assert book.get(PEER, 0.0) == [address(2), address(3)]


def test_of_too_many_peers_the_one_that_was_touched_longest_ago_goes() -> None:
    book = AddressBook(8, 2)
    book.add(PEERS[0], [address(1)], 0.0, 50.0)
    book.add(PEERS[1], [address(2)], 0.0, 50.0)
    book.add(PEERS[0], [address(3)], 0.0, 50.0)
    book.add(PEERS[2], [address(4)], 0.0, 50.0)
    assert [bool(book.get(peer, 0.0)) for peer in PEERS[:3]] == [True, False, True]


def test_a_peer_without_addresses_takes_no_place() -> None:
    book = AddressBook(8, 1)
    book.add(PEERS[0], [address(1)], 0.0, 50.0)
    book.add(PEERS[1], [], 0.0, 50.0)
    assert book.get(PEERS[0], 0.0) == [address(1)]


def test_while_a_peer_is_connected_nothing_of_it_expires() -> None:
    book = AddressBook(8, 8)
    book.add(PEER, [address(1)], 0.0, 10.0)
    book.on_connected(PEER, 5.0)
    book.add(PEER, [address(2)], 6.0, 100.0)
    book.on_connected(PEER, 7.0)
    assert book.get(PEER, 1e9) == [address(1), address(2)]


def test_from_the_end_of_the_connection_each_address_has_its_whole_life_again() -> None:
    book = AddressBook(8, 8)
    book.on_connected(PEER, 0.0)
    book.add(PEER, [address(1)], 0.0, 10.0)
    book.add(PEER, [address(2)], 0.0, 100.0)
    book.add(PEER, [address(3)], 0.0, 5000.0)
    book.on_disconnected(PEER, 1000.0)
    book.on_disconnected(PEER, 2000.0)
    assert book.get(PEER, 1009.9) == [address(1), address(2), address(3)]
    assert book.get(PEER, 1099.9) == [address(2), address(3)]
    assert book.get(PEER, 5999.9) == [address(3)]
    assert book.get(PEER, 6000.0) == []


def test_a_connection_does_not_bring_back_what_had_expired() -> None:
    book = AddressBook(8, 8)
    book.add(PEER, [address(1)], 0.0, 10.0)
    book.on_connected(PEER, 10.0)
    assert book.get(PEER, 11.0) == []
    book.on_disconnected(PEER, 12.0)
    assert book.get(PEER, 12.0) == []


def test_connected_peers_take_no_place_of_those_that_are_away() -> None:
    book = AddressBook(2, 1)
    for peer in PEERS[:2]:
        book.on_connected(peer, 0.0)
        book.add(peer, [address(1)], 0.0, 50.0)
    book.add(PEERS[2], [address(1)], 0.0, 50.0)
    assert [bool(book.get(peer, 0.0)) for peer in PEERS[:3]] == [True, True, True]
    book.add(PEERS[0], [address(2), address(3)], 0.0, 60.0)
    assert book.get(PEERS[0], 0.0) == [address(2), address(3)]
    book.on_disconnected(PEERS[0], 0.0)
    assert [bool(book.get(peer, 0.0)) for peer in PEERS[:3]] == [True, True, False]


def test_where_a_peer_was_met_is_known_apart_and_goes_last() -> None:
    book = AddressBook(2, 8)
    book.add(PEER, [address(1)], 0.0, 10.0, met=True)
    book.add(PEER, [address(1), address(2)], 0.0, 50.0)
    book.add(PEER, [address(3)], 0.0, 40.0)
    assert book.get(PEER, 0.0) == [address(1), address(2)]
    assert book.met_at(PEER, 0.0) == [address(1)]
    book.on_connected(PEER, 0.0)
    assert book.met_at(PEER, 100.0) == [address(1)]
    book.on_disconnected(PEER, 100.0)
    assert book.met_at(PEER, 149.0) == [address(1)]
    assert book.met_at(PEER, 150.0) == []
    assert book.met_at(PEERS[1], 0.0) == []
