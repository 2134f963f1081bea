"""Maps of leaves: they count, tell what is new, and arrive as they were, whatever is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from warren.core.errors import ProtocolViolation
from warren.protocols.swarm.messages import LEAVES_MAX, SEGMENT_BYTES, SEGMENT_LEAVES, Segment
from warren.services.files.swarm.bits import Bits

NUMBERS = st.integers(0, 5 * SEGMENT_LEAVES)
SETS = st.sets(NUMBERS, max_size=60)


def bits_of(*numbers: int) -> Bits:
    bits = Bits()
    for number in numbers:
        bits.add(number)
    return bits


@given(SETS, SETS)
def test_it_is_a_set_of_numbers(added: set[int], gone: set[int]) -> None:
    bits = Bits()
    assert [bits.add(number) for number in added] == [True] * len(added)
    assert not any(bits.add(number) for number in added)
    assert {number for number in gone if bits.discard(number)} == added & gone
    left = added - gone
    assert list(bits) == sorted(left)
    assert bits.count == len(left)
    assert all((number in bits) == (number in left) for number in range(6 * SEGMENT_LEAVES))


@given(SETS)
def test_it_survives_as_bytes(numbers: set[int]) -> None:
    data = bits_of(*numbers).to_bytes()
    assert len(data) <= max(numbers, default=-1) // 8 + 1
    again = Bits.from_bytes(data)
    assert (list(again), again.count) == (sorted(numbers), len(numbers))
    told = Bits()
    told.apply(again.since(0)[0])
    assert list(told) == sorted(numbers)


def test_only_what_changed_is_told() -> None:
    bits = bits_of(0, 1, 3 * SEGMENT_LEAVES)
    segments, version = bits.since(0)
    assert [one.at for one in segments] == [0, 3]
    assert bits.since(version) == ([], version)
    bits.discard(1)
    segments, version = bits.since(version)
    assert [one.at for one in segments] == [0]
    assert bits.since(version)[0] == []


def test_what_does_not_fit_is_told_next_time() -> None:
    bits = bits_of(*range(0, 5 * SEGMENT_LEAVES, SEGMENT_LEAVES))
    bits.add(1)  # the first segment changed last
    told, version, asked = Bits(), 0, 0
    while version < bits.version:
        segments, version = bits.since(version, 2)
        assert len(segments) <= 2
        told.apply(segments)
        asked += 1
    assert (list(told), asked) == (list(bits), 3)


def test_what_lies_beyond_the_limit_is_kept_and_not_told() -> None:
    bits = bits_of(LEAVES_MAX - 1, LEAVES_MAX)
    segments, version = bits.since(0)
    assert version == bits.version == 2
    told = Bits()
    assert told.apply(segments).gained == [LEAVES_MAX - 1]
    assert list(bits) == [LEAVES_MAX - 1, LEAVES_MAX]


def test_it_says_what_a_telling_changed() -> None:
    told = bits_of(1, 2, 300)
    change = told.apply(bits_of(2, 3, 301).since(0)[0])
    assert (change.gained, change.lost) == ([3, 301], [1, 300])
    assert (list(told), told.count) == ([2, 3, 301], 3)
    assert told.apply(told.since(0)[0]) == ([], [])


def test_nothing_far_away_takes_no_room() -> None:
    bits = Bits()
    last = LEAVES_MAX // SEGMENT_LEAVES - 1
    bits.apply([Segment(last, bytes(SEGMENT_BYTES))])
    assert (bits.size, bits.version) == (0, 0)
    bits.apply([Segment(last, bytes([1]) * SEGMENT_BYTES)])
    assert LEAVES_MAX // 8 <= bits.size < LEAVES_MAX // 6


@pytest.mark.parametrize(
    "segment",
    [
        Segment(-1, bytes(SEGMENT_BYTES)),
        Segment(LEAVES_MAX // SEGMENT_LEAVES, bytes(SEGMENT_BYTES)),
        Segment(0, bytes(SEGMENT_BYTES + 1)),
    ],
)
def test_bad_segments_are_refused(segment: Segment) -> None:
    with pytest.raises(ProtocolViolation, match="segment"):
        Bits().apply([segment])


class Telling(RuleBasedStateMachine):
    """One map changes, another one follows it by what changed, in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.bits, self.told = Bits(), Bits()
        self.model: set[int] = set()
        self.version = 0

    @rule(number=NUMBERS)
    def add(self, number: int) -> None:
        assert self.bits.add(number) == (number not in self.model)
        self.model.add(number)

    @rule(number=NUMBERS)
    def discard(self, number: int) -> None:
        assert self.bits.discard(number) == (number in self.model)
        self.model.discard(number)

    @rule(limit=st.integers(1, 6))
    def tell(self, limit: int) -> None:
        before = set(self.told)
        segments, self.version = self.bits.since(self.version, limit)
        change = self.told.apply(segments)
        assert set(self.told) == (before | set(change.gained)) - set(change.lost)
        if self.version == self.bits.version:
            assert set(self.told) == self.model

    @invariant()
    def counts(self) -> None:
        assert self.bits.count == len(self.model)
        assert self.told.count == len(set(self.told))


TestTelling = Telling.TestCase
