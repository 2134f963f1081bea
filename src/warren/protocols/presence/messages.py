"""The messages of presence as plain values.

In:  bytes of one frame, as a stranger sent it; or what we want to say. Out: the other form.
Spec: docs/protocols/presence.md; the wire form is proto/presence.proto.

Refuses, with `ProtocolViolation`, bytes that are not the message, more peers than a message may hold, ids
that are none, and envelopes over their size. Signatures are looked at by whoever takes the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from warren.core import fail_vote, lease, protobuf
from warren.core.errors import InvalidPeerId, ProtocolViolation
from warren.core.peer_id import PeerId
from warren.protocols.presence.proto import presence_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

ASKED_MAX: Final = 64
"""Peers that one call asks for. Attack: one message that costs many look-ups."""
HELD_MAX: Final = 256
"""Peers held offline that one answer tells of. Attack: an answer that is long to make."""
CALL_BYTES_MAX: Final = 4096
"""What a stranger may send: 64 ids of 42 bytes, or an envelope. Attack: memory for its holding."""
ANSWER_BYTES_MAX: Final = 24 * 1024
"""An answer: 320 standings. Attack: whom we asked sends without end."""

Verdict: TypeAlias = Literal["taken", "old", "full", "not online", "unknown", "refuted", "not here"]
State: TypeAlias = Literal["absent", "online", "held offline"]

_VERDICTS: Final[dict[Verdict, pb.Verdict]] = {
    "taken": pb.TAKEN,
    "old": pb.OLD,
    "full": pb.FULL,
    "not online": pb.NOT_ONLINE,
    "unknown": pb.UNKNOWN,
    "refuted": pb.REFUTED,
    "not here": pb.NOT_HERE,
}
_STATES: Final[dict[State, pb.State]] = {
    "absent": pb.ABSENT,
    "online": pb.ONLINE,
    "held offline": pb.HELD_OFFLINE,
}
_VERDICT_OF: Final = {number: verdict for verdict, number in _VERDICTS.items()}
_STATE_OF: Final = {number: state for state, number in _STATES.items()}


@dataclass(frozen=True, slots=True)
class CastVote:
    """The caller could not reach somebody, or takes that back; sealed."""

    sealed: bytes

    def to_bytes(self) -> bytes:
        """As a call."""
        return pb.Call(vote=self.sealed).SerializeToString()


@dataclass(frozen=True, slots=True)
class Ask:
    """How do these peers stand; held: and whom do votes hold offline?"""

    peers: tuple[PeerId, ...] = ()
    held: bool = False

    def to_bytes(self) -> bytes:
        """As a call."""
        ask = pb.Ask(peers=[peer.to_bytes() for peer in self.peers], held=self.held)
        return pb.Call(ask=ask).SerializeToString()


@dataclass(frozen=True, slots=True)
class Accused:
    """Who is called may be gone, as others say: it may show a lease. at: another super-peer that doubts
    it.
    """

    at: PeerId | None = None

    def to_bytes(self) -> bytes:
        """As a call."""
        at = self.at.to_bytes() if self.at is not None else b""
        return pb.Call(accused=pb.Accused(at=at)).SerializeToString()


@dataclass(frozen=True, slots=True)
class Doubt:
    """Somebody may be gone: who is called may look into it."""

    peer: PeerId

    def to_bytes(self) -> bytes:
        """As a call."""
        return pb.Call(doubt=pb.Doubt(peer_id=self.peer.to_bytes())).SerializeToString()


Call: TypeAlias = CastVote | Ask | Accused | Doubt


@dataclass(frozen=True, slots=True)
class Standing:
    """How a peer stands. lease: the number of its newest lease; 0: none known. Of who is held offline so many
    accusers vote against it, of so many online who could.
    """

    peer: PeerId
    state: State
    lease: int = 0
    accusers: int = 0
    online: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a call. lease: of who was accused, sealed."""

    verdict: Verdict = "taken"
    standings: tuple[Standing, ...] = ()
    lease: bytes = b""

    def to_bytes(self) -> bytes:
        """The answer."""
        return pb.Answer(
            verdict=_VERDICTS[self.verdict],
            standings=[_message(one) for one in self.standings],
            lease=self.lease,
        ).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """Raises `ProtocolViolation`."""
        message = protobuf.parse(pb.Answer, data, "presence: the answer")
        if len(message.standings) > ASKED_MAX + HELD_MAX:
            raise ProtocolViolation(f"presence: {len(message.standings)} peers in an answer")
        verdict = _VERDICT_OF.get(message.verdict)
        if verdict is None:
            raise ProtocolViolation(f"presence: verdict {message.verdict} is none")
        standings = tuple(_standing(one) for one in message.standings)
        return cls(verdict, standings, _envelope(message.lease, lease.SEALED_BYTES_MAX))


def read_call(data: bytes) -> Call:
    """What who opened the stream wants. Raises `ProtocolViolation`."""
    message = protobuf.parse(pb.Call, data, "presence: the call")
    match message.WhichOneof("what"):
        case "vote":
            return CastVote(_envelope(message.vote, fail_vote.SEALED_BYTES_MAX))
        case "ask":
            return Ask(_peers(message.ask.peers), message.ask.held)
        case "accused":
            return Accused(_peer(message.accused.at) if message.accused.at else None)
        case "doubt":
            return Doubt(_peer(message.doubt.peer_id))
        case _:
            raise ProtocolViolation("presence: an empty call")


def _envelope(data: bytes, bytes_max: int) -> bytes:
    if len(data) > bytes_max:
        raise ProtocolViolation(f"presence: an envelope of {len(data)} bytes (at most {bytes_max})")
    return data


def _peers(raw: Sequence[bytes]) -> tuple[PeerId, ...]:
    if len(raw) > ASKED_MAX:
        raise ProtocolViolation(f"presence: {len(raw)} peers in a call (at most {ASKED_MAX} are allowed)")
    return tuple(_peer(one) for one in raw)


def _peer(raw: bytes) -> PeerId:
    try:
        return PeerId(raw)
    except InvalidPeerId as error:
        raise ProtocolViolation(f"presence: {error}") from error


def _standing(message: pb.Standing) -> Standing:
    # A state that we do not know is that of a later version: nothing follows from it.
    state = _STATE_OF.get(message.state, "absent")
    return Standing(_peer(message.peer_id), state, message.lease, message.accusers, message.online)


def _message(one: Standing) -> pb.Standing:
    return pb.Standing(
        peer_id=one.peer.to_bytes(),
        state=_STATES[one.state],
        lease=one.lease,
        accusers=one.accusers,
        online=one.online,
    )
