"""Budgets and turns: never more than allowed in any 24 hours, never two tests at once, nobody starved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from warren.core.keys import PrivateKey
from warren.services.peers.budget import (
    DAY_S,
    LEASE_S,
    TEST_S_MAX,
    WAIT_S,
    WAITING_MAX,
    Allowance,
    Budget,
    Turns,
)

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

PEERS = sorted(PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(WAITING_MAX + 4))
ME, ANNA, BEN, CARL = PEERS[1], PEERS[0], PEERS[2], PEERS[3]


@given(
    st.lists(st.tuples(st.floats(0, DAY_S / 3), st.sampled_from(PEERS[:4]), st.integers(0, 400)), max_size=60)
)
def test_no_day_costs_more_than_it_may(steps: list[tuple[float, PeerId, int]]) -> None:
    budget, now = Budget(Allowance(3, 1000), Allowance(6, 2500)), 0.0
    done: list[tuple[float, PeerId, int]] = []
    for pause_s, peer, wanted in steps:
        now += pause_s
        left = budget.left_bytes(peer, now)
        assert 0 <= left <= 1000
        if not left:
            continue
        budget.begin(peer, now)
        budget.spend(peer, min(wanted, left), now)
        done.append((now, peer, min(wanted, left)))
        day = [one for one in done if one[0] > now - DAY_S]
        assert len(day) <= 6
        assert sum(size for _, _, size in day) <= 2500
        own = [size for _, who, size in day if who == peer]
        assert len(own) <= 3
        assert sum(own) <= 1000


def test_a_budget_is_free_again_after_a_day() -> None:
    budget = Budget(Allowance(1, 100), Allowance(2, 100))
    assert budget.left_bytes(ANNA, 0) == 100
    budget.begin(ANNA, 0)
    budget.spend(ANNA, 30, 5)
    assert budget.left_bytes(ANNA, 10) == 0
    assert budget.left_bytes(BEN, 10) == 70
    assert budget.left_bytes(ANNA, DAY_S) == 100


def test_what_is_spent_without_a_test_is_lost_and_harms_nothing() -> None:
    budget = Budget(Allowance(1, 100), Allowance(1, 100))
    budget.spend(ANNA, 1000, 0)
    assert budget.left_bytes(ANNA, 0) == 100
    assert Budget(Allowance(0, 0), Allowance(0, 0)).left_bytes(ANNA, 0) == 0


def test_tests_beyond_the_budget_take_no_memory() -> None:
    budget = Budget(Allowance(1, 1), Allowance(5, 1))
    for number in range(1000):
        budget.begin(PEERS[number % 4], float(number))
    assert len(budget._tests) == 5
    assert sum(budget._tests_of.values()) == 5


# ---------------------------------------------------------------- turns


def test_a_peer_keeps_its_turn_between_its_runs_and_not_for_ever() -> None:
    turns = Turns(ME)
    assert turns.may_serve(ANNA, 0)
    turns.begin_run(ANNA, 0)
    assert not turns.may_test(BEN, 1)
    assert not turns.may_serve(BEN, 1)
    assert turns.may_serve(ANNA, 1)
    turns.end_run(5)
    assert not turns.may_serve(BEN, 5 + LEASE_S / 2)
    assert not turns.may_test(BEN, 5 + LEASE_S / 2)
    assert turns.may_serve(ANNA, 5 + LEASE_S / 2)
    assert turns.may_serve(BEN, 5 + LEASE_S)
    assert turns.may_test(BEN, 5 + LEASE_S)


def test_while_this_node_tests_it_serves_nobody() -> None:
    turns = Turns(ME)
    turns.begin_test(ANNA)
    assert not turns.may_serve(ANNA, 0)
    assert not turns.may_serve(BEN, 0)
    assert not turns.may_test(BEN, 0)
    turns.end_test()
    assert turns.may_serve(BEN, 0)


def test_of_two_that_gave_each_other_the_turn_the_lower_goes_first() -> None:
    for me, other, goes in ((ME, BEN, True), (ME, ANNA, False)):
        turns = Turns(me)
        turns.begin_run(other, 0)
        turns.end_run(1)
        assert turns.may_test(other, 1) is goes
        assert not turns.may_test(CARL, 1)


def test_who_waits_is_next_in_the_order_of_coming() -> None:
    turns = Turns(ME)
    turns.begin_run(ANNA, 0)
    assert turns.wait(BEN, 0)
    assert not turns.wait(BEN, 0)
    assert turns.wait(CARL, 0)
    assert turns.next_waiting(1) is None
    turns.end_run(1)
    assert not turns.may_serve(CARL, 1 + LEASE_S)
    assert turns.next_waiting(1 + LEASE_S) == BEN
    turns.begin_run(BEN, 1 + LEASE_S)
    assert turns.overdue(WAIT_S) == [CARL]
    turns.leave(CARL)
    assert turns.overdue(WAIT_S * 2) == []


def test_no_test_goes_on_for_ever() -> None:
    turns, now = Turns(ME), 0.0
    turns.begin_run(ANNA, now)
    assert turns.wait(BEN, now)
    while turns.continues(ANNA, now):
        turns.end_run(now)
        turns.begin_run(ANNA, now)
        now += LEASE_S / 2
    turns.end_run(now)
    assert now == TEST_S_MAX
    assert not turns.may_serve(ANNA, now + LEASE_S)
    assert turns.next_waiting(now + LEASE_S) == BEN


def test_the_line_is_not_endless() -> None:
    turns = Turns(ME)
    turns.begin_test(ANNA)
    taken = [turns.wait(peer, 0) for peer in PEERS]
    assert taken.count(True) == WAITING_MAX


class Everybody(RuleBasedStateMachine):
    """Whatever happens in whatever order: one test at most."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns(ME)
        self.now = 0.0
        self.testing = False
        self.runs: list[PeerId] = []

    @rule(seconds=st.floats(0, 100))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(peer=st.sampled_from(PEERS))
    def test(self, peer: PeerId) -> None:
        if self.turns.may_test(peer, self.now):
            self.turns.begin_test(peer)
            self.testing = True

    @rule()
    def end_test(self) -> None:
        if self.testing:
            self.turns.end_test()
            self.testing = False

    @rule(peer=st.sampled_from(PEERS))
    def ask(self, peer: PeerId) -> None:
        if self.turns.may_serve(peer, self.now):
            self.turns.begin_run(peer, self.now)
            self.runs.append(peer)
        else:
            self.turns.wait(peer, self.now)

    @rule()
    def serve_next(self) -> None:
        peer = self.turns.next_waiting(self.now)
        if peer is not None:
            self.turns.begin_run(peer, self.now)
            self.runs.append(peer)

    @rule()
    def end_run(self) -> None:
        if self.runs:
            self.runs.pop()
            self.turns.end_run(self.now)

    @rule()
    def refuse_the_overdue(self) -> None:
        for peer in self.turns.overdue(self.now):
            self.turns.leave(peer)

    @invariant()
    def one_at_most(self) -> None:
        assert len(set(self.runs)) + self.testing <= 1

    @invariant()
    def who_waits_is_looked_at(self) -> None:
        """Once all is over, the next in line has its turn, and nobody waits for ever."""
        if self.turns._waiting and not self.testing and not self.runs:
            assert self.turns.next_waiting(self.now + LEASE_S)
            assert set(self.turns.overdue(self.now + WAIT_S)) == set(self.turns._waiting)


TestEverybody = Everybody.TestCase


@pytest.mark.parametrize("peer", [ANNA, BEN])
def test_a_node_alone_may_test_at_once(peer: PeerId) -> None:
    assert Turns(ME).may_test(peer, 0)
