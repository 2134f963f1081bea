"""What the store keeps of a registration: pieces of it, and how far it has come.

In:  registrations of what is public; foreign bytes. Out: bytes; checked registrations. Pure. A piece is what
a peer sends to a super-peer, unsigned and compressed, with no entry that is not for everybody; a byte before
it says what it is, so that parts of a snapshot need not be taken apart until the last one is there.

Refuses, with `ProtocolViolation`: what is no compressed registration or unfolds beyond its size, and entries
that are not public.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import ProtocolViolation
from warren.protocols.directory.registration import Registration
from warren.services.directory.index.interface import PUBLIC, Position

if TYPE_CHECKING:
    from typing import Self

PIECE_BYTES_MAX: Final = 256 * 1024
"""Of a piece, unfolded; ours have 64 KiB. Attack: who can write to the store puts a few bytes there that
unfold to gigabytes."""
_DELTA: Final = b"d"
_PART: Final = b"p"
_LAST: Final = b"l"
_DIGITS: Final = 19
_RECORD: Final = re.compile(r"([0-9]{19}) ([0-9]{19}) ([0-9]{19}) ([0-9]{1,15}) ([0-9]{1,15})", re.ASCII)


class Record(NamedTuple):
    """How far a registration has come in the store.

    base: the number of its snapshot; deltas of later numbers follow it. base_bytes, log_bytes: what both
    take.
    """

    position: Position
    base: int
    base_bytes: int
    log_bytes: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """As scripts write it; None where that is nothing."""
        found = _RECORD.fullmatch(text)
        if found is None:
            return None
        epoch, seq, base, base_bytes, log_bytes = map(int, found.groups())
        return cls(Position(epoch, seq), base, base_bytes, log_bytes)

    def holds_all_after(self, position: Position | None) -> bool:
        """Whether its deltas lead on from there, without the snapshot."""
        return position is not None and position.epoch == self.position.epoch and position.seq >= self.base


def digits(number: int) -> str:
    """Of always the same length: scripts compare 63 bits as text, as their numbers have but 53."""
    return f"{number:0{_DIGITS}}"


def pack(registration: Registration) -> bytes:
    """A piece."""
    return _kind_of(registration) + zlib.compress(registration.to_payload(), 1)


def is_last(piece: bytes) -> bool | None:
    """Whether a part of a snapshot is the last one; None: it is no part, but a delta."""
    return None if piece[:1] == _DELTA else piece[:1] != _PART


def unpack(piece: bytes) -> Registration:
    """A piece read again. Raises `ProtocolViolation`."""
    unfolding = zlib.decompressobj()
    try:
        payload = unfolding.decompress(piece[1:], PIECE_BYTES_MAX)
    except zlib.error as error:
        raise ProtocolViolation("the store holds a piece that cannot be unfolded") from error
    if not unfolding.eof:
        raise ProtocolViolation("the store holds a piece that is cut off, or over its size")
    registration = Registration.from_payload(payload)
    if piece[:1] != _kind_of(registration):
        raise ProtocolViolation("the store holds a piece that is not what it says")
    if any(one.audience != PUBLIC for one in registration.added):
        raise ProtocolViolation("the store holds entries that are not for everybody")
    return registration


def _kind_of(registration: Registration) -> bytes:
    if not registration.snapshot:
        return _DELTA
    return _PART if registration.more else _LAST
