"""Filters of words: what is not in them is not there, what is in them may be. Pure.

In:  words; filters of others as bytes. Out: filters, their differences, whether words may be in one.

Each word goes in whole and by some of its beginnings, because searches ask for beginnings. A key takes four
positions, each a hash cut to the size of the filter, which is a power of two: so a small filter repeated is
the same filter at a larger size, and filters of several sizes make one union. They are sized sparse, that
the union of a neighbour's neighbours still tells something; on the wire that costs little, for it compresses.
B. Bloom, Space/time trade-offs in hash coding, 1970; M. Mitzenmacher, Compressed Bloom filters, 2001.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import ProtocolViolation
from warren.core.words import words
from warren.protocols.overlay.messages import BITS_LOG2_MAX, BITS_LOG2_MIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warren.core.query import Query

PREFIX_CHARS: Final = (3, 5, 7)
"""A search for a beginning is steered by the longest of these that it has. Shorter ones are in most nodes."""
BITS_PER_KEY: Final = 32
FULL: Final = 0.55
"""A filter with more of its bits set says too little to steer by."""
GAPS_MAX: Final = 16_384
"""Positions told one by one; more are told as a bitmap, which is quicker to read."""
SPARSE: Final = 1 / 64
"""Nobody needs a filter of which fewer bits are set: own ones are made smaller before (`OwnWords.outgrown`),
unless most of their words begin alike. Attack: a megabyte of nothing, told in nine bytes, that costs
milliseconds for each neighbour."""
_HASHES: Final = 4
_COUNT_MAX: Final = 0xFFFF
_FORM_GAPS, _FORM_BITMAP = 0, 1


def keys_of(word: str) -> list[str]:
    """What a word is found under."""
    return [f"={word}", *(f"^{word[:chars]}" for chars in PREFIX_CHARS if len(word) >= chars)]


@lru_cache(maxsize=1024)
def probe_of(query: Query) -> tuple[tuple[int, ...], ...]:
    """The hashes of all that must be in a filter for the query to find anything; empty: anything may do."""
    keys = []
    terms = [(term.word, term.whole) for term in query.terms]
    terms += [(word, False) for text in (query.author, query.domain) for word in words(text)]
    for word, whole in terms:
        chars = max((one for one in PREFIX_CHARS if one <= len(word)), default=0)
        if whole:
            keys.append(f"={word}")
        elif chars:
            keys.append(f"^{word[:chars]}")
    return tuple(_hashes(key) for key in dict.fromkeys(keys))


def size_for(keys: int) -> int:
    """The size of a filter for so many keys, as a power of two."""
    return min(max((max(keys, 1) * BITS_PER_KEY - 1).bit_length(), BITS_LOG2_MIN), BITS_LOG2_MAX)


class Bloom(NamedTuple):
    """A filter as it is at some moment. bits: the lowest bit of the first byte is position 0."""

    bits_log2: int
    bits: bytes

    def holds(self, probe: tuple[tuple[int, ...], ...]) -> bool:
        """Whether all keys of the probe may be in it."""
        bits, mask = self.bits, (1 << self.bits_log2) - 1
        for hashes in probe:
            for one in hashes:
                at = one & mask
                if not bits[at >> 3] >> (at & 7) & 1:
                    return False
        return True

    def has_word(self, word: str) -> bool:
        """Whether this very word may be in it."""
        return self.holds((_hashes(f"={word}"),))

    @property
    def density(self) -> float:
        """The share of bits that are set."""
        return int.from_bytes(self.bits, "little").bit_count() / (1 << self.bits_log2)

    def compact(self) -> Bloom:
        """The same as small as it may be without saying much less."""
        size, bits = self.bits_log2, int.from_bytes(self.bits, "little")
        while size > BITS_LOG2_MIN and bits.bit_count() < SPARSE * (1 << size):
            size -= 1
            bits = bits >> (1 << size) | bits & (1 << (1 << size)) - 1
        return Bloom(size, bits.to_bytes(1 << size >> 3, "little")) if size < self.bits_log2 else self


def empty(bits_log2: int) -> Bloom:
    """A filter with nothing in it."""
    return Bloom(bits_log2, bytes(1 << bits_log2 >> 3))


def union(filters: Iterable[Bloom]) -> Bloom:
    """What is in any of them."""
    size, bits = BITS_LOG2_MIN, 0
    for one in sorted(filters):
        if one.bits_log2 > size:
            repeated = bits.to_bytes(1 << size >> 3, "little") * (1 << one.bits_log2 - size)
            size, bits = one.bits_log2, int.from_bytes(repeated, "little")
        bits |= int.from_bytes(one.bits, "little")
    return Bloom(size, bits.to_bytes(1 << size >> 3, "little"))


class Flips(NamedTuple):
    """Which bits differ, compressed. See proto/overlay.proto."""

    form: int
    data: bytes


@lru_cache(maxsize=8)
def difference(old: Bloom, new: Bloom) -> Flips:
    """What turns one filter into another of the same size, or the other way. Neighbours get the same ones."""
    flipped = int.from_bytes(old.bits, "little") ^ int.from_bytes(new.bits, "little")
    raw = flipped.to_bytes(len(new.bits), "little")
    bitmap = Flips(_FORM_BITMAP, zlib.compress(raw, 6))
    if flipped.bit_count() > GAPS_MAX:
        return bitmap
    gaps = Flips(_FORM_GAPS, zlib.compress(_gaps(raw), 6))
    return min(gaps, bitmap, key=lambda one: len(one.data))


def flip(old: Bloom, flips: Flips) -> Bloom:
    """The other filter. Raises `ProtocolViolation` for flips that cannot be of one of this size."""
    size = len(old.bits)
    if flips.form == _FORM_BITMAP:
        raw = _decompress(flips.data, size)
        if len(raw) != size:
            raise ProtocolViolation(f"overlay: a bitmap of {len(raw)} bytes for a filter of {size}")
    else:
        raw = _positions(_decompress(flips.data, GAPS_MAX * 4), size)
    bits = int.from_bytes(old.bits, "little") ^ int.from_bytes(raw, "little")
    return Bloom(old.bits_log2, bits.to_bytes(size, "little"))


class Counted:
    """A filter that words can be taken out of again. Takes two bytes a bit."""

    def __init__(self, bits_log2: int) -> None:
        self.bits_log2 = bits_log2
        self._counts = array("H", bytes(2 << bits_log2))
        self._bits = bytearray(1 << bits_log2 >> 3)

    def add(self, word: str) -> None:
        """Put in a word that is not in it."""
        for at in self._places(word):
            count = self._counts[at]
            if not count:
                self._bits[at >> 3] |= 1 << (at & 7)
            self._counts[at] = min(count + 1, _COUNT_MAX)

    def remove(self, word: str) -> None:
        """Take out a word that is in it. What was counted to the end stays."""
        for at in self._places(word):
            count = self._counts[at]
            if count == 1:
                self._bits[at >> 3] &= ~(1 << (at & 7))
            if 0 < count < _COUNT_MAX:
                self._counts[at] = count - 1

    def snapshot(self) -> Bloom:
        """The filter as it is now."""
        return Bloom(self.bits_log2, bytes(self._bits))

    def _places(self, word: str) -> Iterator[int]:
        mask = (1 << self.bits_log2) - 1
        return (one & mask for key in keys_of(word) for one in _hashes(key))


@lru_cache(maxsize=65_536)
def _hashes(key: str) -> tuple[int, ...]:
    digest = hashlib.blake2b(key.encode(), digest_size=4 * _HASHES).digest()
    return tuple(int.from_bytes(digest[at : at + 4], "little") for at in range(0, 4 * _HASHES, 4))


def _gaps(raw: bytes) -> bytes:
    out = bytearray()
    last = -1
    for at, byte in enumerate(raw):
        while byte:
            place = at * 8 + (byte & -byte).bit_length() - 1
            gap, last = place - last - 1, place
            while gap > 0x7F:
                out.append(gap & 0x7F | 0x80)
                gap >>= 7
            out.append(gap)
            byte &= byte - 1
    return bytes(out)


def _positions(gaps: bytes, size: int) -> bytes:
    """The bitmap of positions that are told by the gaps between them."""
    raw = bytearray(size)
    place, gap, shift, count = -1, 0, 0, 0
    for byte in gaps:
        gap |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80 and shift < 28:
            continue
        place += gap + 1
        count += 1
        if place >= size * 8 or count > GAPS_MAX or byte & 0x80:
            raise ProtocolViolation("overlay: flips that are not of this filter")
        raw[place >> 3] |= 1 << (place & 7)
        gap = shift = 0
    if shift:
        raise ProtocolViolation("overlay: flips that are cut short")
    return bytes(raw)


def _decompress(data: bytes, most: int) -> bytes:
    """Raises `ProtocolViolation` before more than `most` bytes are made."""
    reader = zlib.decompressobj()
    try:
        out = reader.decompress(data, most + 1)
    except zlib.error as error:
        raise ProtocolViolation("overlay: a summary that is not compressed as it should be") from error
    if len(out) > most or not reader.eof or reader.unused_data:
        raise ProtocolViolation("overlay: a summary of another length than it should have")
    return out
