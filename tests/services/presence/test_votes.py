"""Whom the votes hold for offline: the way there and back, who has no say, bounds, attacks by the hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.presence.support import ASKED_S, HOUR_S, Town, apart, peer
from warren.network.places import place_of
from warren.services.presence.votes import (
    CENSUS_S,
    LOOK_S,
    RECOUNT_S,
    Doubted,
    HeldOffline,
    Released,
    VotePolicy,
    Votes,
)
from warren.services.presence.weights import Share

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.peer_id import PeerId
    from warren.services.directory.leases import Held, Leases

POLICY = VotePolicy()


def town(people: int = 5, policy: VotePolicy = POLICY) -> Town:
    """So many who have been there for an hour."""
    made = Town(policy)
    made.come(*range(people))
    made.pass_s(HOUR_S - 1)
    made.come(*range(people))
    return made


def test_a_majority_removes_within_the_time_to_refute() -> None:
    made = town()
    assert made.accuse(0, 1, 2) == ["counted", "counted"]
    assert made.pass_s(10) == []  # two of four are half of the weight, and not more
    assert made.accuse(0, 3) == ["counted"]
    share = Share(0.75, 3, 3, 4)
    assert made.pass_s(1) == [Doubted(peer(0), share)]
    assert not made.is_held(0)
    assert made.pass_s(ASKED_S) == [HeldOffline(peer(0), share)]
    assert made.is_held(0)
    assert made.votes.held_offline() == [peer(0)]
    assert made.votes.share(peer(0)) == share


def test_a_renewal_refutes_at_any_time() -> None:
    made = town()
    made.accuse(0, 1, 2, 3)
    assert [type(one) for one in made.pass_s(1)] == [Doubted]
    made.come(0)
    assert made.pass_s(60) == []
    assert len(made.votes) == 0
    assert made.votes.share(peer(0)) is None
    made.accuse(0, 1, 2, 3)
    assert [type(one) for one in made.pass_s(10)] == [Doubted, HeldOffline]
    made.come(0)
    assert made.take_changes() == [Released(peer(0), refuted=True)]
    assert not made.is_held(0)
    assert made.votes.held_offline() == []


def test_a_renewal_refutes_votes_that_arrive_after_it_and_ones_against_leases_to_come() -> None:
    made = town()
    old = made.leases.number_of(peer(0))
    made.come(0)
    assert made.accuse(0, 1, 2, 3, against=old) == ["refuted"] * 3
    assert made.accuse(0, 1, 2, 3, against=(1 << 64) - 1) == ["counted"] * 3
    made.pass_s(10)
    assert made.is_held(0)
    made.come(0)
    assert not made.is_held(0)


def test_nobody_is_held_offline_who_was_not_asked_and_no_answer_of_before_counts() -> None:
    made = town()
    made.votes.unanswered(peer(0), made.now)
    assert made.accuse(0, 1, 2, 3) == ["counted"] * 3
    made.votes.look(made.now)
    assert [type(one) for one in made.votes.take_changes()] == [Doubted]
    for _ in range(100):
        made.now += LOOK_S / 4
        made.votes.look(made.now)
    assert made.votes.take_changes() == []
    assert made.votes.is_doubted(peer(0))
    made.votes.unanswered(peer(0), made.now)
    assert [type(one) for one in made.votes.take_changes()] == [HeldOffline]


def test_who_is_asked_to_try_are_the_heaviest_and_nobody_where_they_would_not_suffice() -> None:
    made = town(6)
    made.come(20, 21)  # fresh
    assert made.votes.jury(peer(0), 8, made.now) == [peer(n) for n in (1, 2, 3, 4, 5, 20, 21)]
    assert made.votes.jury(peer(0), 3, made.now) == [peer(n) for n in (1, 2, 3)]
    assert made.votes.jury(peer(0), 2, made.now) == []
    assert town(2).votes.jury(peer(0), 8, HOUR_S) == []  # one alone


def test_many_who_vanish_at_once_cost_few_looks_at_all_who_are_online() -> None:
    made = town(60)
    counting = Counting(made.leases)
    made.votes = Votes(POLICY, counting)
    for accused in range(20):
        made.accuse(accused, *range(20, 60))
    made.pass_s(10)
    assert len(made.votes.held_offline()) == made.votes.held_count == 20
    assert counting.looks <= 2 + 10 / RECOUNT_S


def test_a_renewal_of_who_is_not_accused_is_nothing() -> None:
    made = town()
    made.votes.renewed(peer(0), made.now)
    made.votes.renewed(peer(77), made.now)
    assert made.pass_s(60) == []


def test_votes_end() -> None:
    made = town()
    made.accuse(0, 1, 2, 3, valid_s=60)
    assert [type(one) for one in made.pass_s(59)] == [Doubted, HeldOffline]
    assert made.pass_s(2) == [Released(peer(0), refuted=False)]
    assert len(made.votes) == 0
    made.accuse(0, 1, 2, 3, valid_s=3600)
    made.pass_s(POLICY.valid_s_max - 1)
    made.come(*range(1, 5))
    assert made.is_held(0)
    made.pass_s(2)
    assert not made.is_held(0)


def test_votes_are_withdrawn() -> None:
    made = town()
    made.accuse(0, 1, 2, 3)
    made.pass_s(1)
    assert made.accuse(0, 3, valid_s=0) == ["withdrawn"]
    assert made.pass_s(60) == []
    made.accuse(0, 3)
    assert [type(one) for one in made.pass_s(60)] == [Doubted, HeldOffline]
    made.accuse(0, 3, valid_s=0)
    assert made.pass_s(1) == [Released(peer(0), refuted=False)]
    assert made.accuse(4, 3, valid_s=0) == ["withdrawn"]  # of what was never said


def test_who_leaves_votes_no_more() -> None:
    made = town()
    made.accuse(0, 1, 2, 3)
    made.pass_s(10)
    made.go(3)
    made.go(2)
    made.pass_s(CENSUS_S)
    assert made.pass_s(LOOK_S) == []
    # One of two who are left.
    assert not made.is_held(0)


def test_only_who_is_online_votes_and_only_against_who_was_there() -> None:
    made = town()
    assert made.accuse(0, 9) == ["not online"]
    assert made.accuse(9, 1) == ["unknown"]
    made.go(0)
    assert made.accuse(0, 1) == ["counted"]
    made.pass_s(1)
    assert len(made.votes) == 1


def test_a_vote_shown_again_is_refused() -> None:
    made = town()
    made.seq = 10_000
    assert made.accuse(0, 1) == ["counted"]
    made.seq = 10_000
    assert made.accuse(2, 1) == ["old"]
    made.seq = 9_000
    assert made.accuse(0, 1, valid_s=0) == ["old"]


def test_one_identity_has_one_vote() -> None:
    made = town()
    assert made.accuse(0, 1, 1, 1, 1, 2) == ["counted"] * 5
    made.pass_s(30)
    assert len(made.votes) == 2
    assert not made.is_held(0)


def test_who_is_held_offline_has_no_say_and_counts_not_among_those_online() -> None:
    made = town(7)
    # Three fall silent together. The four others are two thirds of who could accuse each of them.
    made.accuse(0, 3, 4, 5, 6)
    made.pass_s(10)
    made.accuse(1, 3, 4, 5, 6)
    made.pass_s(10)
    made.accuse(2, 3, 4, 5, 6)
    made.pass_s(10)
    assert [made.is_held(number) for number in range(7)] == [True] * 3 + [False] * 4
    assert made.votes.share(peer(2)) == Share(1.0, 4, 4, 4)
    # They accuse in turn: nothing comes of it.
    assert made.accuse(6, 0, 1, 2, 3) == ["counted"] * 4
    assert made.pass_s(60) == []
    share = made.votes.share(peer(6))
    assert share is not None
    assert share.accusers == 1


@pytest.mark.parametrize("ratio", [0.01, 0.5])
def test_a_liar_alone_removes_nobody_whatever_its_weight_and_the_ratio(ratio: float) -> None:
    made = town(2, VotePolicy(ratio=ratio))
    assert made.accuse(0, 1) == ["counted"]
    assert made.pass_s(600) == []
    assert not made.is_held(0)


def test_the_bounds_hold() -> None:
    policy = VotePolicy(per_voter_max=2, per_host_max=3, per_accused_max=2, votes_max=4)
    made = town(6, policy)
    # Of one voter: its oldest gives way.
    assert made.accuse(0, 1) + made.accuse(2, 1) + made.accuse(3, 1) == ["counted"] * 3
    made.pass_s(1)
    assert len(made.votes) == 2
    assert made.votes.share(peer(0)) is None
    # Against one accused.
    assert made.accuse(2, 3) == ["counted"]
    assert made.accuse(2, 4) == ["too many"]
    assert made.accuse(2, 3) == ["counted"]  # the same once more
    # Of all: that of the voter who voted longest ago gives way.
    assert made.accuse(5, 2, 3) == ["counted"] * 2
    assert len(made.votes) == 4
    assert made.accuse(0, 5) == ["counted"]
    assert len(made.votes) == 4
    made.pass_s(1)
    assert made.votes.share(peer(3)) is None  # what number 1 had said, longest ago
    # Of one host.
    same = place_of(peer(20), "20.99.0.1")
    made.come(20, 21, 22, 23, place=same)
    roomy = VotePolicy(per_host_max=3)
    other = town(6, roomy)
    other.come(20, 21, 22, 23, place=same)
    assert other.accuse(0, 20, 21, 22, 23) == ["counted"] * 3 + ["too many"]


def test_a_voter_that_moved_to_a_crowded_host_loses_its_vote_there() -> None:
    made = town(3, VotePolicy(per_host_max=1))
    same = place_of(peer(20), "20.99.0.1")
    made.come(20, 21, place=same)
    assert made.accuse(0, 20) == ["counted"]
    assert made.accuse(0, 1) == ["counted"]
    made.come(1, place=same)
    assert made.accuse(0, 1) == ["too many"]
    made.pass_s(1)
    assert len(made.votes) == 1


class Counting:
    """Who is online, and how often all of them were looked at."""

    def __init__(self, leases: Leases) -> None:
        self.get = leases.get
        self.number_of = leases.number_of
        self.leases = leases
        self.looks = 0

    def items(self) -> Iterable[tuple[PeerId, Held]]:
        self.looks += 1
        return self.leases.items()


def test_a_flood_of_votes_costs_few_looks_at_all_who_are_online() -> None:
    made = town(50)
    counting = Counting(made.leases)
    made.votes = Votes(POLICY, counting)
    for second in range(10):
        made.accuse(second, *range(20, 40))
        made.pass_s(1)
    assert 1 <= counting.looks <= 2 + 10 / CENSUS_S


def test_a_case_is_looked_at_again_although_nothing_is_said() -> None:
    made = Town()
    made.come(0, 1, 2, 3)
    made.pass_s(1800)
    made.come(0, 1, 2, 3, 4, 5, valid_s=3600)
    made.accuse(0, 4, 5, valid_s=900)
    made.accuse(0, 1)
    assert made.pass_s(60) == []  # the two are fresh
    assert made.votes.next_look() is not None
    made.go(2)
    made.go(3)
    changes = made.pass_s(2 * LOOK_S)
    assert [type(one) for one in changes] == [Doubted, HeldOffline]


# --- attacks ----------------------------------------------------------------------------------------------

HONEST = st.integers(2, 8)


@settings(max_examples=60, deadline=None)
@given(HONEST, st.integers(1, 200), st.floats(0, 20), st.booleans())
def test_fresh_identities_remove_nobody_however_many_and_wherever(
    honest: int, fresh: int, age_s: float, spread: bool
) -> None:
    made = town(honest)
    for number in range(1000, 1000 + fresh):
        made.come(number, place=apart(number) if spread else place_of(peer(number), "30.0.0.1"))
    made.pass_s(age_s)
    for accused in range(honest):
        made.accuse(accused, *range(1000, 1000 + fresh))
    assert not [one for one in made.pass_s(120) if isinstance(one, HeldOffline)]


@settings(max_examples=60, deadline=None)
@given(HONEST, st.integers(1, 100), st.booleans(), st.floats(0, HOUR_S))
def test_one_address_or_one_network_removes_nobody_however_old_its_identities_are(
    honest: int, many: int, whole_network: bool, age_s: float
) -> None:
    made = Town()
    made.come(*range(honest))
    for number in range(1000, 1000 + many):
        host = f"30.0.0.{number % 250}" if whole_network else "30.0.0.1"
        made.come(number, place=place_of(peer(number), host))
    made.pass_s(min(age_s, HOUR_S - 200))
    for accused in range(honest):
        made.accuse(accused, *range(1000, 1000 + many))
    changes = made.pass_s(120)
    assert not [one for one in changes if isinstance(one, HeldOffline)]


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 12), st.data())
def test_an_honest_majority_removes_who_is_silent_within_bounds_and_a_minority_never(
    people: int, data: st.DataObject
) -> None:
    made = town(people)
    accusers = data.draw(st.integers(0, people - 1))
    made.accuse(0, *range(1, 1 + accusers))
    changes = made.pass_s(ASKED_S + 0.01)
    removed = any(isinstance(one, HeldOffline) for one in changes)
    assert removed == made.is_held(0) == (accusers >= 2 and accusers > (people - 1) / 2)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["accuse", "accuse", "accuse", "withdraw", "come", "go", "pass"]),
        st.integers(0, 6),
        st.integers(0, 6),
        st.floats(0.1, 40),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(ACTS)
def test_a_renewal_always_wins_and_nothing_is_left_behind(acts: list[tuple[str, int, int, float]]) -> None:
    made = town(7)
    held: set[object] = set()
    for what, one, other, seconds in acts:
        match what:
            case "accuse" if one != other:
                made.accuse(other, one)
            case "withdraw" if one != other:
                made.accuse(other, one, valid_s=0)
            case "come":
                made.come(one)
                assert not made.is_held(one)
                assert made.votes.share(peer(one)) is None
            case "go":
                made.go(one)
            case "pass":
                pass
        for change in made.pass_s(seconds):
            if isinstance(change, HeldOffline):
                assert change.share.share > POLICY.ratio
                assert change.share.hosts >= 2
                held.add(change.peer)
            elif isinstance(change, Released):
                held.remove(change.peer)
        assert held == set(made.votes.held_offline())
        votes = made.votes
        assert len(votes) == sum(len(case.votes) for case in votes._cases.values())
        assert len(votes) == sum(map(len, votes._of.values())) == sum(votes._by_host.values())
    for number in range(7):
        made.go(number)
    made.pass_s(HOUR_S)
    assert (len(made.votes), made.votes._cases, made.votes._numbers) == (0, {}, {})
