"""Varints: what decodes is the only encoding of its value."""

from __future__ import annotations

from warren.core import varint
from warren.core.errors import ProtocolViolation

DOCUMENTED = (ProtocolViolation,)
SEEDS = (b"\x00", b"\xac\x02", b"\xff" * 8 + b"\x7f", b"\x80\x00", b"\xff" * 10)


def parse(data: bytes) -> tuple[int, int] | None:
    return varint.decode(data)


def verify(data: bytes, found: tuple[int, int] | None) -> None:
    if found is None:
        assert len(data) < varint.VARINT_BYTES_MAX
    else:
        assert varint.encode(found[0]) == data[: found[1]]
