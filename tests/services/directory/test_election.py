"""Who is the super-peer of a local network: all come to the same answer, and stay with it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.directory.made import key
from warren.protocols.directory.messages import Standing
from warren.services.directory import election as module
from warren.services.directory.election import PATIENCE_S, SETTLE_S, Election, Verdict

PEERS = sorted(key(number).peer_id for number in range(1, 6))
ME, B, C, D = PEERS[1], PEERS[0], PEERS[2], PEERS[3]  # B has a lower id, the others higher ones
NOBODY: frozenset[object] = frozenset()
GOOD, SLOW, LONELY = Standing(True, 2, 500), Standing(True, 2, 5000), Standing(True, 1, 500)
UNWILLING = Standing(False, 2, 500)


def decided(
    election: Election, now: float, own: Standing = GOOD, elected: object = NOBODY, *, appointed: bool = False
) -> Verdict:
    return election.decide(own, now, elected=elected, appointed=appointed)  # type: ignore[arg-type]


def with_others(*standings: Standing, own_id: object = ME) -> Election:
    election = Election(own_id, 0.0)  # type: ignore[arg-type]
    for peer, standing in zip((C, D, B), standings, strict=False):
        election.heard(peer, standing, 0.0)
    return election


def test_the_fittest_is_it_once_all_has_settled() -> None:
    election = with_others(SLOW, LONELY)
    assert decided(election, 0.0) == Verdict(elected=False, look_at=SETTLE_S)
    assert decided(election, SETTLE_S) == Verdict(elected=True)
    assert election.elected


def test_round_trips_that_differ_little_do_not_count_and_then_the_reach_and_the_id_do() -> None:
    assert decided(with_others(Standing(True, 2, 100), GOOD), 5.0).elected
    assert not decided(with_others(Standing(True, 3, 900), GOOD), 1.0).elected
    assert not decided(with_others(GOOD, GOOD, GOOD), 1.0).elected  # the lowest id has it
    assert not decided(with_others(GOOD, GOOD), 1.0, SLOW).elected


def test_with_one_other_there_is_none_and_without_the_will_neither() -> None:
    assert decided(with_others(SLOW), 5.0) == Verdict(elected=False)
    assert decided(with_others(SLOW, SLOW), 5.0, UNWILLING) == Verdict(elected=False)
    assert decided(with_others(SLOW, UNWILLING), 5.0) == Verdict(elected=False)


def test_who_comes_and_goes_begins_the_wait_anew() -> None:
    election = with_others(SLOW, SLOW, SLOW)
    election.heard(C, LONELY, 0.5)  # known already
    election.left(B, 0.9)
    election.left(B, 5.0)  # was gone
    assert decided(election, 1.0) == Verdict(elected=False, look_at=0.9 + SETTLE_S)
    assert decided(election, 0.9 + SETTLE_S).elected


def test_the_one_that_is_stays_unless_a_fitter_one_is_too_or_one_was_told_to_be() -> None:
    election = with_others(SLOW, SLOW)
    assert decided(election, 1.0).elected
    election.heard(C, Standing(True, 9, 1), 2.0)
    assert decided(election, 9.0, SLOW).elected  # fitter now, but is none
    assert decided(election, 9.0, SLOW, frozenset({D})).elected  # is one too, and not fitter
    assert not decided(election, 9.0, SLOW, frozenset({C})).elected
    other = with_others(SLOW, SLOW)
    assert decided(other, 1.0).elected
    assert not decided(other, 9.0, appointed=True).elected
    assert decided(other, 9.0).elected


def test_nobody_is_elected_where_somebody_is_already() -> None:
    assert not decided(with_others(SLOW, SLOW), 9.0, elected=frozenset({C})).elected


def test_who_is_left_alone_is_none_any_more() -> None:
    election = with_others(SLOW, SLOW)
    assert decided(election, 1.0).elected
    election.left(C, 2.0)
    assert decided(election, 9.0).elected
    election.left(D, 10.0)
    assert not decided(election, 10.0).elected


def test_where_what_was_told_is_old_the_id_decides_in_the_end() -> None:
    election = with_others(Standing(True, 3, 500), Standing(True, 3, 500))
    assert decided(election, 1.0) == Verdict(elected=False, look_at=PATIENCE_S)
    assert decided(election, PATIENCE_S).elected  # the lowest id of the three
    assert not decided(with_others(GOOD, GOOD, GOOD), PATIENCE_S).elected


def test_only_so_many_standings_are_remembered() -> None:
    before, module.PEERS_MAX = module.PEERS_MAX, 1  # type: ignore[misc]
    try:
        assert not decided(with_others(SLOW, SLOW), 9.0).elected
    finally:
        module.PEERS_MAX = before  # type: ignore[misc]


standings = st.builds(Standing, st.just(True), st.integers(1, 4), st.integers(0, 100_000))


@given(st.lists(standings, min_size=3, max_size=5))
def test_of_those_who_know_the_same_exactly_one_is_elected(all_standings: list[Standing]) -> None:
    peers = PEERS[: len(all_standings)]
    known = dict(zip(peers, all_standings, strict=True))
    elected = []
    for me in peers:
        election = Election(me, 0.0)
        for peer in peers:
            if peer != me:
                election.heard(peer, known[peer], 0.0)
        if decided(election, SETTLE_S, known[me]).elected:
            elected.append(me)
    assert len(elected) == 1
