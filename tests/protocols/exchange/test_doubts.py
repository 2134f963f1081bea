"""Which records are wanted again, and of whom."""

from __future__ import annotations

from tests.protocols.exchange.book import key
from warren.core.reach import Reach
from warren.protocols.exchange.doubts import SUBJECTS_MAX, Doubts

ANNA, BOB, NEAR, FAR = (key(number).peer_id for number in range(1, 5))


def test_what_was_told_from_too_far_is_settled_from_nearer_only() -> None:
    doubts = Doubts()
    assert not doubts.are_settled_by(Reach.LOOPBACK, ANNA)
    doubts.kept(ANNA, Reach.PRIVATE, whole=False)
    settled_by = [reach for reach in Reach if doubts.are_settled_by(reach, ANNA)]
    assert settled_by == [Reach.NOWHERE, Reach.LOOPBACK, Reach.LINK]
    doubts.kept(ANNA, Reach.LINK, whole=False)
    assert not doubts.are_settled_by(Reach.LINK, ANNA)
    doubts.kept(ANNA, Reach.PUBLIC, whole=True)
    assert not doubts.are_settled_by(Reach.LOOPBACK, ANNA)
    assert len(doubts) == 0


def test_each_neighbour_is_asked_once_while_it_is_there() -> None:
    doubts = Doubts()
    doubts.kept(ANNA, Reach.PUBLIC, whole=False)
    doubts.kept(BOB, Reach.PRIVATE, whole=False)
    assert doubts.asks(FAR, Reach.PUBLIC) == frozenset()
    assert doubts.asks(NEAR, Reach.PRIVATE) == {ANNA}
    assert doubts.asks(NEAR, Reach.PRIVATE) == frozenset()
    doubts.leave(NEAR)
    doubts.leave(NEAR)
    assert doubts.asks(NEAR, Reach.LOOPBACK) == {ANNA, BOB}


def test_memory_is_bounded() -> None:
    doubts = Doubts()
    subjects = [key(number).peer_id for number in range(10, 10 + SUBJECTS_MAX + 5)]
    for subject in subjects:
        doubts.kept(subject, Reach.PUBLIC, whole=False)
    assert doubts.asks(NEAR, Reach.PRIVATE) == set(subjects[5:])
