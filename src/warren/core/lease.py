"""Leases: that a peer is there, for how long, and since when; signed by its own key and numbered.

In: our leases to seal; foreign envelopes to open. Out: envelope bytes; checked leases. Refuses leases signed
by another key than that of their holder, of another payload type, and those that are good for longer than the
cap below or for no time.

All times are durations: clocks of peers differ, and nothing here depends on them. A lease runs from when it
is taken. Who takes one keeps the highest number of its holder, so that an old one cannot be shown again.
Like a peer record (RFC 0003 of libp2p), with a domain and payload type of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, InvalidPeerId, MisuseError, ProtocolViolation
from warren.core.peer_id import PeerId
from warren.core.proto import lease_pb2 as pb

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey

DOMAIN: Final = "warren-lease"
PAYLOAD_TYPE: Final = b"/warren/lease"
VALID_S_MAX: Final = 3600
"""Attack: a lease that stands for somebody who has long gone."""
PAYLOAD_BYTES_MAX: Final = 256
"""Attack: a lease that is dear to keep and pass on; a full one has some 100 bytes."""
SEALED_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 2048
"""Attack: the same; key and signature of the largest RSA keys take less than the second summand."""
_UINT64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Lease:
    """`peer_id` is there. Of two of it the one with the higher `seq` (64 bits) holds.

    super_peer: whom it is for; None: whoever is shown it. valid_s: whole seconds it is good for, from when it
    is taken. held_s: for how many seconds its holder says it has held leases without a break: a claim.
    Raises InputError for numbers out of range.
    """

    peer_id: PeerId
    seq: int
    valid_s: int
    held_s: int = 0
    super_peer: PeerId | None = None

    def __post_init__(self) -> None:
        if not 0 < self.valid_s <= VALID_S_MAX:
            raise InputError(f"a lease is good for 1 to {VALID_S_MAX} seconds, not {self.valid_s}")
        if not (0 <= self.seq < _UINT64 and 0 <= self.held_s < _UINT64):
            raise InputError("the numbers of a lease have 64 bits")

    def is_for(self, super_peer: PeerId) -> bool:
        """Whether that super-peer may take it."""
        return self.super_peer is None or self.super_peer == super_peer

    def seal(self, key: PrivateKey) -> bytes:
        """The lease in a signed envelope. Raises `MisuseError` if `key` is another peer's."""
        if key.peer_id != self.peer_id:
            raise MisuseError("a lease is signed by its holder")
        payload = pb.Lease(
            peer_id=self.peer_id.to_bytes(),
            seq=self.seq,
            valid_s=self.valid_s,
            held_s=self.held_s,
            super_peer=self.super_peer.to_bytes() if self.super_peer is not None else b"",
        ).SerializeToString(deterministic=True)
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, payload).to_bytes()

    @classmethod
    def open(cls, data: bytes) -> Lease:
        """Check and read a sealed one. Raises `ProtocolViolation`."""
        if len(data) > SEALED_BYTES_MAX:
            raise ProtocolViolation(f"lease exceeds {SEALED_BYTES_MAX} bytes")
        envelope = SignedEnvelope.open(data, DOMAIN)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ProtocolViolation(f"payload type {envelope.payload_type.hex()} is not a lease")
        message = protobuf.parse(pb.Lease, envelope.payload, "lease", PAYLOAD_BYTES_MAX)
        try:
            peer = PeerId(message.peer_id)
            super_peer = PeerId(message.super_peer) if message.super_peer else None
        except InvalidPeerId as error:
            raise ProtocolViolation(f"malformed lease: {error}") from error
        if peer != envelope.public_key.peer_id:
            raise ProtocolViolation(f"{envelope.public_key.peer_id} signed a lease of {peer}")
        try:
            return cls(peer, message.seq, message.valid_s, message.held_s, super_peer)
        except InputError as error:
            raise ProtocolViolation(str(error)) from error
