"""Positions and distances."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from warren.protocols.kad.keyspace import BITS, KNOWN_PREFIX_BITS_MAX, key_near, position, shared_bits

places = st.integers(0, (1 << BITS) - 1)


def test_a_position_is_the_sha2_256_of_the_key() -> None:
    assert position(b"key").to_bytes(32) == hashlib.sha256(b"key").digest()


@given(places, places)
def test_bits_are_shared_from_the_first(one: int, other: int) -> None:
    shared = shared_bits(one, other)
    assert one >> BITS - shared == other >> BITS - shared
    assert shared == BITS or one >> BITS - 1 - shared != other >> BITS - 1 - shared


@given(places, st.integers(0, 7), st.binary(max_size=8))
def test_a_key_near_shares_exactly_the_bits_asked_for(own: int, bits: int, seed: bytes) -> None:
    assert shared_bits(own, position(key_near(own, bits, seed))) == bits


def test_a_key_that_would_take_long_to_find_is_only_as_near_as_can_be() -> None:
    assert shared_bits(0, position(key_near(0, 200, b"seed"))) == KNOWN_PREFIX_BITS_MAX - 1
