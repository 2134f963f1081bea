"""The schedule of dials: nobody is forgotten, nobody is dialled in a storm."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.services.contacts.reconnect import Dial, Reconnect, ReconnectPolicy, Wait

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(12)]
ANNA, BOB, EVE = PEERS[:3]


class Middle:
    """Chance that always draws the middle: waits are as long as the policy says."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def schedule(**policy: float) -> Reconnect:
    return Reconnect(ReconnectPolicy(**{"start_s": 1, **policy}), Middle())  # type: ignore[arg-type]


def test_without_contacts_there_is_nothing_to_wait_for() -> None:
    assert schedule().next(0) == Wait(None)


def test_a_new_contact_is_dialled_soon_and_once() -> None:
    plan = schedule()
    plan.add(ANNA, 0)
    plan.add(ANNA, 0)
    assert plan.next(0) == Wait(1)
    assert plan.next(1) == Dial(ANNA)
    assert plan.next(1) == Wait(None)


def test_waits_double_up_to_the_longest() -> None:
    plan = schedule(longest_s=10)
    plan.add(ANNA, 0)
    now, waits = 1.0, []
    for _ in range(7):
        assert plan.next(now) == Dial(ANNA)
        plan.failed(ANNA, now)
        wait = plan.next(now)
        assert isinstance(wait, Wait)
        assert wait.until is not None
        waits.append(wait.until - now)
        now = wait.until
    assert waits == [1, 2, 4, 8, 10, 10, 10]


def test_a_good_connection_makes_the_next_wait_short() -> None:
    plan = schedule(steady_s=30)
    plan.add(ANNA, 0)
    for _ in range(5):
        plan.next(1000)
        plan.failed(ANNA, 1000)
    plan.connected(ANNA, 2000)
    assert plan.next(2000) == Wait(None)
    plan.lost(ANNA, 2030)
    assert plan.next(2030) == Wait(2031)


def test_a_connection_that_does_not_last_counts_as_a_failure() -> None:
    plan = schedule(steady_s=30)
    plan.add(ANNA, 0)
    now = 1.0
    for expected in (1, 2, 4, 8):
        assert plan.next(now) == Dial(ANNA)
        plan.connected(ANNA, now)
        plan.lost(ANNA, now + 1)
        assert plan.next(now + 1) == Wait(now + 1 + expected)
        now += 1 + expected


def test_who_connects_by_itself_is_not_dialled() -> None:
    plan = schedule()
    plan.add(ANNA, 0)
    plan.connected(ANNA, 0.5)
    plan.connected(ANNA, 0.6)
    assert plan.next(100) == Wait(None)


def test_a_late_failure_of_a_dial_that_another_connection_overtook_changes_nothing() -> None:
    plan = schedule()
    plan.add(ANNA, 0)
    assert plan.next(1) == Dial(ANNA)
    plan.connected(ANNA, 2)
    plan.failed(ANNA, 3)
    assert plan.next(100) == Wait(None)


def test_only_so_many_dials_run_at_once() -> None:
    plan = schedule(dials_max=2)
    for peer in PEERS[:3]:
        plan.add(peer, 0)
    dialled = {plan.next(1), plan.next(1)}
    assert plan.next(1) == Wait(None)
    plan.failed(next(iter(dialled)).peer, 1)  # type: ignore[union-attr]
    third = plan.next(1)
    assert isinstance(third, Dial)
    assert third not in dialled


def test_the_first_success_after_none_brings_everybody_back_soon() -> None:
    plan = schedule()
    plan.add(ANNA, 0)
    plan.add(BOB, 0)
    for _ in range(9):
        for peer in (ANNA, BOB):
            plan.next(1)
            plan.failed(peer, 1)
    waiting = plan.next(1000)
    assert isinstance(waiting, Dial)
    plan.connected(waiting.peer, 1000)
    other = BOB if waiting.peer == ANNA else ANNA
    plan.failed(other, 1000)
    plan.lost(waiting.peer, 1100)
    plan.connected(waiting.peer, 1101)
    assert plan.next(1102) == Dial(other)


def test_a_removed_contact_is_left_alone() -> None:
    plan = schedule()
    plan.add(ANNA, 0)
    plan.add(BOB, 0)
    plan.connected(BOB, 0)
    plan.remove(ANNA)
    plan.remove(BOB)
    plan.remove(EVE)
    plan.failed(ANNA, 1)
    plan.lost(BOB, 1)
    plan.connected(EVE, 1)
    assert plan.next(100) == Wait(None)
    plan.add(BOB, 100)
    plan.connected(BOB, 101)
    assert plan.next(200) == Wait(None)


def test_losses_at_once_are_not_answered_at_once() -> None:
    plan = Reconnect(ReconnectPolicy(dials_max=100), random.Random(1))
    for peer in PEERS:
        plan.add(peer, 0)
        plan.connected(peer, 0)
    for peer in PEERS:
        plan.lost(peer, 100)
    due: list[float] = []
    while isinstance(wait := plan.next(due[-1] if due else 100), Wait) and wait.until is not None:
        due.append(wait.until)
        while isinstance(plan.next(wait.until), Dial):
            pass
    assert len(set(due)) == len(PEERS)
    assert 100.5 <= min(due) < max(due) <= 101.5


moves = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "up", "down", "fail", "time"]), st.integers(0, 3)),
    max_size=60,
)


@given(moves, st.integers(0, 1 << 32))
def test_whatever_happens_every_contact_is_connected_dialled_or_due(
    moves: list[tuple[str, int]], seed: int
) -> None:
    plan = Reconnect(ReconnectPolicy(dials_max=2), random.Random(seed))
    kept: set[PeerId] = set()
    up: set[PeerId] = set()
    dialling: set[PeerId] = set()
    now = 0.0
    for move, number in moves:
        peer = PEERS[number]
        if move == "add":
            plan.add(peer, now)
            kept.add(peer)
        elif move == "remove":
            plan.remove(peer)
            for group in (kept, up, dialling):
                group.discard(peer)
        elif move == "up" and peer in kept:
            plan.connected(peer, now)
            up.add(peer)
            dialling.discard(peer)
        elif move == "down" and peer in up:
            plan.lost(peer, now)
            up.discard(peer)
        elif move == "fail" and peer in dialling:
            plan.failed(peer, now)
            dialling.discard(peer)
        now += number * 100
        while isinstance(step := plan.next(now), Dial):
            assert step.peer in kept - up - dialling
            dialling.add(step.peer)
            assert len(dialling) <= 2
    for peer in sorted(dialling):
        plan.failed(peer, now)
    reached = set()
    for _ in range(40):
        now += 1000
        while isinstance(step := plan.next(now), Dial):
            reached.add(step.peer)
            plan.failed(step.peer, now)
            if len(reached) == len(kept - up):
                break
    assert reached == kept - up
