"""Pieces of registrations, and records of how far they have come."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.directory.naive_index import listed
from warren.core.errors import ProtocolViolation
from warren.protocols.directory.entries import Registered
from warren.protocols.directory.registration import Registration
from warren.services.directory.fleet.records import PIECE_BYTES_MAX, Record, digits, is_last, pack, unpack
from warren.services.directory.index.interface import Position

NUMBERS = st.integers(0, (1 << 63) - 1)
ENTRY = Registered(listed("S/report.txt").entry)
DELTA = Registration(1, 2, 3, (ENTRY,), ("S/gone.txt",))


@pytest.mark.parametrize(
    ("registration", "last"),
    [
        (DELTA, None),
        (Registration(1, 0, 3, (ENTRY,), snapshot=True, more=True), False),
        (Registration(1, 0, 3, snapshot=True), True),
    ],
)
def test_a_piece_is_read_as_it_was_packed(registration: Registration, last: bool | None) -> None:
    piece = pack(registration)
    assert unpack(piece) == registration
    assert is_last(piece) is last


@pytest.mark.parametrize(
    "piece",
    [
        b"",
        b"d",
        b"dnonsense",
        pack(DELTA)[:-1],
        b"l" + pack(DELTA)[1:],
        b"d" + zlib.compress(b"\xff" * 40),
        b"d" + zlib.compress(bytes(PIECE_BYTES_MAX + 1)),
        pack(Registration(1, 2, 3, (Registered(ENTRY.entry, 1),))),
    ],
)
def test_what_is_no_piece_is_refused(piece: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        unpack(piece)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_piece_or_refused(raw: bytes, folded: bool) -> None:
    piece = raw[:1] + zlib.compress(raw[1:]) if folded else raw
    with contextlib.suppress(ProtocolViolation):
        assert isinstance(unpack(piece), Registration)


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_record_is_read_as_scripts_write_it(epoch: int, seq: int, base: int, size: int, log: int) -> None:
    text = f"{digits(epoch)} {digits(seq)} {digits(base)} {size} {log}"
    assert Record.parse(text) == Record(Position(epoch, seq), base, size, log)


@given(NUMBERS, NUMBERS)
def test_texts_of_numbers_compare_as_they_do(one: int, other: int) -> None:
    assert (digits(one) < digits(other)) == (one < other)


@given(st.text())
def test_any_text_is_a_record_or_nothing(text: str) -> None:
    assert Record.parse(text) is None


def test_deltas_lead_on_from_the_snapshot_on() -> None:
    record = Record(Position(2, 9), 5, 0, 0)
    assert record.holds_all_after(Position(2, 5))
    assert record.holds_all_after(Position(2, 9))
    for position in (None, Position(2, 4), Position(1, 7), Position(3, 5)):
        assert not record.holds_all_after(position)
