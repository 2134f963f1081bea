"""What others told of themselves: in any order, in parts, begun anew, or without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warren.core.keys import PrivateKey
from warren.protocols.swarm.messages import LEAVES_MAX, UNKNOWN, Holding, Version
from warren.services.files.swarm import holdings as module
from warren.services.files.swarm.bits import Bits
from warren.services.files.swarm.holdings import PEERS_MAX, Holdings

if TYPE_CHECKING:
    from warren.services.files.swarm.holdings import Heard

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(PEERS_MAX + 2)]
A, B = PEERS[:2]


def told(epoch: int, *numbers: int, since: int = 0) -> Holding:
    """What who has these says, to somebody who knows the first `since` of them."""
    bits = Bits()
    for number in numbers:
        bits.add(number)
    segments, version = bits.since(since)
    return Holding(False, Version(epoch, version), since, tuple(segments))


def noted(every: Holdings, peer: object = A) -> Heard:
    one = every.note(peer, asked=False)  # type: ignore[arg-type]
    assert one is not None
    return one


def kept(every: Holdings, *peers: object) -> list[bool]:
    return [peer in every._heard for peer in peers]


def test_deltas_build_on_each_other() -> None:
    every = Holdings()
    one = noted(every)
    assert every.take(one, told(7, 1, 2)).gained == [1, 2]
    assert (one.version, noted(every)) == (Version(7, 2), one)
    assert every.take(one, told(7, 1, 2, 300, since=2)).gained == [300]
    assert list(one.bits) == [1, 2, 300]
    assert kept(every, A, B) == [True, False]


def test_what_is_older_than_what_came_changes_nothing() -> None:
    every = Holdings()
    one = noted(every)
    newer, older = told(7, 1, 2, 3), told(7, 1, 2)
    every.take(one, newer)
    assert every.take(one, older) == ((), ())
    assert every.take(one, newer) == ((), ())
    assert (list(one.bits), one.version) == ([1, 2, 3], Version(7, 3))


@pytest.mark.parametrize("late", [told(7, 1, 2, 3, since=2), told(8, 1, 2, 3, since=1)])
def test_what_builds_on_something_unknown_is_asked_for_as_a_whole(late: Holding) -> None:
    every = Holdings()
    one = noted(every)
    every.take(one, told(7, 1))
    assert every.take(one, late) == ((), ())
    assert (one.version, list(one.bits)) == (UNKNOWN, [1])
    change = every.take(one, told(late.version.epoch, 2, 3))
    assert (change.gained, change.lost, list(one.bits)) == ([2, 3], [1], [2, 3])


def test_a_map_that_begins_anew_says_what_is_lost() -> None:
    every = Holdings()
    one = noted(every)
    every.take(one, told(7, 1, 2))
    assert every.take(one, told(8, 2, 3)) == ([3], [1])
    assert (list(one.bits), one.version) == ([2, 3], Version(8, 2))


def test_who_has_everything_needs_no_map() -> None:
    every = Holdings()
    one = noted(every)
    every.take(one, told(7, 1, 2))
    assert every.take(one, Holding(complete=True)) == ((), ())
    assert (one.complete, one.bits.count, one.version) == (True, 0, UNKNOWN)
    assert every.take(one, told(8, 1)).gained == [1]  # it fetches again what it lost
    assert not one.complete


def test_those_who_were_not_asked_make_room_for_others() -> None:
    every = Holdings()
    for peer in PEERS[:PEERS_MAX]:
        assert every.note(peer, asked=peer == A) is not None
    assert every.note(B, asked=False) is not None  # again: the one heard of longest ago is another now
    assert every.note(PEERS[PEERS_MAX], asked=False) is not None
    assert kept(every, A, B, PEERS[2]) == [True, True, False]


def test_those_who_were_asked_stay_for_all_but_those_who_are() -> None:
    every = Holdings()
    for peer in PEERS[:PEERS_MAX]:
        every.note(peer, asked=True)
    assert every.note(PEERS[PEERS_MAX], asked=False) is None
    assert every.note(A, asked=False) is not None
    assert every.note(PEERS[PEERS_MAX], asked=True) is not None
    assert kept(every, A, B) == [True, False]


def test_maps_over_the_room_for_them_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", LEAVES_MAX // 4)
    every = Holdings()
    first, second = noted(every), noted(every, B)
    every.take(first, told(7, LEAVES_MAX - 1))
    assert every.take(second, told(7, 1)).gained == [1]
    assert every.take(second, told(7, 1, LEAVES_MAX - 1, since=1)) == ((), [1])
    assert (second.version, second.bits.count) == (UNKNOWN, 0)
    assert list(first.bits) == [LEAVES_MAX - 1]
