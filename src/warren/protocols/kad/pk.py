"""Public keys by their peer id: `/pk/` and the multihash.

In:  keys and values of the DHT. Out: nothing, or `InvalidRecord`. Needed for ids that are too long to hold
their key (RSA, ECDSA). Refuses values that are not the canonical form of the key that the id is the hash of.
https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import InvalidKey, InvalidPeerId, InvalidRecord
from warren.core.keys import PublicKey
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX: Final = b"/pk/"


class PkValidator:
    """See `Validator`. All valid values of one key are equal."""

    __slots__ = ()

    def validate(self, key: bytes, value: bytes) -> None:
        try:
            peer = PeerId(key.removeprefix(PREFIX))
            public_key = PublicKey.from_protobuf(value)
        except (InvalidPeerId, InvalidKey) as error:
            raise InvalidRecord(f"no public key under its peer id: {error}") from error
        if public_key.peer_id != peer:
            raise InvalidRecord(f"the key of {public_key.peer_id} was put under {peer}")

    def select(self, key: bytes, values: Sequence[bytes]) -> int:  # noqa: ARG002
        return 0
