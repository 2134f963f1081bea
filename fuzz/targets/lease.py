"""Leases: the payload is signed honestly, so that the parser behind the signature is reached."""

from __future__ import annotations

from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.lease import DOMAIN, PAYLOAD_TYPE, VALID_S_MAX, Lease

_KEY = PrivateKey.from_seed(bytes(32))
_SEALED = Lease(_KEY.peer_id, 7, 60, 3600, _KEY.peer_id).seal(_KEY)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (SignedEnvelope.open(_SEALED, DOMAIN).payload,)


def parse(data: bytes) -> Lease:
    return Lease.open(SignedEnvelope.seal(_KEY, DOMAIN, PAYLOAD_TYPE, data or b"\0").to_bytes())


def verify(_data: bytes, lease: Lease) -> None:
    assert lease.peer_id == _KEY.peer_id
    assert 0 < lease.valid_s <= VALID_S_MAX
    assert Lease.open(lease.seal(_KEY)) == lease
