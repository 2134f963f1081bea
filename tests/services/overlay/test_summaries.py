"""What neighbours tell each other of where things are."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.overlay.support import peer
from tests.services.overlay.test_bloom import filled
from warren.core.errors import ProtocolViolation
from warren.core.query import Query, terms_of
from warren.protocols.overlay.messages import BITS_LOG2_MAX, Summary
from warren.services.overlay import summaries
from warren.services.overlay.bloom import Bloom, Flips, difference, empty, flip, union
from warren.services.overlay.summaries import BEHIND, NOWHERE, THERE, Summaries, SummaryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

POLICY = SummaryPolicy(every_s=2.0, repeat_s=100.0, age_s=300.0)


def query(text: str) -> Query:
    return Query(terms_of(text))


class Chain:
    """Three in a line: 0 - 1 - 2."""

    def __init__(self) -> None:
        self.now = 0.0
        self.all = [Summaries(number + 1, POLICY) for number in range(3)]
        for a, b in ((0, 1), (1, 2)):
            self.all[a].join(peer(b), 0.0)
            self.all[b].join(peer(a), 0.0)

    def tell(self, steps: int = 4) -> list[Summary]:
        told = []
        for _ in range(steps):
            due = [(number, *one) for number in range(3) for one in self.all[number].due(self.now)]
            for sender, to, summary in due:
                receiver = next(number for number in range(3) if peer(number) == to)
                assert self.all[receiver].receive(peer(sender), summary, self.now)
                told.append(summary)
            self.now += POLICY.every_s
        return told

    def reach(self, text: str, number: int = 0) -> int:
        return self.all[number].reach(query(text), [peer(1)], self.now)[0]


def test_two_hops_away_is_known_and_how_far() -> None:
    chain = Chain()
    chain.all[1].set_own(filled({"lighthouse"}))
    chain.all[2].set_own(filled({"windmill"}))
    chain.tell()
    assert [chain.reach(word) for word in ("lighthouse", "windmill", "sawmill")] == [THERE, BEHIND, NOWHERE]
    assert chain.reach("light wind") == NOWHERE
    assert chain.reach("x") == BEHIND  # tells nothing
    assert [one.holders("lighthouse") for one in chain.all] == [1, 0, 1]


def test_what_a_neighbour_has_itself_is_not_told_back() -> None:
    chain = Chain()
    chain.all[0].set_own(filled({"lighthouse"}))
    chain.tell()
    assert chain.reach("lighthouse", 0) == NOWHERE
    assert chain.reach("lighthouse", 2) == BEHIND


def test_changes_go_out_as_flips_and_seldom() -> None:
    chain = Chain()
    words = {f"word{number}" for number in range(150)}
    chain.all[1].set_own(filled(words, 14))
    first = chain.tell()
    chain.all[1].set_own(filled(words | {"windmill"}, 14))
    second = chain.tell()
    assert {one.level for one in second} == {0, 1} - {1}  # behind it nothing changed
    assert not any(one.full for one in second)
    assert max(len(one.flips) for one in second) < 40 < max(len(one.flips) for one in first)
    assert chain.reach("windmill") == THERE
    chain.all[1].set_own(filled(words, 14))
    chain.all[1].set_own(filled(words | {"windmill"}, 14))
    assert chain.tell() == []


def test_silence_is_broken_now_and_then_and_age_counts() -> None:
    chain = Chain()
    chain.tell()
    assert chain.tell() == []
    chain.now = 101.0
    repeated = chain.tell(1)
    assert len(repeated) == 8
    assert all(not one.flips for one in repeated)
    assert chain.reach("sawmill") == NOWHERE
    chain.now += POLICY.age_s + 1
    assert chain.reach("sawmill") == BEHIND


def test_unknown_and_too_full_neighbours_may_have_anything() -> None:
    one = Summaries(1, POLICY)
    assert one.reach(query("sawmill"), [peer(1)], 0.0) == [BEHIND]
    one.join(peer(1), 0.0)
    assert one.reach(query("sawmill"), [peer(1)], 0.0) == [BEHIND]
    full = Bloom(10, b"\xff" * 128)
    for level in (0, 1):
        flips = difference(empty(10), empty(10) if level else full)
        assert one.receive(peer(1), Summary(level, 5, 1, True, 10, *flips), 0.0)
    assert one.reach(query("sawmill"), [peer(1)], 0.0) == [THERE]
    assert one.holders("sawmill") == 0


def test_a_gap_is_noticed_and_all_comes_anew() -> None:
    a, b = Summaries(1, POLICY), Summaries(2, POLICY)
    a.join(peer(2), 0.0)
    b.join(peer(1), 0.0)
    for _, summary in a.due(0.0):
        b.receive(peer(1), summary, 0.0)
    a.set_own(filled({"lighthouse"}))
    assert list(a.due(2.0))  # lost
    a.set_own(filled({"windmill"}))
    assert [b.receive(peer(1), summary, 4.0) for _, summary in a.due(4.0)] == [False]
    assert b.reach(query("sawmill"), [peer(1)], 4.0) == [THERE]
    a.again(peer(2))
    a.again(peer(9))
    assert a.next_due() == 6.0
    assert list(a.due(5.0)) == []
    anew = list(a.due(6.0))
    assert all(summary.full for _, summary in anew)
    assert all(b.receive(peer(1), summary, 6.0) for _, summary in anew)
    assert [b.reach(query(word), [peer(1)], 6.0) for word in ("windmill", "sawmill")] == [[THERE], [NOWHERE]]


def test_replays_change_nothing() -> None:
    a, b = Summaries(1, POLICY), Summaries(2, POLICY)
    a.join(peer(2), 0.0)
    b.join(peer(1), 0.0)
    for _, summary in a.due(0.0):
        b.receive(peer(1), summary, 0.0)
    a.set_own(filled({"lighthouse"}))
    ((_, delta),) = a.due(2.0)
    assert b.receive(peer(1), delta, 2.0)
    assert not b.receive(peer(1), delta, 2.0)


def test_flips_of_another_size_and_of_strangers() -> None:
    one = Summaries(1, POLICY)
    assert one.receive(peer(1), Summary(0, 5, 1, True, 10, 0, b""), 0.0)  # no neighbour: nothing
    one.join(peer(1), 0.0)
    assert one.receive(peer(1), Summary(0, 5, 1, True, 10, 0, b""), 0.0)
    with pytest.raises(ProtocolViolation):
        one.receive(peer(1), Summary(0, 5, 2, False, 11, 0, b""), 0.0)


def test_who_leaves_is_told_to_the_others() -> None:
    chain = Chain()
    chain.all[2].set_own(filled({"windmill"}))
    chain.tell()
    chain.all[1].leave(peer(2))
    assert chain.all[1].next_due() is not None
    due = chain.all[1].due(chain.now)
    for _, summary in due:
        chain.all[0].receive(peer(1), summary, chain.now)
    assert chain.reach("windmill") == NOWHERE
    assert Summaries(1).next_due() is None


def big(bits_log2: int, byte: int) -> Summary:
    """A filter of such bytes, in a few bytes."""
    flips = difference(empty(bits_log2), Bloom(bits_log2, bytes([byte]) * (1 << bits_log2 >> 3)))
    return Summary(0, 5, 1, True, bits_log2, *flips)


def told_behind(one: Summaries, to: int, now: float) -> Bloom:
    """What a neighbour is told of what is behind."""
    told = {(peer, summary.level): summary for peer, summary in one.due(now)}
    behind = told[peer(to), 1]
    nothing = empty(behind.bits_log2)
    return flip(nothing, Flips(behind.form, behind.flips)) if behind.flips else nothing


def test_a_neighbour_that_may_have_anything_spoils_not_what_is_said_of_others() -> None:
    one = Summaries(1, POLICY)
    for number in (1, 2, 3):
        one.join(peer(number), 0.0)
    one.receive(peer(1), big(16, 0xFF), 0.0)
    one.receive(peer(2), Summary(0, 5, 1, True, 10, *difference(empty(10), filled({"lighthouse"}))), 0.0)
    behind = told_behind(one, 3, 0.0)
    assert behind.density < 0.1
    assert behind.has_word("lighthouse")
    assert one.reach(query("sawmill"), [peer(1)], 0.0) != [NOWHERE]


def test_what_a_neighbour_said_long_ago_is_not_told_on() -> None:
    one = Summaries(1, POLICY)
    one.join(peer(1), 0.0)
    one.receive(peer(1), Summary(0, 5, 1, True, 10, *difference(empty(10), filled({"lighthouse"}))), 0.0)
    late = POLICY.age_s + 1
    one.join(peer(2), late)
    assert told_behind(one, 2, late) == empty(10)


def test_a_large_filter_with_little_in_it_is_kept_small_for_all_others() -> None:
    one = Summaries(1, POLICY)
    for number in (1, 2):
        one.join(peer(number), 0.0)
    few = Bloom(BITS_LOG2_MAX, b"\x01" + bytes((1 << BITS_LOG2_MAX >> 3) - 1))
    one.receive(peer(1), Summary(0, 5, 1, True, BITS_LOG2_MAX, *difference(empty(BITS_LOG2_MAX), few)), 0.0)
    assert told_behind(one, 2, 0.0) == Bloom(10, b"\x01" + bytes(127))


def test_summaries_are_made_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    unions = []

    def counting(filters: Iterable[Bloom]) -> Bloom:
        unions.append(1)
        return union(filters)

    monkeypatch.setattr(summaries, "union", counting)
    one = Summaries(1, POLICY)
    for number in range(9):
        one.join(peer(number), 0.0)
    due = one.due(0.0)
    for count in (0, 1, 1, 2, 2, 3):
        next(due)
        assert len(unions) == count
    one.leave(peer(3))  # while its second one is not made
    assert peer(3) not in [to for to, _ in due]
    assert len(unions) == 8


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_whatever_happens_in_between_in_the_end_all_know(seed: int) -> None:
    chance, chain = random.Random(seed), Chain()
    have: list[set[str]] = [set(), set(), set()]
    for _ in range(6):
        number = chance.randrange(3)
        have[number] ^= {f"word{chance.randrange(6)}" for _ in range(3)}
        chain.all[number].set_own(filled(have[number], chance.choice((10, 11))))
        chain.tell(chance.randrange(2))
    chain.tell(4)
    for word in (f"word{number}" for number in range(6)):
        least = THERE if word in have[1] else BEHIND if word in have[2] else NOWHERE
        assert chain.reach(f'"{word}"') >= least
