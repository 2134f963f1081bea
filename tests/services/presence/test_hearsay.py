from __future__ import annotations

from tests.services.presence.support import peer
from warren.services.presence.hearsay import GOOD_S, HELD_MAX, SPEAKERS_MAX, Hearsay
from warren.services.presence.model import Tally

ANNA, BEN, S, T = (peer(number) for number in range(4))
SOME = Tally(3, 5)


def test_a_word_is_good_for_a_while() -> None:
    hearsay = Hearsay()
    hearsay.heard(S, {ANNA: SOME}, (), 100.0)
    assert hearsay.tally(ANNA, 100.0 + GOOD_S - 1) == SOME
    assert hearsay.held(100.0) == [ANNA]
    assert hearsay.tally(BEN, 100.0) is None
    assert hearsay.tally(ANNA, 100.0 + GOOD_S) is None
    assert hearsay.held(100.0 + GOOD_S) == []


def test_the_next_word_replaces_the_last() -> None:
    hearsay = Hearsay()
    hearsay.heard(S, {ANNA: SOME}, (), 0.0)
    hearsay.heard(S, {BEN: SOME}, (), 1.0)
    assert hearsay.held(1.0) == [BEN]


def test_one_that_knows_better_outweighs_one_that_lies() -> None:
    hearsay = Hearsay()
    hearsay.heard(S, {ANNA: SOME, BEN: SOME}, (), 0.0)
    hearsay.heard(T, {BEN: Tally(9, 9)}, (ANNA,), 0.0)
    assert hearsay.tally(ANNA, 1.0) is None
    assert hearsay.tally(BEN, 1.0) == Tally(9, 9)
    assert hearsay.held(1.0) == [BEN]


def test_whom_we_met_is_there_whatever_they_say() -> None:
    hearsay = Hearsay()
    hearsay.heard(S, {ANNA: SOME}, (), 0.0)
    hearsay.met(ANNA)
    hearsay.met(BEN)
    assert hearsay.held(0.0) == []


def test_the_bounds_hold() -> None:
    hearsay = Hearsay()
    hearsay.heard(S, {peer(number): SOME for number in range(HELD_MAX + 10)}, (), 0.0)
    assert len(hearsay.held(0.0)) == HELD_MAX
    for number in range(SPEAKERS_MAX):
        hearsay.heard(peer(1000 + number), {}, (), 1.0)
    assert hearsay.held(1.0) == []
