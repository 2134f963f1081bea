"""Signed envelopes: whatever opens is what somebody signed."""

from __future__ import annotations

from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey

_SEALED = SignedEnvelope.seal(PrivateKey.from_seed(bytes(32)), "domain", b"\x03\x01", b"payload")

DOCUMENTED = (ProtocolViolation,)
SEEDS = (_SEALED.to_bytes(),)


def parse(data: bytes) -> SignedEnvelope:
    return SignedEnvelope.open(data, "domain")


def verify(_data: bytes, envelope: SignedEnvelope) -> None:
    assert envelope.public_key != _SEALED.public_key or envelope == _SEALED
    assert SignedEnvelope.open(envelope.to_bytes(), "domain") == envelope
