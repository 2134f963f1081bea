"""Who is told what: everybody in the end, nobody twice, and never more than the bounds."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.exchange.book import key
from warren.network.allowance import Rate
from warren.protocols.exchange.entry import Version
from warren.protocols.exchange.spread import Send, Spread, SpreadLimits, Wait

PEERS = [key(number).peer_id for number in range(60)]
A, B, C, D = PEERS[:4]
LIMITS = SpreadLimits(gather_s=0.5)


class Lots:
    """Drawn from a seed; all pauses are the middle."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def below(self, n: int) -> int:
        return self._random.randrange(n)


def spread(*neighbours: object, limits: SpreadLimits = LIMITS) -> Spread:
    made = Spread(limits, Lots())
    for peer in neighbours:
        made.join(peer, 0.0)  # type: ignore[arg-type]
    return made


def sends(made: Spread, now: float) -> dict[object, tuple[object, ...]]:
    """All that is due at `now`, sent at once."""
    found: dict[object, tuple[object, ...]] = {}
    while isinstance(due := made.next(now), Send):
        found[due.peer] = found.get(due.peer, ()) + due.subjects
        made.sent(due.peer)
    return found


def test_news_go_to_all_but_their_source_and_subject_after_a_moment() -> None:
    made = spread(A, B, C)
    assert made.learn(D, Version(1), A, 0.0)
    assert made.learn(C, Version(1), A, 0.0)
    assert made.next(0.0) == Wait(LIMITS.gather_s)
    assert sends(made, LIMITS.gather_s) == {B: (D, C), C: (D,)}
    assert made.next(10.0) == Wait(None)


def test_what_is_known_or_older_is_no_news() -> None:
    made = spread(A, B)
    made.recall(C, Version(5, 5))
    assert not made.learn(C, Version(5, 4), A, 0.0)
    assert not made.learn(C, Version(4, 5), B, 0.0)
    assert made.next(99.0) == Wait(None)
    assert made.learn(C, Version(4, 6), A, 99.0)
    assert made.version(C) == (5, 6)


def test_who_tells_us_the_same_meanwhile_is_not_told() -> None:
    made = spread(A, B)
    made.learn(C, Version(2), A, 0.0)
    assert not made.learn(C, Version(1), B, 0.1)
    assert not made.learn(C, Version(2), B, 0.1)
    assert made.next(99.0) == Wait(None)
    made.learn(C, Version(3), A, 99.0)
    assert not made.learn(C, Version(2), B, 99.0)
    assert sends(made, 100.0) == {B: (C,)}


def test_our_own_news_have_no_source() -> None:
    made = spread(A, B)
    assert made.learn(D, Version(1), None, 0.0)
    assert sends(made, 1.0) == {A: (D,), B: (D,)}


def test_one_send_at_a_time_to_a_neighbour_and_one_that_hangs_delays_nobody() -> None:
    made = spread(A, B)
    made.learn(C, Version(1), None, 0.0)
    assert made.next(1.0) == Send(A, (C,))
    made.learn(D, Version(1), None, 1.0)
    assert made.next(2.0) == Send(B, (C, D))
    assert made.next(99.0) == Wait(None)
    made.sent(A)
    assert made.next(99.0) == Send(A, (D,))


def test_who_signs_again_and_again_is_told_of_every_few_seconds() -> None:
    made = spread(A)
    told = 0
    for tenth in range(101):
        now = tenth / 10
        assert made.learn(D, Version(tenth + 1), B, now)
        told += len(sends(made, now).get(A, ()))
    assert told == 5
    assert sends(made, 10.5) == {A: (D,)}
    assert made.version(D) == (101, 0)


def test_a_neighbour_is_told_within_its_rate_and_the_oldest_gives_way() -> None:
    made = spread(A, limits=SpreadLimits(gather_s=0.5, each=Rate(2, 1.0), pending_max=5, again_min=1))
    for subject in PEERS[10:20]:
        made.learn(subject, Version(1), None, 0.0)
    assert sends(made, 0.5) == {A: tuple(PEERS[15:17])}
    rest = [subject for second in range(1, 20) for subject in sends(made, 0.5 + second).get(A, ())]
    assert rest == PEERS[17:20]


def test_once_the_rate_is_used_up_news_are_gathered_again() -> None:
    made = spread(A, limits=SpreadLimits(gather_s=0.5, each=Rate(4, 1.0), again_min=4))
    for subject in PEERS[10:20]:
        made.learn(subject, Version(1), None, 0.0)
    batches = [sends(made, half / 2).get(A, ()) for half in range(1, 30)]
    assert [len(batch) for batch in batches if batch] == [4, 4, 2]


def test_news_go_to_a_few_by_lot() -> None:
    neighbours = PEERS[10:50]
    made = spread(*neighbours)
    drawn: Counter[object] = Counter()
    for number, subject in enumerate(PEERS[:10] + PEERS[50:]):
        made.learn(subject, Version(1), None, number * 10.0)
        told = sends(made, number * 10.0 + 5)
        assert len(told) == LIMITS.fanout
        drawn.update(list(told))
    assert len(drawn) > len(neighbours) * 0.8


def test_who_left_is_not_told_and_comes_back_as_new() -> None:
    made = spread(A, B)
    made.learn(D, Version(1), None, 0.0)
    made.leave(A)
    made.leave(C)
    assert sends(made, 1.0) == {B: (D,)}
    made.join(A, 1.0)
    made.sent(C)
    assert made.neighbours == [B, A]
    assert made.next(2.0) == Wait(None)


def test_what_was_learnt_longest_ago_is_forgotten() -> None:
    made = spread(limits=SpreadLimits(subjects_max=3))
    for number, subject in enumerate((A, B, A, C, D)):
        made.learn(subject, Version(number + 1), None, 0.0)
    assert [peer for peer, _ in made.newest()] == [D, C, A]
    assert made.version(B) == Version()
    assert made.next(9.0) == Wait(None)


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(0, 3), st.integers(0, 2**32))
def test_in_any_network_all_hear_of_all_and_messages_are_bounded(size: int, extra: int, seed: int) -> None:
    """Every node learns one subject of its own; edges form a line, and some more by lot."""
    rng = random.Random(seed)
    edges = {(number, number + 1) for number in range(size - 1)}
    edges |= {tuple(sorted(rng.sample(range(size), 2))) for _ in range(extra)}  # type: ignore[misc]
    nodes = [Spread(SpreadLimits(gather_s=0.5, fanout=size), Lots(seed + number)) for number in range(size)]
    for one, other in edges:
        nodes[one].join(PEERS[other], 0.0)
        nodes[other].join(PEERS[one], 0.0)
    for number, node in enumerate(nodes):
        node.learn(PEERS[number], Version(1), None, 0.0)
    told = 0
    for step in range(1, size * 2):
        now = step * LIMITS.gather_s
        batches = [(number, sends(node, now)) for number, node in enumerate(nodes)]
        for number, batch in batches:
            for peer, subjects in batch.items():
                told += len(subjects)
                for subject in subjects:
                    nodes[PEERS.index(peer)].learn(subject, Version(1), PEERS[number], now)  # type: ignore[arg-type]
    assert all(node.version(PEERS[number]) == (1, 0) for node in nodes for number in range(size))
    assert told <= 2 * len(edges) * size
    assert all(node.next(1e6) == Wait(None) for node in nodes)
