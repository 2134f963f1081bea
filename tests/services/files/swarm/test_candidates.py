from __future__ import annotations

from warren.core.keys import PrivateKey
from warren.runtime.simulated import World
from warren.services.files.swarm.candidates import (
    AGAIN_S,
    BUSY_S,
    KNOWN_MAX,
    LATER_MAX_S,
    LATER_S,
    Candidates,
)

ANNA, BEN, CARA = (PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in (1, 2, 3))


def make(seed: str = "") -> Candidates:
    return Candidates(World(seed).runtime("n").entropy)


def test_each_is_taken_in_once() -> None:
    candidates = make()
    assert [candidates.found(peer, 0.0) for peer in (ANNA, BEN, ANNA)] == [True, True, False]
    assert {candidates.take(), candidates.take()} == {ANNA, BEN}
    assert not candidates.waiting


def test_each_fetch_takes_others_first_but_all_those_that_have_something() -> None:
    first = set()
    for seed in "abcdefgh":
        candidates = make(seed)
        for peer in (ANNA, BEN, CARA):
            candidates.found(peer, 0.0)
        first.add(candidates.take())
    assert first == {ANNA, BEN, CARA}
    for seed in "abcdefgh":
        candidates = make(seed)
        for peer in (ANNA, BEN, CARA):
            candidates.found(peer, 0.0)
        candidates.prefer(CARA)
        assert candidates.has_preferred()
        assert candidates.take() == CARA
        assert not candidates.has_preferred()


def test_who_had_nothing_and_now_has_is_not_waited_for() -> None:
    candidates = make()
    candidates.prefer(BEN)
    assert not candidates.has_preferred(), "nobody has found it"
    candidates.found(ANNA, 0.0)
    candidates.on_nothing(candidates.take(), 0.0)
    candidates.prefer(ANNA)
    assert candidates.take() == ANNA
    candidates.look(100.0)
    assert not candidates.waiting


def test_who_was_dropped_may_come_back_after_a_while_and_a_liar_may_not() -> None:
    candidates = make()
    for peer in (ANNA, BEN):
        candidates.found(peer, 0.0)
    candidates.waiting.clear()
    candidates.on_dropped(ANNA, 10.0, lied=False)
    candidates.on_dropped(BEN, 10.0, lied=True)
    assert not candidates.found(ANNA, 9.0 + AGAIN_S)
    assert candidates.found(ANNA, 10.0 + AGAIN_S)
    assert not candidates.found(ANNA, 11.0 + AGAIN_S)
    assert not candidates.found(BEN, 1e9)
    assert list(candidates.waiting) == [ANNA]


def test_who_had_nothing_is_asked_again_ever_less_often_and_at_once_when_found() -> None:
    candidates = make()
    candidates.found(ANNA, 0.0)
    now, waits = 0.0, []
    for _ in range(7):
        candidates.waiting.clear()
        candidates.on_nothing(ANNA, now)
        begun = now
        while not candidates.waiting:
            now += 0.5
            candidates.look(now)
        waits.append(now - begun)
    assert waits == [LATER_S, 1.0, 2.0, 4.0, 8.0, 16.0, LATER_MAX_S]
    candidates.waiting.clear()
    candidates.on_nothing(ANNA, now)
    assert candidates.found(ANNA, now + 1)
    candidates.look(now + 1)
    assert list(candidates.waiting) == [ANNA]


def test_one_that_had_no_place_is_asked_again_soon_however_often_that_was() -> None:
    candidates, now = make(), 0.0
    candidates.found(ANNA, now)
    for _ in range(5):
        candidates.waiting.clear()
        candidates.on_dropped(ANNA, now, lied=False)
        candidates.on_busy(ANNA, now)
        candidates.look(now + BUSY_S - 0.1)
        assert not candidates.waiting
        now += BUSY_S
        candidates.look(now)
        assert list(candidates.waiting) == [ANNA]


def after_being_busy(*, lied: bool) -> Candidates:
    """As soon as ANNA, that was dropped and had no place, may be asked again."""
    candidates = make()
    candidates.found(ANNA, 0.0)
    candidates.on_dropped(candidates.take(), 0.0, lied=lied)
    candidates.on_busy(ANNA, 0.0)
    candidates.look(BUSY_S)
    return candidates


def test_one_that_had_no_place_does_not_wait_twice_when_it_is_found_again() -> None:
    candidates = after_being_busy(lied=False)
    assert not candidates.found(ANNA, AGAIN_S + 1.0)
    assert list(candidates.waiting) == [ANNA]


def test_a_liar_that_says_it_has_no_place_does_not_come_back() -> None:
    assert not after_being_busy(lied=True).waiting


def test_those_set_apart_wait_until_they_are_accepted() -> None:
    candidates = make()
    candidates.found(ANNA, 0.0)
    candidates.waiting.clear()
    candidates.set_apart(ANNA)
    assert not candidates.found(ANNA, 1.0)
    assert not candidates.is_accepted(ANNA)
    candidates.accept()
    candidates.accept()
    assert list(candidates.waiting) == [ANNA]
    assert candidates.is_accepted(ANNA)


def test_no_more_are_known_than_there_is_room_for() -> None:
    candidates = make()
    peers = [PrivateKey.from_seed(number.to_bytes(32)).peer_id for number in range(KNOWN_MAX + 2)]
    assert [candidates.found(peer, 0.0) for peer in peers].count(True) == KNOWN_MAX
