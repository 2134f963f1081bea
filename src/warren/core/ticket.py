"""Tickets: the word of an origin that one peer may have a content, shown to others who have it.

In: our tickets to seal; foreign envelopes to open; what a ticket is shown for. Out: envelope bytes; checked
tickets; whether one is good for that. Refuses tickets signed by another key than that of their origin and of
another payload type; good for nothing are those of another root, grantee or origin, those that have expired,
and those that last longer than tickets do.

Who shares something with some may not be there when they want it; then they help each other, and each asks
the next for the ticket that the origin gave to it alone. Clocks of peers differ: a ticket is good for
`CLOCK_S` longer than it says.
Like a peer record (RFC 0003 of libp2p), with a domain and payload type of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.cid import Cid
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, InvalidCid, InvalidPeerId, MisuseError, ProtocolViolation
from warren.core.peer_id import PeerId
from warren.core.proto import ticket_pb2 as pb

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey

DOMAIN: Final = "warren-ticket"
PAYLOAD_TYPE: Final = b"/warren/ticket"
VALID_S: Final = 7 * 86400
"""How long a ticket is good. Whoever is no longer admitted by the origin has it from others that long."""
CLOCK_S: Final = 3600
"""What clocks of peers may differ by."""
PAYLOAD_BYTES_MAX: Final = 384
"""Attack: a ticket that is dear to keep; a full one has some 130 bytes."""
SEALED_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 2048
"""Attack: the same; key and signature of the largest RSA keys take less than the second summand."""
_UINT64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Ticket:
    """`origin` lets `grantee` have `root`, until `expires_at` (Unix seconds on the origin's clock).

    Raises InputError for a time out of range.
    """

    origin: PeerId
    root: Cid
    grantee: PeerId
    expires_at: int

    def __post_init__(self) -> None:
        if not 0 <= self.expires_at < _UINT64:
            raise InputError("the time of a ticket has 64 bits")

    def is_good(self, *, origin: PeerId, root: Cid, grantee: PeerId, wall_s: float) -> bool:
        """Whether it lets `grantee` have `root` by the word of `origin` at `wall_s` (Unix seconds)."""
        left_s = self.expires_at - wall_s
        return (self.origin, self.root, self.grantee) == (
            origin,
            root,
            grantee,
        ) and -CLOCK_S < left_s <= VALID_S + CLOCK_S

    def seal(self, key: PrivateKey) -> bytes:
        """The ticket in a signed envelope. Raises `MisuseError` if `key` is not the origin's."""
        if key.peer_id != self.origin:
            raise MisuseError("a ticket is signed by its origin")
        payload = pb.Ticket(
            origin=self.origin.to_bytes(),
            root=self.root.to_bytes(),
            grantee=self.grantee.to_bytes(),
            expires_at=self.expires_at,
        ).SerializeToString(deterministic=True)
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, payload).to_bytes()

    @classmethod
    def open(cls, data: bytes) -> Ticket:
        """Check and read a sealed one. Raises `ProtocolViolation`."""
        if len(data) > SEALED_BYTES_MAX:
            raise ProtocolViolation(f"ticket exceeds {SEALED_BYTES_MAX} bytes")
        envelope = SignedEnvelope.open(data, DOMAIN)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ProtocolViolation(f"payload type {envelope.payload_type.hex()} is not a ticket")
        message = protobuf.parse(pb.Ticket, envelope.payload, "ticket", PAYLOAD_BYTES_MAX)
        try:
            origin, grantee = PeerId(message.origin), PeerId(message.grantee)
            root = Cid.from_bytes(message.root)
        except (InvalidPeerId, InvalidCid) as error:
            raise ProtocolViolation(f"malformed ticket: {error}") from error
        if origin != envelope.public_key.peer_id:
            raise ProtocolViolation(f"{envelope.public_key.peer_id} signed a ticket of {origin}")
        return cls(origin, root, grantee, message.expires_at)
