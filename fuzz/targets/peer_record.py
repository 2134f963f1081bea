"""Peer records: the payload is signed honestly, so that the parser behind the signature is reached."""

from __future__ import annotations

from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import ADDRESSES_MAX, DOMAIN, PAYLOAD_TYPE, PeerRecord

_KEY = PrivateKey.from_seed(bytes(32))
_SEALED = PeerRecord(_KEY.peer_id, 7, (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"),)).seal(_KEY)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (SignedEnvelope.open(_SEALED, DOMAIN).payload,)


def parse(data: bytes) -> PeerRecord:
    return PeerRecord.open(SignedEnvelope.seal(_KEY, DOMAIN, PAYLOAD_TYPE, data).to_bytes())


def verify(_data: bytes, record: PeerRecord) -> None:
    assert record.peer_id == _KEY.peer_id
    assert len(record.addrs) <= ADDRESSES_MAX
    assert PeerRecord.open(record.seal(_KEY)) == record
