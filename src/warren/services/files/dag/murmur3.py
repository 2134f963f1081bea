"""MurmurHash3 x64, the first 64 of its 128 bits, seed 0: where a name lies in a sharded folder.

In: bytes. Out: 8 bytes, big-endian, of which each level of a folder uses the next. It is no cryptographic
hash: whoever chooses names can make them collide.
https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
"""

from __future__ import annotations

from typing import Final

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F


def murmur3_x64_64(data: bytes) -> bytes:
    """The hash of `data`, 8 bytes."""
    h1 = h2 = 0
    length = len(data)
    whole = length & ~15
    for pos in range(0, whole, 16):
        h1 ^= _mix(int.from_bytes(data[pos : pos + 8], "little"), _C1, 31, _C2)
        h1 = (_rotate(h1, 27) + h2) * 5 + 0x52DCE729 & _MASK
        h2 ^= _mix(int.from_bytes(data[pos + 8 : pos + 16], "little"), _C2, 33, _C1)
        h2 = (_rotate(h2, 31) + h1) * 5 + 0x38495AB5 & _MASK
    tail = data[whole:]
    h2 ^= _mix(int.from_bytes(tail[8:], "little"), _C2, 33, _C1)
    h1 ^= _mix(int.from_bytes(tail[:8], "little"), _C1, 31, _C2)
    h1 ^= length
    h2 ^= length
    h1 = h1 + h2 & _MASK
    h2 = h1 + h2 & _MASK
    return (_finish(h1) + _finish(h2) & _MASK).to_bytes(8)


def _mix(k: int, first: int, turn: int, second: int) -> int:
    return _rotate(k * first & _MASK, turn) * second & _MASK


def _rotate(n: int, turn: int) -> int:
    return (n << turn | n >> 64 - turn) & _MASK


def _finish(n: int) -> int:
    n = (n ^ n >> 33) * 0xFF51AFD7ED558CCD & _MASK
    n = (n ^ n >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return n ^ n >> 33
