"""Content ids: what content is, by its hash.

In: digests we computed, text from people, foreign bytes. Out: the same again, and whether data fits. Refuses
versions other than 0 and 1, malformed multihashes, version 0 in any form but its one (dag-pb, SHA2-256), and
text in unknown bases.
https://github.com/multiformats/cid
"""

from __future__ import annotations

from functools import total_ordering
from typing import Final, Self

from warren.core import multibase, multihash, varint
from warren.core.errors import InputError, InvalidCid, ProtocolViolation

RAW: Final = 0x55
DAG_PB: Final = 0x70
LIBP2P_KEY: Final = 0x72

_CURE: Final = "copy it whole; warren ls --long shows those of files"

_SHA2_256_PREFIX: Final = bytes((multihash.SHA2_256, 32))
_USUAL: Final = frozenset(bytes((1, codec)) + _SHA2_256_PREFIX for codec in (RAW, DAG_PB, LIBP2P_KEY))
"""How those begin of which nothing is left to be checked: a million of them come with an index."""
_new: Final = object.__new__


@total_ordering
class Cid:
    """One content id. Immutable, hashable, ordered by its bytes.

    `Cid(version, codec, hash)` takes the binary multihash and raises `InvalidCid`.
    """

    __slots__ = ("_raw",)

    _raw: bytes
    """All of it; the rest is read from there, as hardly anyone asks."""

    def __init__(self, version: int, codec: int, hash_: bytes) -> None:
        if version == 0:
            if codec != DAG_PB or hash_[:2] != _SHA2_256_PREFIX:
                raise InvalidCid("version 0 is dag-pb under SHA2-256 only", hint=_CURE)
        elif version != 1:
            raise InvalidCid(f"unknown version {version}", hint=_CURE)
        _check_multihash(hash_)
        self._raw = b"\x01" + varint.encode(codec) + hash_ if version else hash_

    @classmethod
    def raw_sha256(cls, digest: bytes) -> Self:
        """Version 1, raw bytes, by their 32-byte SHA2-256 digest."""
        return cls(1, RAW, _SHA2_256_PREFIX + digest)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read the binary form, all of it. Raises `InvalidCid`."""
        if len(raw) == 36 and raw[:4] in _USUAL:
            self = _new(cls)
            self._raw = raw
            return self
        if len(raw) == 34 and raw[:2] == _SHA2_256_PREFIX:
            return cls(0, DAG_PB, raw)
        if raw[:1] != b"\x01":
            raise InvalidCid("not a content id of version 0 or 1", hint=_CURE)
        try:
            codec = varint.decode(raw, 1)
        except ProtocolViolation as error:
            raise InvalidCid(f"malformed codec: {error}", hint=_CURE) from error
        if codec is None:
            raise InvalidCid("content id is cut short", hint=_CURE)
        return cls(1, codec[0], raw[codec[1] :])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form: `Qm...`, or version 1 in base 32, 36, 58 or URL-safe 64.

        Raises `InvalidCid`.
        """
        try:
            if len(text) == 46 and text.startswith("Qm"):
                return cls(0, DAG_PB, multibase.base58btc_decode(text))
            raw = multibase.decode(text)
        except InvalidCid:
            raise
        except InputError as error:
            raise InvalidCid(f"not a content id: {error}", hint=_CURE) from error
        if raw[:1] != b"\x01":
            raise InvalidCid("not a content id: a multibase prefix calls for version 1", hint=_CURE)
        return cls.from_bytes(raw)

    @property
    def version(self) -> int:
        """0 or 1."""
        return int(self._raw[0] == 1)

    @property
    def codec(self) -> int:
        """What the content is: `RAW`, `DAG_PB`, or another number of the table of multicodecs."""
        return self._parts()[0]

    @property
    def multihash(self) -> bytes:
        """The hash, with what kind it is and how long."""
        return self._parts()[1]

    def _parts(self) -> tuple[int, bytes]:
        if not self.version:
            return DAG_PB, self._raw
        codec, start = varint.decode(self._raw, 1) or (0, 0)
        return codec, self._raw[start:]

    @property
    def digest(self) -> bytes:
        """The hash alone."""
        return multihash.decode(self.multihash)[1]

    def verify(self, data: bytes | bytearray | memoryview) -> bool:
        """Whether `data` is the content named. Raises `InvalidCid` for a hash we cannot compute."""
        try:
            return multihash.matches(self.multihash, data)
        except InputError as error:
            raise InvalidCid(f"cannot verify {self}: {error}") from error

    def to_bytes(self) -> bytes:
        """The binary form."""
        return self._raw

    def __str__(self) -> str:
        if self.version == 0:
            return multibase.base58btc_encode(self._raw)
        return "b" + multibase.base32_encode(self._raw)

    def __repr__(self) -> str:
        return f"Cid({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Cid) and self._raw == other._raw)

    def __hash__(self) -> int:
        return hash(self._raw)

    def __lt__(self, other: Cid) -> bool:
        return self._raw < other._raw


def _check_multihash(raw: bytes) -> None:
    try:
        multihash.decode(raw)
    except InputError as error:
        raise InvalidCid(f"malformed content id: {error}", hint=_CURE) from error
