"""Where the peer ids lie that begin with some text: ranges of bytes, for an index to look them up in.

In:  the beginning of a peer id in either text form. Out: pairs of the lowest and the highest id that may fit;
`fits` then tells which do. Pure.

Base58 keeps the order of numbers among texts of one length, and the ids of one type of key all have one
length, so a beginning is one range for each type. All Ed25519 ids begin with `12D3KooW`, so the beginning may
also be given from what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
# What every Ed25519 peer id in base58btc begins with: the multihash header and the key type.
_COMMON_BEGINNING: Final = "12D3KooW"
_CID_HEADER: Final = b"\x01\x72"
_ID_BYTES_MAX: Final = 44


class _Shape(NamedTuple):
    """The ids of one type of key. head: what they begin with. size: bytes. chars: of the base58 text."""

    head: bytes
    size: int
    chars: int

    @property
    def low(self) -> int:
        return int.from_bytes(self.head.ljust(self.size, b"\0"))

    @property
    def high(self) -> int:
        return int.from_bytes(self.head.ljust(self.size, b"\xff"))


_SHAPES: Final = (
    _Shape(bytes.fromhex("002408011220"), 38, 52),  # Ed25519
    _Shape(bytes.fromhex("00250802122102"), 39, 53),  # secp256k1, even
    _Shape(bytes.fromhex("00250802122103"), 39, 53),  # secp256k1, odd
    _Shape(bytes.fromhex("1220"), 34, 46),  # any other, hashed
)


def ranges(text: str) -> list[tuple[bytes, bytes]]:
    """Inclusive ranges that hold every id that begins with `text`; empty where no id can."""
    if not text:
        return []
    found = [found for shape in _SHAPES for found in _in_base58(text, shape)]
    found += _in_base58(_COMMON_BEGINNING + text, _SHAPES[0])
    return found + _in_base32(text.lower())


def fits(text: str, peer: PeerId) -> bool:
    """Whether the id of `peer` begins with `text`, in either form or after what all have in common."""
    whole = str(peer)
    return whole.startswith((text, _COMMON_BEGINNING + text)) or peer.to_cid_text().startswith(text.lower())


def _in_base58(text: str, shape: _Shape) -> list[tuple[bytes, bytes]]:
    if not 0 < len(text) <= shape.chars or any(one not in _BASE58 for one in text):
        return []
    low = max(shape.low, _number(text.ljust(shape.chars, _BASE58[0])))
    high = min(shape.high, _number(text.ljust(shape.chars, _BASE58[-1])))
    return [(low.to_bytes(shape.size), high.to_bytes(shape.size))] if low <= high else []


def _number(text: str) -> int:
    number = 0
    for one in text:
        number = number * 58 + _BASE58.index(one)
    return number


def _in_base32(text: str) -> list[tuple[bytes, bytes]]:
    digits = text[1:]
    if text[:1] != "b" or any(one not in _BASE32 for one in digits):
        return []
    bits = "".join(f"{_BASE32.index(one):05b}" for one in digits)
    whole = 8 * (len(_CID_HEADER) + _ID_BYTES_MAX)
    if len(bits) > whole:
        return []
    low, high = (int(bits.ljust(whole, end), 2).to_bytes(whole // 8) for end in "01")
    skipped = len(_CID_HEADER)
    if not low[:skipped] <= _CID_HEADER <= high[:skipped]:
        return []
    if len(bits) < 8 * skipped:
        return [(b"", b"\xff" * _ID_BYTES_MAX)]
    return [(low[skipped:].rstrip(b"\0"), high[skipped:])]
