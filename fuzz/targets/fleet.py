"""Pieces of registrations in the store of a fleet, folded or not."""

from __future__ import annotations

import zlib
from dataclasses import replace

from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.errors import ProtocolViolation
from warren.protocols.directory.entries import Registered
from warren.protocols.directory.registration import Registration
from warren.services.directory.fleet.records import pack, unpack

_ENTRY = Entry("Maps/old.pdf", "file", 5, Cid.raw_sha256(bytes(32)), Metadata("Old maps", authors=("Ada",)))
_DELTA = Registration(7, 1, 9, (Registered(_ENTRY),), ("Maps/new.pdf",))
_PART = Registration(7, 0, 9, (Registered(_ENTRY),), snapshot=True, more=True)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    b"\x00d" + _DELTA.to_payload(),
    b"\x00p" + _PART.to_payload(),
    b"\x01" + pack(_DELTA),
    b"\x01" + pack(_PART),
)


def parse(data: bytes) -> Registration:
    """The first byte says whether the rest is folded already; so a fuzzer reaches what is inside."""
    piece = data[1:]
    return unpack(piece if data[:1] == b"\x01" else piece[:1] + zlib.compress(piece[1:], 1))


def verify(_data: bytes, parsed: Registration) -> None:
    assert all(one.audience == 0 for one in parsed.added)
    assert unpack(pack(parsed)) == replace(parsed, left_out=0)  # which is not told on
