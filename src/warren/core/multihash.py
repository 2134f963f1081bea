"""Multihashes: a hash function's code, the digest's length, the digest.

In: digests, or foreign bytes. Out: bytes, or a code with its digest. Refuses trailing bytes, digests
over 128 bytes, and digests of a known function that are not of its length.
https://github.com/multiformats/multihash
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from warren.core import varint
from warren.core.errors import InputError, ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable

IDENTITY: Final = 0x00
SHA2_256: Final = 0x12
SHA2_512: Final = 0x13

DIGEST_BYTES_MAX: Final = 128

_SHA2_256_PREFIX: Final = bytes((SHA2_256, 32))
_HASHES: Final[dict[int, tuple[int, Callable[[Any], Any]]]] = {
    SHA2_256: (32, hashlib.sha256),
    SHA2_512: (64, hashlib.sha512),
}


def encode(code: int, digest: bytes) -> bytes:
    """The multihash of a digest that was computed elsewhere."""
    return varint.encode(code) + varint.encode(len(digest)) + digest


def sha2_256(data: bytes | bytearray | memoryview) -> bytes:
    """The SHA2-256 multihash of `data`."""
    return _SHA2_256_PREFIX + hashlib.sha256(data).digest()


def decode(raw: bytes) -> tuple[int, bytes]:
    """Split a multihash into code and digest. Raises `InputError`."""
    if len(raw) == 34 and raw[:2] == _SHA2_256_PREFIX:
        return SHA2_256, raw[2:]
    try:
        head = varint.decode(raw)
        size = varint.decode(raw, head[1]) if head else None
    except ProtocolViolation as error:
        raise InputError(f"malformed multihash: {error}") from error
    if head is None or size is None:
        raise InputError("multihash is cut short")
    (code, _), (length, start) = head, size
    if length != len(raw) - start or length > DIGEST_BYTES_MAX:
        raise InputError(f"multihash announces {length} bytes of digest, carries {len(raw) - start}")
    if code in _HASHES and length != _HASHES[code][0]:
        raise InputError(f"a digest of hash 0x{code:x} has {_HASHES[code][0]} bytes, not {length}")
    return code, raw[start:]


def matches(raw: bytes, data: bytes | bytearray | memoryview) -> bool:
    """Whether `data` hashes to the multihash `raw`. Raises `InputError` for a hash we cannot compute."""
    code, digest = decode(raw)
    if code == IDENTITY:
        return digest == data
    if code not in _HASHES:
        raise InputError(f"cannot compute hash 0x{code:x}")
    return bool(_HASHES[code][1](data).digest() == digest)
