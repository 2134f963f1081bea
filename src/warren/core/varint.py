"""Unsigned varints as multiformats defines them: little-endian base 128, at most 63 bits.

In: integers, or foreign bytes. Out: bytes, or an integer with the position after it.
Refuses encodings over 9 bytes and any that are longer than they need to be.
https://github.com/multiformats/unsigned-varint
"""

from __future__ import annotations

from typing import Final

from warren.core.errors import MisuseError, ProtocolViolation

VARINT_BYTES_MAX: Final = 9
VARINT_MAX: Final = (1 << 63) - 1

_ONE_BYTE: Final = tuple(bytes((n,)) for n in range(0x80))


def encode(n: int) -> bytes:
    """The shortest encoding of `n`, which lies in 0..2**63-1 (else `MisuseError`)."""
    if 0 <= n < 0x80:
        return _ONE_BYTE[n]
    if not 0 <= n <= VARINT_MAX:
        raise MisuseError(f"varint out of range: {n}")
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def decode(buf: bytes | bytearray | memoryview, pos: int = 0) -> tuple[int, int] | None:
    """Read one varint at `pos`: its value and the position after it, or None when more bytes are needed.

    Raises `ProtocolViolation` as soon as the bytes at hand cannot become a valid varint.
    """
    end = len(buf)
    if pos >= end:
        return None
    byte = buf[pos]
    if byte < 0x80:
        return byte, pos + 1
    value = byte & 0x7F
    shift = 7
    last = pos + VARINT_BYTES_MAX
    pos += 1
    while pos < end:
        byte = buf[pos]
        pos += 1
        if byte < 0x80:
            if byte == 0:
                raise ProtocolViolation("varint is longer than it needs to be")
            return value | byte << shift, pos
        if pos == last:
            raise ProtocolViolation(f"varint exceeds {VARINT_BYTES_MAX} bytes")
        value |= (byte & 0x7F) << shift
        shift += 7
    return None
