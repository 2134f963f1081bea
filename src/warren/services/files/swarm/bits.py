"""Which leaves of a root somebody has: a bitmap that says what changed in it since it was told last. Pure.

In:  numbers of leaves, in the order in which a walk of the graph meets them; or the segments that another one
told. Out: which are there, how many, and the segments that are newer than a version. Each change makes a new
version, so whoever knows an older one is told of the segments alone that changed since.

Refuses (`ProtocolViolation`) segments of another size, and those beyond the limit.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import ProtocolViolation
from warren.protocols.swarm.messages import (
    LEAVES_MAX,
    SEGMENT_BYTES,
    SEGMENT_LEAVES,
    SEGMENTS_MAX,
    Segment,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PLACES_MAX: Final = LEAVES_MAX // SEGMENT_LEAVES
_EMPTY: Final = bytes(SEGMENT_BYTES)
_NUMBERS: Final = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


class Change(NamedTuple):
    """What a telling changed: the numbers that are there now, and those that no longer are."""

    gained: Sequence[int]
    lost: Sequence[int]


class Bits:
    """See the module's header. version: how many changes there were; 0: none, nothing is there."""

    __slots__ = ("_data", "_versions", "count", "version")

    def __init__(self) -> None:
        self._data = bytearray()
        self._versions = array("Q")
        self.count = 0
        self.version = 0

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self._data) + 8 * len(self._versions)

    def __contains__(self, number: int) -> bool:
        at = number >> 3
        return at < len(self._data) and bool(self._data[at] >> (number & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        """The numbers that are there, in order."""
        for at, byte in enumerate(self._data):
            for bit in _NUMBERS[byte]:
                yield at * 8 + bit

    def add(self, number: int) -> bool:
        """It is there; whether that is new."""
        if number in self:
            return False
        segment = number // SEGMENT_LEAVES
        self._grow(segment)
        self._data[number >> 3] |= 1 << (number & 7)
        self.count += 1
        self._touch(segment)
        return True

    def discard(self, number: int) -> bool:
        """It is not there any more; whether it was."""
        if number not in self:
            return False
        self._data[number >> 3] &= ~(1 << (number & 7))
        self.count -= 1
        self._touch(number // SEGMENT_LEAVES)
        return True

    def since(self, version: int, limit: int = SEGMENTS_MAX) -> tuple[list[Segment], int]:
        """The segments that changed after that version, oldest change first, `limit` at most; and which
        version whoever takes them knows then. What lies beyond `LEAVES_MAX` is not told.
        """
        told = self._versions[:_PLACES_MAX]
        changed = sorted((changed, index) for index, changed in enumerate(told) if changed > version)
        if len(changed) > limit:
            changed = changed[:limit]
            reached = changed[-1][0]
        else:
            reached = self.version
        return [Segment(index, self._segment(index)) for _, index in changed], reached

    def apply(self, segments: Iterable[Segment]) -> Change:
        """Take in what another one told, each segment once. Raises `ProtocolViolation`; what came before it
        stays then.
        """
        gained: list[int] = []
        lost: list[int] = []
        for index, data in segments:
            if not 0 <= index < _PLACES_MAX or len(data) != SEGMENT_BYTES:
                raise ProtocolViolation("a segment of leaves beyond the limit, or of another size")
            self._put(index, data, gained, lost)
        return Change(gained, lost)

    def replace(self, segments: Sequence[Segment]) -> Change:
        """As `apply`, where what is in none of the segments is there no more."""
        told = {at for at, _ in segments}
        stale = [Segment(at, _EMPTY) for at in range(len(self._versions)) if at not in told]
        return self.apply([*segments, *stale])

    def clear(self) -> None:
        """Nothing is there any more; its memory is free. Whoever knew it has to be told anew."""
        self._data.clear()
        self._versions = array("Q")
        self.count = 0

    def to_bytes(self) -> bytes:
        """The map alone, without its versions; as long as it needs to be."""
        return bytes(self._data).rstrip(b"\0")

    @classmethod
    def from_bytes(cls, data: bytes) -> Bits:
        """The opposite of `to_bytes`; all of it is new. Any bytes are a map: whoever keeps it checks it."""
        bits = cls()
        bits._data += data + bytes(-len(data) % SEGMENT_BYTES)
        for index in range(len(bits._data) // SEGMENT_BYTES):
            bits._versions.append(0)
            if bits._segment(index) != _EMPTY:
                bits._touch(index)
        bits.count = int.from_bytes(data).bit_count()
        return bits

    def _segment(self, index: int) -> bytes:
        return bytes(self._data[index * SEGMENT_BYTES : (index + 1) * SEGMENT_BYTES])

    def _put(self, index: int, data: bytes, gained: list[int], lost: list[int]) -> None:
        if index >= len(self._versions) and data == _EMPTY:
            return
        self._grow(index)
        old, start = self._segment(index), index * SEGMENT_BYTES
        if old == data:
            return
        for at, (before, now) in enumerate(zip(old, data, strict=True)):
            first = (start + at) * 8
            gained += [first + bit for bit in _NUMBERS[now & ~before]]
            lost += [first + bit for bit in _NUMBERS[before & ~now]]
        self.count += int.from_bytes(data).bit_count() - int.from_bytes(old).bit_count()
        self._data[start : start + SEGMENT_BYTES] = data
        self._touch(index)

    def _grow(self, index: int) -> None:
        missing = index + 1 - len(self._versions)
        if missing > 0:
            self._data += bytes(missing * SEGMENT_BYTES)
            self._versions.extend([0] * missing)

    def _touch(self, index: int) -> None:
        self.version += 1
        self._versions[index] = self.version
