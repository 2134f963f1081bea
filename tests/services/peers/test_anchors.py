"""Anchors: what stood long stays, one of each network, over restarts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.services.peers.anchors import (
    TEXT_BYTES_MAX,
    Anchor,
    Standing,
    choose,
    from_text,
    to_text,
)
from warren.services.peers.diversity import group_of_address

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(8)]


def at(net: int, port: int = 1) -> Multiaddr:
    return Multiaddr.tcp(f"{net}.1.1.1", port)


def standing(number: int, net: int, since: float) -> Standing:
    return Standing(PEERS[number], at(net), since)


peers = st.sampled_from(PEERS)
addresses = st.integers(1, 4).map(at)
lists_of_anchors = st.lists(st.builds(Anchor, peers, addresses), max_size=6)
lists_of_standing = st.lists(
    st.builds(Standing, peers, addresses, st.floats(0, 100)), max_size=8, unique_by=lambda one: one.peer
)


@given(lists_of_anchors, lists_of_standing, st.integers(0, 4), st.floats(0, 100))
def test_anchors_are_few_of_different_networks_and_none_without_reason(
    anchors: list[Anchor], connected: list[Standing], count: int, before: float
) -> None:
    chosen = choose(anchors, connected, count, before)
    assert len(chosen) <= count
    assert len({group_of_address(one.address) for one in chosen}) == len(chosen)
    assert len({one.peer for one in chosen}) == len(chosen)
    old = {one.peer for one in connected if one.since <= before}
    assert {one.peer for one in chosen} <= old | {one.peer for one in anchors}
    again = choose(chosen, connected, count, before)
    here = {one.peer for one in connected}
    assert [one for one in again if one.peer in here] == [one for one in chosen if one.peer in here]


def test_what_stood_longest_becomes_an_anchor_and_stays_one() -> None:
    connected = [standing(0, 1, 50), standing(1, 2, 10), standing(2, 3, 20), standing(3, 4, 99)]
    first = choose([], connected, 2, before=60)
    assert [one.peer for one in first] == [PEERS[1], PEERS[2]]
    longer = [*connected, standing(4, 5, 1)]
    assert choose(first, longer, 2, before=60) == first


def test_an_anchor_that_is_away_keeps_its_place_until_somebody_needs_it() -> None:
    away, here = Anchor(PEERS[0], at(1)), Anchor(PEERS[1], at(2))
    assert choose([away], [standing(1, 2, 10)], 2, before=60) == [here, away]
    assert choose([away, here], [standing(1, 2, 10), standing(2, 3, 20)], 2, before=60) == [
        here,
        Anchor(PEERS[2], at(3)),
    ]


def test_one_network_never_holds_two_places() -> None:
    attackers = [Standing(PEERS[n], at(6, n + 1), n) for n in range(6)]
    honest = standing(7, 9, 500)
    assert [one.peer for one in choose([], [*attackers, honest], 4, before=600)] == [PEERS[0], PEERS[7]]


@given(lists_of_anchors)
def test_text_brings_back_what_was_written(anchors: list[Anchor]) -> None:
    assert from_text(to_text(anchors), len(anchors)) == anchors
    assert from_text(to_text(anchors), 1) == anchors[:1]


@given(st.binary(max_size=200))
def test_damage_costs_the_anchors_and_no_more(text: bytes) -> None:
    assert from_text(text, 4) == []


def test_what_is_no_file_of_ours_is_left_alone() -> None:
    for text in (
        b"[]",
        b"7",
        b"null",
        b'{"anchors": 7}',
        b'{"anchors": [7]}',
        b'{"anchors": [{"peer_id": 1}]}',
    ):
        assert from_text(text, 4) == []
    good = to_text([Anchor(PEERS[0], at(1))])
    assert from_text(good + b" " * TEXT_BYTES_MAX, 4) == []
    assert from_text(good.replace(b"/ip4/", b"/ipx/"), 4) == []
    assert from_text(b"[" * 100_000, 4) == []
    assert from_text(b"[" * 60_000, 4) == []
