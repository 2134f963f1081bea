"""Whom a node looks into, how often, what it takes back; bounds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.services.presence.support import peer
from warren.services.presence.accusing import (
    ACCUSED_MAX,
    AGAIN_S,
    FIRST_S,
    LOOKS,
    LOOKS_MAX,
    ROUNDS_MAX,
    VOTES_MAX,
    Accusing,
    LookInto,
    Wait,
    Withdraw,
)

if TYPE_CHECKING:
    from warren.services.presence.accusing import Outcome

VOTE_S = 600.0
ANNA, BEN = peer(1), peer(2)


def made() -> Accusing:
    return Accusing(VOTE_S, 0.0)


def test_a_sign_is_looked_into_at_once_and_once() -> None:
    accusing = made()
    assert accusing.next(0.0) == Wait(None)
    assert accusing.suspect(ANNA, 0.0)
    assert not accusing.suspect(ANNA, 0.0)
    accusing.suspect(BEN, 0.5, is_own=False)
    assert accusing.next(1.0) == LookInto(ANNA, is_own=True)
    assert accusing.next(1.0) == LookInto(BEN, is_own=False)
    assert accusing.next(1.0) == Wait(None)


@pytest.mark.parametrize("outcome", ["reached", "absent", "refuted"])
def test_what_ends_in_nothing_is_forgotten_and_not_looked_into_again_soon(outcome: Outcome) -> None:
    accusing = made()
    accusing.suspect(ANNA, 0.0)
    accusing.next(0.0)
    accusing.looked(ANNA, outcome, 4.0)
    assert accusing.next(4.0) == Wait(None)
    assert not accusing.suspect(ANNA, AGAIN_S - 0.1)
    assert accusing.suspect(ANNA, AGAIN_S)


def test_who_doubts_its_own_network_looks_again_a_few_times() -> None:
    accusing, now = made(), 0.0
    accusing.suspect(ANNA, now)
    for _ in range(ROUNDS_MAX):
        assert accusing.next(now) == LookInto(ANNA, is_own=True)
        accusing.looked(ANNA, "unsure", now)
        now += AGAIN_S
    assert accusing.next(now) == Wait(None)
    assert not accusing._suspects


def test_who_is_accused_is_looked_into_again_before_the_vote_ends_and_not_for_ever() -> None:
    accusing, now, times = made(), 0.0, []
    accusing.suspect(ANNA, now)
    while True:
        step = accusing.next(now)
        if step == Wait(None):
            break
        if isinstance(step, Wait):
            assert step.seconds is not None
            now += step.seconds
            continue
        assert step == LookInto(ANNA, is_own=True)
        times.append(now)
        accusing.looked(ANNA, "accused", now)
        assert accusing.accuses(ANNA) == (len(times) < VOTES_MAX)
    assert len(times) == VOTES_MAX
    assert times[1] == FIRST_S
    assert max(late - early for early, late in pairwise(times)) == VOTE_S / 2


def test_a_new_sign_against_one_who_is_accused_already_is_looked_into_before_its_time() -> None:
    accusing = made()
    accusing.suspect(ANNA, 0.0)
    accusing.next(0.0)
    assert not accusing.suspect(ANNA, AGAIN_S)  # it is being looked into
    accusing.looked(ANNA, "accused", 8.0)
    assert accusing.suspect(ANNA, 20.0, is_own=False)
    assert not accusing.suspect(ANNA, 20.0)
    assert accusing.next(20.0) == LookInto(ANNA, is_own=False)


def test_the_vote_is_taken_back_when_the_peer_is_met_whenever_that_is() -> None:
    accusing = made()
    accusing.suspect(ANNA, 0.0)
    assert not accusing.met(BEN)
    accusing.next(0.0)
    accusing.looked(ANNA, "accused", 1.0)
    assert accusing.met(ANNA)
    assert not accusing.accuses(ANNA)
    assert accusing.next(2.0) == Withdraw(ANNA)
    assert accusing.next(2.0) == Wait(None)
    # It is met while the vote is on its way.
    accusing.suspect(BEN, 0.0)
    accusing.next(2.0)
    assert not accusing.met(BEN)
    accusing.looked(BEN, "accused", 3.0)
    assert accusing.next(3.0) == Withdraw(BEN)
    # A later look reaches it.
    accusing.suspect(ANNA, 20.0)
    accusing.next(20.0)
    accusing.looked(ANNA, "accused", 20.0)
    assert accusing.next(20.0 + FIRST_S) == LookInto(ANNA, is_own=True)
    accusing.looked(ANNA, "reached", 60.0)
    assert accusing.next(60.0) == Withdraw(ANNA)


def test_the_bounds_hold() -> None:
    accusing = made()
    assert [accusing.suspect(peer(n), 0.0) for n in range(ACCUSED_MAX + 2)].count(True) == ACCUSED_MAX
    steps = [accusing.next(0.0) for _ in range(LOOKS_MAX + 1)]
    assert steps[-1] == Wait(None)
    assert len(set(steps)) == LOOKS_MAX + 1
    looks = 0
    for step in steps:
        while isinstance(step, LookInto):
            looks += 1
            accusing.looked(step.peer, "absent", 0.0)
            step = accusing.next(0.0)
    assert looks == LOOKS.burst
    assert accusing.next(0.0) == Wait(1 / LOOKS.per_s)
