"""The messages of a swarm as plain values.

In:  bytes of a request or an answer, as a stranger sent them; or what we want to say. Out: the other form.
Spec: docs/protocols/swarm.md; the wire form is proto/swarm.proto. Pure.

Refuses, with `ProtocolViolation`, bytes that are not the message, roots and peer ids that are none, segments
that come twice, and more tickets, segments or fellows, or larger ones, than a message may hold. Signatures
are looked at later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from warren.core import protobuf
from warren.core.cid import Cid
from warren.core.errors import InvalidCid, InvalidPeerId, ProtocolViolation
from warren.core.peer_id import PeerId
from warren.core.ticket import SEALED_BYTES_MAX as TICKET_BYTES_MAX
from warren.protocols.swarm.proto import swarm_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

SEGMENT_BYTES: Final = 32
SEGMENT_LEAVES: Final = SEGMENT_BYTES * 8
"""A hundred leaves that came since the last telling, wherever they lie, take 4 kB at most."""
LEAVES_MAX: Final = 1 << 22
"""Leaves that peers tell each other of: 4 TiB in chunks of a MiB. Attack: a map without end; this is memory,
640 KiB for each peer that claims so much. What lies beyond is fetched from those who have everything."""
SEGMENTS_MAX: Final = 2048
"""Of one message: some 80 KiB. Attack: a message that is long to take in. Of more the oldest changes come
first, the others next time."""
TICKETS_MAX: Final = 4
"""Of one request. Attack: signatures to check, 0.1 ms each."""
FELLOWS_MAX: Final = 30
"""Attack: an answer that is long to make, and a list of everybody who was ever interested."""
RECORD_BYTES_MAX: Final = 4096
"""As in peer exchange. Attack: few fellows that fill the message."""
ASK_BYTES_MAX: Final = 112 * 1024
"""What a stranger may send: all the above. Attack: memory for its holding."""
ANSWER_BYTES_MAX: Final = 256 * 1024
"""The same for whom we asked."""

Status: TypeAlias = Literal["ok", "not found", "busy"]
_STATUSES: Final[dict[Status, pb.Status]] = {"ok": pb.OK, "not found": pb.NOT_FOUND, "busy": pb.BUSY}
_STATUS_OF: Final = {number: status for status, number in _STATUSES.items()}


class Version(NamedTuple):
    """A state of somebody's map of leaves. Of another epoch nothing is known."""

    epoch: int = 0
    number: int = 0


class Segment(NamedTuple):
    """The leaves from `at` * `SEGMENT_LEAVES` on: one bit each, the lowest of the first byte first."""

    at: int
    data: bytes


UNKNOWN: Final = Version()


