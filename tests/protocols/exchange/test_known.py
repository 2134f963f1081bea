"""Filters never deny what is in them, claim little else, and are small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.exchange.book import key
from warren.core.errors import ProtocolViolation
from warren.protocols.exchange.entry import Version
from warren.protocols.exchange.known import ENTRIES_MAX, FILTER_BYTES_MAX, SALT_BYTES_MAX, Known

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

PEERS = [key(number).peer_id for number in range(40)]
numbers = st.integers(0, 2**64 - 1)
items = st.lists(st.tuples(st.sampled_from(PEERS), st.builds(Version, numbers, numbers)), max_size=50)


@given(items, st.binary(max_size=SALT_BYTES_MAX))
def test_what_is_in_it_is_never_denied(some: list[tuple[PeerId, Version]], salt: bytes) -> None:
    known = Known.of(some, salt)
    again = Known(known.salt, known.bits)
    assert all(item in again for item in some)
    assert len(known.bits) <= max(2 * len(some), 64)


def test_few_others_are_claimed_and_other_ones_with_another_salt() -> None:
    some = [(PEERS[0], Version(number)) for number in range(1000)]
    others = [(PEERS[1], Version(number)) for number in range(5000)]
    filters = [Known.of(some, salt) for salt in (b"a", b"b")]
    claimed = [{item for item in others if item in known} for known in filters]
    assert all(0 < len(one) < 10 for one in claimed)
    assert not claimed[0] & claimed[1]


def test_nothing_is_in_an_empty_one() -> None:
    assert (PEERS[0], Version(1)) not in Known()
    assert (PEERS[0], Version(1)) not in Known.of([], b"salt")


def test_it_holds_so_many_and_no_more() -> None:
    some = [(PEERS[0], Version(number)) for number in range(ENTRIES_MAX + 100)]
    known = Known.of(some, b"")
    assert len(known.bits) == FILTER_BYTES_MAX
    assert all(item in known for item in some[:ENTRIES_MAX])
    assert sum(item in known for item in some[ENTRIES_MAX:]) < 5


@pytest.mark.parametrize(("salt", "bits"), [(SALT_BYTES_MAX + 1, 1), (0, FILTER_BYTES_MAX + 1)])
def test_what_is_too_large_is_refused(salt: int, bits: int) -> None:
    with pytest.raises(ProtocolViolation, match="too large"):
        Known(bytes(salt), bytes(bits))
