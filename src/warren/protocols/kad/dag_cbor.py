"""DAG-CBOR: the one strict form of CBOR in which signed data of IPFS is written.

In:  plain values, or foreign bytes. Out: the other form; what `decode` takes, `encode` gives back, byte for
byte. Values are None, bool, int, float, bytes, str, list, dict with str keys, and `Link`.
https://ipld.io/specs/codecs/dag-cbor/spec/

Refuses everything that has another, canonical form: numbers longer than needed, lengths not told, keys out
of order or twice, short floats, NaN and infinities, text that is not UTF-8, tags but 42; and bytes after the
end.
Our own, because a library that takes all of CBOR takes what signatures over it must not leave open.
"""

from __future__ import annotations

import math
import struct
from typing import Final, NamedTuple, TypeAlias

from warren.core.errors import MisuseError, ProtocolViolation

# Attack: nested lists that exhaust the stack.
DEPTH_MAX: Final = 32

Value: TypeAlias = "bool | int | float | bytes | str | list[Value] | dict[str, Value] | Link | None"

_UINT, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG = range(7)
_LINK_TAG: Final = 42
_SIMPLE: Final[dict[int, bool | None]] = {0xF4: False, 0xF5: True, 0xF6: None}
_DOUBLE: Final = 0xFB


class Link(NamedTuple):
    """A content id in binary."""

    cid: bytes


def decode(data: bytes) -> Value:
    """Read one value, which is all of `data`. Raises `ProtocolViolation`."""
    reader = _Reader(data)
    value = reader.value(DEPTH_MAX)
    if reader.pos != len(data):
        raise ProtocolViolation("DAG-CBOR goes on after its value")
    return value


def encode(value: Value) -> bytes:
    """The one form of `value`. Raises `MisuseError` for what has none."""
    match value:
        case None | bool():
            return b"\xf6" if value is None else b"\xf5" if value else b"\xf4"
        case int():
            return _head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case float():
            if not math.isfinite(value):
                raise MisuseError("DAG-CBOR holds finite numbers only")
            return struct.pack(">Bd", _DOUBLE, value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            raw = value.encode()
            return _head(_TEXT, len(raw)) + raw
        case Link(cid):
            return _head(_TAG, _LINK_TAG) + encode(b"\0" + cid)
        case list():
            return _head(_LIST, len(value)) + b"".join(map(encode, value))
        case dict():
            pairs = sorted((_order(key.encode()), encode(one)) for key, one in value.items())
            body = b"".join(_head(_TEXT, size) + key + one for (size, key), one in pairs)
            return _head(_MAP, len(value)) + body


def _order(key: bytes) -> tuple[int, bytes]:
    """Keys stand by their length, then by their bytes."""
    return len(key), key


def _head(major: int, n: int) -> bytes:
    first = major << 5
    if n < 24:
        return bytes((first | n,))
    for more, size in enumerate((1, 2, 4, 8)):
        if n < 1 << 8 * size:
            return bytes((first | 24 + more,)) + n.to_bytes(size, "big")
    raise MisuseError("DAG-CBOR holds integers of 64 bits at most")


class _Reader:
    __slots__ = ("_data", "pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.pos = 0

    def value(self, depth: int) -> Value:
        if depth == 0:
            raise ProtocolViolation(f"DAG-CBOR is nested over {DEPTH_MAX} deep")
        first = self._take(1)[0]
        if first >> 5 == 7:
            return self._simple(first)
        n = self._number(first & 31)
        match first >> 5:
            case 0:
                return n
            case 1:
                return -1 - n
            case 2:
                return self._take(n)
            case 3:
                return self._text(n)
            case 4:
                self._check_room(n)
                return [self.value(depth - 1) for _ in range(n)]
            case 5:
                self._check_room(2 * n)
                return self._map(n, depth - 1)
            case _:
                return self._link(n)

    def _take(self, n: int) -> bytes:
        self._check_room(n)
        self.pos += n
        return self._data[self.pos - n : self.pos]

    def _check_room(self, n: int) -> None:
        """Each value takes a byte at least, so a count is held against what is left, too."""
        if n > len(self._data) - self.pos:
            raise ProtocolViolation("DAG-CBOR is cut short")

    def _number(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise ProtocolViolation("DAG-CBOR tells each length")
        size = 1 << info - 24
        n = int.from_bytes(self._take(size), "big")
        if n < 24 or (size > 1 and n < 1 << 4 * size):
            raise ProtocolViolation("DAG-CBOR holds a number longer than it needs to be")
        return n

    def _simple(self, first: int) -> Value:
        if first in _SIMPLE:
            return _SIMPLE[first]
        if first != _DOUBLE:
            raise ProtocolViolation(f"DAG-CBOR has no value that begins with 0x{first:02x}")
        number: float = struct.unpack(">d", self._take(8))[0]
        if not math.isfinite(number):
            raise ProtocolViolation("DAG-CBOR holds finite numbers only")
        return number

    def _text(self, n: int) -> str:
        try:
            return self._take(n).decode()
        except UnicodeDecodeError as error:
            raise ProtocolViolation("text in DAG-CBOR is UTF-8") from error

    def _map(self, n: int, depth: int) -> Value:
        found: dict[str, Value] = {}
        last = (-1, b"")
        for _ in range(n):
            first = self._take(1)[0]
            if first >> 5 != _TEXT:
                raise ProtocolViolation("keys of DAG-CBOR are text")
            key = self._text(self._number(first & 31))
            order = _order(key.encode())
            if order <= last:
                raise ProtocolViolation("keys of DAG-CBOR stand in order, each once")
            last = order
            found[key] = self.value(depth)
        return found

    def _link(self, tag: int) -> Link:
        first = self._take(1)[0]
        raw = self._take(self._number(first & 31)) if tag == _LINK_TAG and first >> 5 == _BYTES else b""
        if raw[:1] != b"\0":
            raise ProtocolViolation("DAG-CBOR has one tag, 42, on a content id")
        return Link(raw[1:])
