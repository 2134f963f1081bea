"""Peer ids: the multihash of a public key.

In: multihash bytes, or text in either form (base58btc such as `12D3KooW...` or `Qm...`; CIDv1 such as
`bafz...` or `k51...`). Out: the same, and the public key where the id holds it whole. Refuses hashes other
than identity and SHA2-256, and identity ids over 42 bytes of key.
https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
"""

from __future__ import annotations

from functools import total_ordering
from typing import TYPE_CHECKING, Final

from warren.core import multibase, multihash
from warren.core.errors import InputError, InvalidPeerId

if TYPE_CHECKING:
    from warren.core.keys import PublicKey

INLINE_KEY_BYTES_MAX: Final = 42

_CID_PREFIX: Final = b"\x01\x72"  # CIDv1, libp2p-key
_SHA2_256_PREFIX: Final = bytes((multihash.SHA2_256, 32))


@total_ordering
class PeerId:
    """One peer, by the hash of its public key. Immutable, hashable, ordered by its bytes.

    `PeerId(raw)` takes the binary multihash and raises `InvalidPeerId`.
    """

    __slots__ = ("_raw", "_text")

    def __init__(self, raw: bytes) -> None:
        _check(raw)
        self._raw: Final = raw
        self._text = ""

    @classmethod
    def of_key(cls, protobuf: bytes) -> PeerId:
        """The id of a public key in its canonical protobuf form."""
        if len(protobuf) <= INLINE_KEY_BYTES_MAX:
            return cls(multihash.encode(multihash.IDENTITY, protobuf))
        return cls(multihash.sha2_256(protobuf))

    @classmethod
    def parse(cls, text: str) -> PeerId:
        """Read either text form. Raises `InvalidPeerId`."""
        try:
            if text.startswith(("1", "Qm")):
                return cls(multibase.base58btc_decode(text))
            raw = multibase.decode(text)
        except InvalidPeerId:
            raise
        except InputError as error:
            raise InvalidPeerId(f"not a peer id: {error}") from error
        if raw[:2] != _CID_PREFIX:
            raise InvalidPeerId("not a peer id: the content id does not name a libp2p key")
        return cls(raw[2:])

    def __str__(self) -> str:
        if not self._text:
            self._text = multibase.base58btc_encode(self._raw)
        return self._text

    def __repr__(self) -> str:
        return f"PeerId({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, PeerId) and self._raw == other._raw)

    def __hash__(self) -> int:
        return hash(self._raw)

    def __lt__(self, other: PeerId) -> bool:
        return self._raw < other._raw

    @property
    def short(self) -> str:
        """The last eight characters, enough for a person to tell peers apart in a list."""
        return str(self)[-8:]

    def to_bytes(self) -> bytes:
        """The binary multihash."""
        return self._raw

    def to_cid_text(self) -> str:
        """The CIDv1 form in base 32, `bafz...`."""
        return "b" + multibase.base32_encode(_CID_PREFIX + self._raw)

    def public_key(self) -> PublicKey | None:
        """The key that an identity id holds; None when only its hash is known. Raises `InvalidKey`."""
        # Keys need ids to name themselves, so this import waits for the call.
        from warren.core.keys import PublicKey  # noqa: PLC0415

        if self._raw[0] != multihash.IDENTITY:
            return None
        return PublicKey.from_protobuf(self._raw[2:])


def _check(raw: bytes) -> None:
    if len(raw) == 34 and raw[:2] == _SHA2_256_PREFIX:
        return
    if raw[:1] != b"\x00":
        raise InvalidPeerId("a peer id is an identity or SHA2-256 multihash")
    if not 2 < len(raw) <= 2 + INLINE_KEY_BYTES_MAX or raw[1] != len(raw) - 2:
        raise InvalidPeerId("an identity peer id holds 1 to 42 bytes of key, as long as it announces")
