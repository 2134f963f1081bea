"""Entries: what is claimed, what is checked, and what counts as newer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.exchange.book import ADDRESS, WALL_MS, entry, key
from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.core.peer_metadata import SEALED_BYTES_MAX
from warren.core.peer_record import DOMAIN, PAYLOAD_TYPE, PeerRecord
from warren.protocols.exchange.entry import AGE_MAX_S, RECORD_BYTES_MAX, Entry, Version, check, read_claim

ALICE, BOB = key(1), key(2)
versions = st.builds(Version, st.integers(0, 9), st.integers(0, 9))


@given(versions, versions)
def test_joining_leaves_no_news(one: Version, other: Version) -> None:
    joined = one.joined(other)
    assert joined == other.joined(one)
    assert not one.has_news_for(joined)
    assert not other.has_news_for(joined)
    assert one.has_news_for(other) == (joined != other)


@pytest.mark.parametrize(
    ("number", "recent"),
    [
        (WALL_MS, True),
        (WALL_MS - int(AGE_MAX_S * 1000), True),
        (WALL_MS - int(AGE_MAX_S * 1000) - 1, False),
        (WALL_MS + 3_600_000, True),
        (WALL_MS + 2 * 86_400_000, False),
        (7, False),
        (0, False),
        (WALL_MS * 1_000_000, False),
    ],
)
def test_the_age_is_read_from_the_number(number: int, recent: bool) -> None:
    assert Version(record=number).is_recent(WALL_MS / 1000) is recent
    assert Version(metadata=number).is_recent(WALL_MS / 1000) is recent


def test_a_claim_is_what_stands_there_and_what_holds_is_what_was_claimed() -> None:
    whole = entry(ALICE, 5, 7)
    assert read_claim(whole) == (ALICE.peer_id, Version(5, 7))
    assert check(whole, Version()) == (ALICE.peer_id, Version(5, 7), whole)


@pytest.mark.parametrize(
    ("known", "left"), [(Version(5, 6), (0, 7)), (Version(4, 7), (5, 0)), (Version(4, 8), (5, 0))]
)
def test_only_what_is_newer_is_checked_and_kept(known: Version, left: tuple[int, int]) -> None:
    found = check(entry(ALICE, 5, 7), known)
    assert found == (ALICE.peer_id, Version(*left), entry(ALICE, *left))
    assert check(entry(ALICE, 5, 7), Version(5, 7)) is None


def test_a_half_that_is_known_is_not_looked_at() -> None:
    forged = replace(entry(ALICE, 5, 7), record=_forged())
    found = check(forged, Version(9, 0))
    assert found is not None
    assert found.entry == entry(ALICE, 0, 7)
    with pytest.raises(ProtocolViolation):
        check(forged, Version())


def _forged() -> bytes:
    """Bob's signature under a record of Alice."""
    payload = SignedEnvelope.open(PeerRecord(ALICE.peer_id, 8, (ADDRESS,)).seal(ALICE), DOMAIN).payload
    return SignedEnvelope.seal(BOB, DOMAIN, PAYLOAD_TYPE, payload).to_bytes()


def _damaged(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


@pytest.mark.parametrize(
    "bad",
    [
        Entry(),
        Entry(b"\xff"),
        Entry(_forged()),
        Entry(_damaged(entry(ALICE, 5).record)),
        Entry(b"", _damaged(entry(ALICE, 0, 5).metadata)),
        Entry(b"", entry(ALICE, 5).record),
        Entry(entry(ALICE, 5).record, entry(BOB, 0, 5).metadata),
        Entry(bytes(RECORD_BYTES_MAX + 1)),
        Entry(b"", bytes(SEALED_BYTES_MAX + 1)),
    ],
)
def test_what_is_not_an_entry_is_refused(bad: Entry) -> None:
    with pytest.raises(ProtocolViolation):
        check(bad, Version())
