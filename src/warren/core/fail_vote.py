"""Fail votes: that a peer could not be reached, signed by who tried and numbered.

In: our votes to seal; foreign envelopes to open. Out: envelope bytes; checked votes. Refuses votes signed by
another key than that of their voter, of another payload type, against oneself, and those that count for
longer than the cap below.

A vote names the lease of the accused that it is against, so that a fresher lease refutes it, in whatever
order the two arrive (as the incarnation numbers of SWIM do: Das, Gupta, Motivala 2002, section 4.2,
https://www.cs.cornell.edu/projects/Quicksilver/public_pdfs/SWIM.pdf). It counts from when it is taken, and
the time in it is for people: clocks of peers differ.
Like a peer record (RFC 0003 of libp2p), with a domain and payload type of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, InvalidPeerId, MisuseError, ProtocolViolation
from warren.core.peer_id import PeerId
from warren.core.proto import fail_vote_pb2 as pb

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey

DOMAIN: Final = "warren-fail-vote"
PAYLOAD_TYPE: Final = b"/warren/fail-vote"
VALID_S_MAX: Final = 3600
"""Attack: a vote that counts long after anybody tried."""
PAYLOAD_BYTES_MAX: Final = 256
"""Attack: a vote that is dear to keep; a full one has some 120 bytes."""
SEALED_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 2048
"""Attack: the same; key and signature of the largest RSA keys take less than the second summand."""
_UINT64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class FailVote:
    """`peer_id` could not reach `accused`. Of two of a voter the one with the higher `seq` (64 bits) holds.

    against: the number of the accused's lease that it was told of. valid_s: whole seconds it counts, from
    when it is taken; 0 withdraws. cast_at: Unix seconds on the voter's clock, to be shown only.
    Raises InputError for numbers out of range, and for a vote against oneself.
    """

    peer_id: PeerId
    seq: int
    accused: PeerId
    against: int
    valid_s: int
    cast_at: int = 0

    def __post_init__(self) -> None:
        if self.accused == self.peer_id:
            raise InputError("nobody votes against itself")
        if not 0 <= self.valid_s <= VALID_S_MAX:
            raise InputError(f"a vote counts for up to {VALID_S_MAX} seconds, not {self.valid_s}")
        if not all(0 <= number < _UINT64 for number in (self.seq, self.against, self.cast_at)):
            raise InputError("the numbers of a vote have 64 bits")

    @property
    def withdraws(self) -> bool:
        """Whether it takes back what the voter said of the accused before."""
        return self.valid_s == 0

    def seal(self, key: PrivateKey) -> bytes:
        """The vote in a signed envelope. Raises `MisuseError` if `key` is another peer's."""
        if key.peer_id != self.peer_id:
            raise MisuseError("a vote is signed by its voter")
        payload = pb.FailVote(
            peer_id=self.peer_id.to_bytes(),
            seq=self.seq,
            valid_s=self.valid_s,
            cast_at=self.cast_at,
            accused=self.accused.to_bytes(),
            against=self.against,
        ).SerializeToString(deterministic=True)
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, payload).to_bytes()

    @classmethod
    def open(cls, data: bytes) -> FailVote:
        """Check and read a sealed one. Raises `ProtocolViolation`."""
        if len(data) > SEALED_BYTES_MAX:
            raise ProtocolViolation(f"fail vote exceeds {SEALED_BYTES_MAX} bytes")
        envelope = SignedEnvelope.open(data, DOMAIN)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ProtocolViolation(f"payload type {envelope.payload_type.hex()} is not a fail vote")
        message = protobuf.parse(pb.FailVote, envelope.payload, "fail vote", PAYLOAD_BYTES_MAX)
        try:
            peer, accused = PeerId(message.peer_id), PeerId(message.accused)
        except InvalidPeerId as error:
            raise ProtocolViolation(f"malformed fail vote: {error}") from error
        if peer != envelope.public_key.peer_id:
            raise ProtocolViolation(f"{envelope.public_key.peer_id} signed a vote of {peer}")
        try:
            return cls(peer, message.seq, accused, message.against, message.valid_s, message.cast_at)
        except InputError as error:
            raise ProtocolViolation(str(error)) from error
