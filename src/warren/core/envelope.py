"""Signed envelopes: a payload that anyone can check came from one key, for one purpose.

In: our payloads to seal; foreign envelopes to open. Out: bytes; envelopes whose signature holds. Refuses
envelopes over 64 KiB, keys that are malformed, and signatures made by another key, for another domain or over
another payload.
https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from warren.core import protobuf, varint
from warren.core.errors import InvalidKey, MisuseError, ProtocolViolation
from warren.core.keys import PublicKey
from warren.core.proto.envelope_pb2 import Envelope

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey

# Attack: envelopes whose hashing and storing is what costs. A peer record of 100 addresses takes about 6 KiB.
ENVELOPE_BYTES_MAX: Final = 64 * 1024
# Peers send the same record on each connection, and checking it is dear (110 us). These take 1 MiB at most.
REMEMBERED_BYTES_MAX: Final = 2048


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """A payload under a signature that was made here or has been checked."""

    public_key: PublicKey
    payload_type: bytes
    payload: bytes
    signature: bytes

    @classmethod
    def seal(cls, key: PrivateKey, domain: str, payload_type: bytes, payload: bytes) -> SignedEnvelope:
        """Sign `payload` for the purpose that `domain` names; it must not be empty (`MisuseError`)."""
        signature = key.sign(_signed_bytes(domain, payload_type, payload))
        return cls(key.public_key, payload_type, payload, signature)

    @classmethod
    def open(cls, data: bytes, domain: str) -> SignedEnvelope:
        """Read an envelope and check its signature for `domain`. Raises `ProtocolViolation`."""
        if len(data) <= REMEMBERED_BYTES_MAX:
            return _open_and_remember(data, domain)
        return _open(data, domain)

    def to_bytes(self) -> bytes:
        """The wire form, the same for the same envelope."""
        return Envelope(
            public_key=self.public_key.to_protobuf(),
            payload_type=self.payload_type,
            payload=self.payload,
            signature=self.signature,
        ).SerializeToString(deterministic=True)


def _open(data: bytes, domain: str) -> SignedEnvelope:
    message = protobuf.parse(Envelope, data, "signed envelope", ENVELOPE_BYTES_MAX)
    try:
        key = PublicKey.from_protobuf(message.public_key)
    except InvalidKey as error:
        raise ProtocolViolation(f"malformed signed envelope: {error}") from error
    if not key.verify(message.signature, _signed_bytes(domain, message.payload_type, message.payload)):
        raise ProtocolViolation(f"signature of the envelope by {key.peer_id} does not hold")
    return SignedEnvelope(key, message.payload_type, message.payload, message.signature)


_open_and_remember = lru_cache(maxsize=256)(_open)


def _signed_bytes(domain: str, payload_type: bytes, payload: bytes) -> bytes:
    if not domain:
        raise MisuseError("an envelope needs a domain")
    return b"".join(
        part
        for field in (domain.encode(), payload_type, payload)
        for part in (varint.encode(len(field)), field)
    )
