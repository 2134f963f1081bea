"""So much at once, so much each second, each and all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.exchange.book import key
from warren.network.allowance import Allowance, Allowances, Rate, Seldom

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

A, B, C = (key(number).peer_id for number in (1, 2, 3))


@given(st.lists(st.floats(0, 5), max_size=60))
def test_never_more_than_the_burst_and_what_time_brought(pauses: list[float]) -> None:
    allowance, now, taken = Allowance(Rate(3, 0.5), 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += allowance.take(now)
        assert taken <= 3 + now * 0.5 + 1e-6


def test_the_wait_is_until_the_next_one() -> None:
    allowance = Allowance(Rate(1, 0.5), 0.0)
    assert allowance.take(0.0)
    assert not allowance.take(1.0)
    assert allowance.wait_s() == 1.0
    assert allowance.take(2.0)


def test_one_cannot_use_up_what_is_for_all_and_all_are_bounded() -> None:
    some: Allowances[PeerId] = Allowances(Rate(2, 1), Rate(3, 1), keys_max=10, now=0.0)
    assert [some.take(A, 0.0) for _ in range(4)] == [True, True, False, False]
    assert [some.take(B, 0.0) for _ in range(2)] == [True, False]
    assert not some.take(C, 0.0)
    assert some.take(C, 1.0)


def test_those_heard_of_longest_ago_are_forgotten() -> None:
    some: Allowances[PeerId] = Allowances(Rate(1, 0.01), Rate(100, 1), keys_max=2, now=0.0)
    assert [some.take(peer, 0.0) for peer in (A, B, A, C)] == [True, True, False, True]
    assert not some.take(A, 0.0)
    assert some.take(B, 0.0)


def test_who_costs_more_needs_as_much() -> None:
    allowance = Allowance(Rate(10, 1), 0.0)
    assert allowance.take(0.0, 7)
    assert not allowance.has(0.0, 4)
    assert not allowance.take(0.0, 4)
    assert allowance.take(1.0, 4)
    assert allowance.left(1.0) == 0


def test_what_is_seldom_is_due_again_after_its_time_for_each_and_is_forgotten_beyond_its_bound() -> None:
    seldom: Seldom[str] = Seldom(60.0, 2)
    assert [seldom.is_due("a", now) for now in (0.0, 59.9, 60.0)] == [True, False, True]
    assert seldom.is_due("b", 61.0)
    assert seldom.is_due("c", 62.0)
    assert not seldom.is_due("c", 63.0)
    assert seldom.is_due("a", 64.0), "it was forgotten for the others"
