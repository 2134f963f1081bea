"""Neighbours are spread over networks, and liars are left alone."""

from __future__ import annotations

import random

from tests.services.overlay.support import peer
from warren.services.overlay.neighbours import BAN_S, REMEMBERED_MAX, RETRY_S, Neighbourhood


class Chance:
    def __init__(self) -> None:
        self._random = random.Random(1)

    def below(self, n: int) -> int:
        return self._random.randrange(n)


def neighbourhood(degree: int = 4, *configured: int) -> Neighbourhood:
    return Neighbourhood([peer(one) for one in configured], degree, Chance())


def test_other_groups_come_first_and_one_has_half_at_most() -> None:
    one = neighbourhood(4)
    candidates = {peer(number): "liar" for number in range(50)} | {peer(99): "a"}
    chosen = one.next(candidates, 0.0)
    assert peer(99) in chosen
    assert len(chosen) == 3
    for number, each in enumerate(chosen):
        one.joined(each, candidates[each])
        assert one.wants_more
        assert len(one.peers) == number + 1
    assert one.next(candidates, 0.0) == []


def test_this_machine_and_the_configured_are_not_counted() -> None:
    one = neighbourhood(4, 1, 2)
    candidates = {peer(number): "" for number in range(1, 9)}
    chosen = one.next(candidates, 0.0)
    assert chosen[:2] == [peer(1), peer(2)]
    for each in chosen:
        one.joined(each, "")
    assert not one.wants_more or len(chosen) < 6
    assert one.may_join(peer(1), "x", 0.0)


def test_who_comes_may_join_while_there_is_room() -> None:
    one = neighbourhood(2)
    assert one.may_join(peer(1), "a", 0.0)
    one.joined(peer(1), "a")
    assert one.may_join(peer(1), "a", 0.0)
    one.joined(peer(2), "a")
    assert not one.may_join(peer(3), "a", 0.0)
    assert one.may_join(peer(3), "b", 0.0)
    one.joined(peer(3), "b")
    one.joined(peer(4), "c")
    assert not one.may_join(peer(5), "d", 0.0)
    one.left(peer(4))
    assert one.may_join(peer(5), "d", 0.0)


def test_who_did_not_want_is_asked_again_later() -> None:
    one = neighbourhood(2)
    one.tried(peer(1), 0.0)
    assert one.next({peer(1): "a"}, RETRY_S - 1) == []
    assert one.may_join(peer(1), "a", 0.0)
    assert one.next({peer(1): "a"}, RETRY_S) == [peer(1)]


def test_who_misbehaved_is_left_alone_for_long() -> None:
    one = neighbourhood(2)
    one.ban(peer(1), 0.0)
    assert one.is_banned(peer(1), BAN_S - 1)
    assert not one.may_join(peer(1), "a", BAN_S - 1)
    assert one.next({peer(1): "a"}, BAN_S - 1) == []
    assert one.next({peer(1): "a"}, BAN_S) == [peer(1)]


def test_memory_of_them_is_bounded() -> None:
    one = neighbourhood(2)
    for number in range(REMEMBERED_MAX + 1):
        one.ban(peer(number), 0.0)
    assert not one.is_banned(peer(0), 1.0)
    assert one.is_banned(peer(1), 1.0)
