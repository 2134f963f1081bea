"""Peer metadata: the payload is signed honestly, so that the parser behind the signature is reached."""

from __future__ import annotations

from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.peer_metadata import DOMAIN, ENTRIES_MAX, PAYLOAD_TYPE, PeerMetadata

_KEY = PrivateKey.from_seed(bytes(32))
_SEALED = PeerMetadata(_KEY.peer_id, 7, {"region": "north", "name": "ä"}).seal(_KEY)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (SignedEnvelope.open(_SEALED, DOMAIN).payload,)


def parse(data: bytes) -> PeerMetadata:
    return PeerMetadata.open(SignedEnvelope.seal(_KEY, DOMAIN, PAYLOAD_TYPE, data or b"\0").to_bytes())


def verify(_data: bytes, metadata: PeerMetadata) -> None:
    assert metadata.peer_id == _KEY.peer_id
    assert len(metadata.entries) <= ENTRIES_MAX
    assert PeerMetadata.open(metadata.seal(_KEY)) == metadata