@dataclass(frozen=True, slots=True)
class Holding:
    """What somebody has: everything, or what these segments say beside what was said up to `since`."""

    complete: bool = False
    version: Version = UNKNOWN
    since: int = 0
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Fellow:
    """Somebody else who asked. record: its signed peer record, or nothing. told_from: a `Reach`; 0: nobody
    says.
    """

    peer: PeerId
    record: bytes = b""
    told_from: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks wants `root`, may have it by these tickets, has `mine`, and knows so much of the other's.
    turn: the other one lets it ask for a leaf now.
    """

    root: Cid
    tickets: tuple[bytes, ...] = ()
    mine: Holding | None = None
    known: Version = UNKNOWN
    turn: bool = False

    def to_bytes(self) -> bytes:
        return pb.Ask(
            root=self.root.to_bytes(),
            tickets=self.tickets,
            mine=_holding_message(self.mine) if self.mine is not None else None,
            known=_version_message(self.known),
            turn=self.turn,
        ).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Ask:
        """Raises `ProtocolViolation`."""
        message = protobuf.parse(pb.Ask, data, "swarm: the request", ASK_BYTES_MAX)
        try:
            root = Cid.from_bytes(message.root)
        except InvalidCid as error:
            raise ProtocolViolation(f"swarm: a malformed request: {error}") from error
        if len(message.tickets) > TICKETS_MAX:
            raise ProtocolViolation(f"swarm: {len(message.tickets)} tickets (at most {TICKETS_MAX})")
        return cls(
            root,
            tuple(_ticket(one) for one in message.tickets),
            _holding(message.mine) if message.HasField("mine") else None,
            _version(message.known),
            message.turn,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a request. public: it is for everyone; ticket: it is for the asker, who may tell others
    so by this; origin: it is for the asker by a ticket of that one. known: what the answering side knows of
    the asker's holding now. lead: one more than the number, modulo the leaves, of the leaf to begin with; 0:
    any.
    """

    status: Status = "ok"
    public: bool = False
    ticket: bytes = b""
    origin: PeerId | None = None
    holding: Holding = field(default_factory=Holding)
    known: Version = UNKNOWN
    fellows: tuple[Fellow, ...] = ()
    lead: int = 0

    def to_bytes(self) -> bytes:
        if self.status != "ok":
            return pb.Answer(status=_STATUSES[self.status]).SerializeToString()
        return pb.Answer(
            public=self.public,
            ticket=self.ticket,
            origin=self.origin.to_bytes() if self.origin is not None else b"",
            holding=_holding_message(self.holding),
            known=_version_message(self.known),
            fellows=[
                pb.Fellow(peer_id=one.peer.to_bytes(), record=one.record, told_from=one.told_from)
                for one in self.fellows
            ],
            lead=self.lead,
        ).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """Raises `ProtocolViolation`."""
        message = protobuf.parse(pb.Answer, data, "swarm: the answer", ANSWER_BYTES_MAX)
        status = _STATUS_OF.get(message.status)
        if status is None:
            raise ProtocolViolation(f"swarm: status {message.status} is none")
        if status != "ok":
            return cls(status)
        return cls(
            status,
            message.public,
            _ticket(message.ticket),
            _peer(message.origin) if message.origin else None,
            _holding(message.holding),
            _version(message.known),
            _fellows(message.fellows),
            message.lead,
        )


def _ticket(data: bytes) -> bytes:
    if len(data) > TICKET_BYTES_MAX:
        raise ProtocolViolation(f"swarm: a ticket of {len(data)} bytes (at most {TICKET_BYTES_MAX})")
    return data


def _version(message: pb.Version) -> Version:
    return Version(message.epoch, message.number)


def _version_message(version: Version) -> pb.Version:
    return pb.Version(epoch=version.epoch, number=version.number)


def _holding(message: pb.Holding) -> Holding:
    if message.complete:
        return Holding(complete=True)
    if len(message.segments) > SEGMENTS_MAX:
        raise ProtocolViolation(f"swarm: {len(message.segments)} segments (at most {SEGMENTS_MAX})")
    segments = tuple(_segment(one) for one in message.segments)
    if len({one.at for one in segments}) < len(segments):
        raise ProtocolViolation("swarm: a segment that comes twice")
    return Holding(False, _version(message.version), message.since, segments)


def _segment(message: pb.Segment) -> Segment:
    if message.at >= LEAVES_MAX // SEGMENT_LEAVES or len(message.leaves) != SEGMENT_BYTES:
        raise ProtocolViolation("swarm: a segment beyond the limit, or of another size")
    return Segment(message.at, message.leaves)


def _holding_message(holding: Holding) -> pb.Holding:
    if holding.complete:
        return pb.Holding(complete=True)
    return pb.Holding(
        version=_version_message(holding.version),
        since=holding.since,
        segments=[pb.Segment(at=one.at, leaves=one.data) for one in holding.segments],
    )


def _fellows(messages: Sequence[pb.Fellow]) -> tuple[Fellow, ...]:
    if len(messages) > FELLOWS_MAX:
        raise ProtocolViolation(f"swarm: {len(messages)} fellows (at most {FELLOWS_MAX})")
    if any(len(one.record) > RECORD_BYTES_MAX for one in messages):
        raise ProtocolViolation(f"swarm: a record of a fellow over {RECORD_BYTES_MAX} bytes")
    return tuple(Fellow(_peer(one.peer_id), one.record, one.told_from) for one in messages)


def _peer(raw: bytes) -> PeerId:
    try:
        return PeerId(raw)
    except InvalidPeerId as error:
        raise ProtocolViolation(f"swarm: {error}") from error
