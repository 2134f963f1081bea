"""Filters never deny what is in them, and travel as differences."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ProtocolViolation
from warren.core.query import Query, Term, terms_of
from warren.protocols.overlay.messages import BITS_LOG2_MAX, BITS_LOG2_MIN
from warren.services.overlay import bloom
from warren.services.overlay.bloom import (
    Bloom,
    Counted,
    Flips,
    difference,
    empty,
    flip,
    keys_of,
    probe_of,
    size_for,
    union,
)

WORDS = st.sets(st.text(alphabet="abcdefgh", min_size=1, max_size=12), max_size=40)


def filled(words: set[str], bits_log2: int = 10) -> Bloom:
    counted = Counted(bits_log2)
    for word in words:
        counted.add(word)
    return counted.snapshot()


@given(WORDS, st.integers(10, 13), st.data())
def test_what_is_in_it_is_never_denied(words: set[str], bits_log2: int, data: st.DataObject) -> None:
    one = filled(words, bits_log2)
    for word in words:
        assert one.has_word(word)
        beginning = word[: data.draw(st.integers(1, len(word)))]
        assert one.holds(probe_of(Query((Term(beginning),))))
        assert one.holds(probe_of(Query((Term(word, whole=True), Term(beginning)))))


@given(WORDS, WORDS)
def test_what_is_taken_out_is_as_if_it_had_never_been_in(words: set[str], others: set[str]) -> None:
    counted = Counted(10)
    for word in [*words, *(others - words)]:
        counted.add(word)
    for word in others - words:
        counted.remove(word)
    assert counted.snapshot() == filled(words)


@given(WORDS, st.integers(10, 16))
def test_a_smaller_one_denies_nothing_either(words: set[str], bits_log2: int) -> None:
    one = filled(words, bits_log2)
    small = one.compact()
    assert small.bits_log2 <= bits_log2
    assert all(small.has_word(word) for word in words)
    assert small.compact() == small
    assert small.bits_log2 == 10 or small.density >= bloom.SPARSE


def test_filters_of_the_size_that_own_ones_have_stay_as_they_are() -> None:
    chance = random.Random(1)
    words = {"".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(3000)}
    keys = sum(len(keys_of(word)) for word in words)
    for larger in (0, 1):
        one = filled(words, size_for(keys) + larger)
        assert one.compact() is one


def test_counters_that_are_full_stay() -> None:
    counted = Counted(10)
    for _ in range(0x10000):
        counted.add("lighthouse")
    for _ in range(0x10001):
        counted.remove("lighthouse")
    counted.remove("nothing")
    assert counted.snapshot().has_word("lighthouse")


@given(WORDS, WORDS)
def test_a_union_of_two_sizes_has_both(words: set[str], others: set[str]) -> None:
    both = union([filled(words, 10), filled(others, 12)])
    assert both.bits_log2 == 12
    assert all(both.has_word(word) for word in words | others)
    assert union([]) == empty(BITS_LOG2_MIN)


@given(WORDS, WORDS)
def test_differences_lead_there_and_back(words: set[str], others: set[str]) -> None:
    one, other = filled(words), filled(others)
    flips = difference(one, other)
    assert flip(one, flips) == other
    assert flip(other, flips) == one


def test_many_flips_are_a_bitmap_and_few_are_short() -> None:
    chance = random.Random(1)
    full = Bloom(18, chance.randbytes(1 << 15))
    flips = difference(empty(18), full)
    assert flips.form == 1
    assert flip(empty(18), flips) == full
    one = bytearray(full.bits)
    one[500] ^= 4
    few = difference(full, Bloom(18, bytes(one)))
    assert few.form == 0
    assert len(few.data) < 20
    assert flip(full, few).bits == bytes(one)


@pytest.mark.parametrize(
    "flips",
    [
        Flips(0, b"no zlib"),
        Flips(0, zlib.compress(b"\x80")),  # cut short
        Flips(0, zlib.compress(b"\xff\xff\xff\xff\xff\x01")),  # too long a number
        Flips(0, zlib.compress(b"\xff\x7f\xff\x7f")),  # beyond the filter
        Flips(0, zlib.compress(bytes(20_000))),  # more than the filter has
        Flips(0, zlib.compress(bytes(1 << 20))),  # a bomb
        Flips(1, zlib.compress(bytes(1 << 24))),
        Flips(1, zlib.compress(bytes(127))),
        Flips(1, zlib.compress(bytes(128)) + b"x"),
        Flips(1, zlib.compress(bytes(128))[:-1]),
    ],
)
def test_flips_of_something_else_are_refused(flips: Flips) -> None:
    with pytest.raises(ProtocolViolation):
        flip(empty(10), flips)


def test_more_gaps_than_are_allowed_are_refused() -> None:
    with pytest.raises(ProtocolViolation):
        flip(empty(20), Flips(0, zlib.compress(bytes(bloom.GAPS_MAX + 1))))


def test_sizes_follow_the_keys_within_bounds() -> None:
    assert size_for(0) == BITS_LOG2_MIN
    assert size_for(1000) == 15
    assert size_for(1 << 40) == BITS_LOG2_MAX


def test_short_words_alone_do_not_steer() -> None:
    assert probe_of(Query(terms_of("ab c"))) == ()
    assert len(probe_of(Query(terms_of('ab "c"')))) == 1
    assert len(probe_of(Query(terms_of("report"), author="Anna Berg", domain="botany"))) == 4
    assert empty(10).holds(())


def test_density() -> None:
    assert empty(10).density == 0
    assert Bloom(10, b"\x0f" * 128).density == 0.5
