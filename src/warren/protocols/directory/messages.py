"""The messages of the directory as plain values: calls, and the answers to them.

In:  bytes of one frame, as a stranger sent it; or what we want to say. Out: the other form. Pure.
Spec: docs/protocols/directory.md; the wire form is proto/directory.proto.

Refuses, with `ProtocolViolation`: bytes that are not the message, queries that `Query` refuses, more hits or
peers than a message may have, and entries as entries.py does.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core import protobuf
from warren.core.cid import Cid
from warren.core.entry import CID_BYTES_MAX
from warren.core.envelope import ENVELOPE_BYTES_MAX
from warren.core.errors import InputError, InvalidPeerId, LimitReached, ProtocolViolation, Refused
from warren.core.found import Counts, Found
from warren.core.lease import SEALED_BYTES_MAX as LEASE_BYTES_MAX
from warren.core.peer_id import PeerId
from warren.core.query import QUERY_WORDS_MAX, Query, Term
from warren.core.words import WORD_CHARS_MAX
from warren.protocols.directory.audiences import DIGEST_BYTES
from warren.protocols.directory.entries import from_message, to_message
from warren.protocols.directory.proto import directory_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from warren.core.errors import WarrenError

CALL_BYTES_MAX: Final = ENVELOPE_BYTES_MAX + 16
"""A call: an envelope at most. Attack: memory for its holding."""
QUERY_BYTES_MAX: Final = 8 * 1024
"""A query. Attack: queries that are long to take apart."""
ANSWER_BYTES_MAX: Final = 64 * 1024
"""One message of an answer. Attack: whom we asked sends without end."""
HITS_MAX: Final = 64
"""Hits in one message. Attack: a message whose taking apart holds up the others."""
PRESENCE_PEERS_MAX: Final = 256
"""Peers in one question for who is there. Attack: lists of made-up peers."""
WHY_CHARS_MAX: Final = 200
SUFFIXES_MAX: Final = 32
TTL_MAX: Final = 255
NOBODY: Final = Counts(0, 0)
"""Nobody was asked besides."""
_NUMBER_MAX: Final = 1 << 63


class Reason(IntEnum):
    """Why something was refused; see `Refused` in proto/directory.proto."""

    UNSPECIFIED = pb.Refused.UNSPECIFIED
    NO_SUPER_PEER = pb.Refused.NO_SUPER_PEER
    FULL = pb.Refused.FULL
    BUSY = pb.Refused.BUSY
    TOO_OFTEN = pb.Refused.TOO_OFTEN
    BAD = pb.Refused.BAD
    GAP = pb.Refused.GAP
    STALE = pb.Refused.STALE
    NOT_KEPT = pb.Refused.NOT_KEPT


@dataclass(frozen=True, slots=True)
class QueryCall:
    """What is searched for. ttl: how often super-peers pass it on; None: as they see fit."""

    query: Query
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class RegistrationCall:
    """An envelope with a `Registration`, not looked into yet."""

    envelope: bytes


@dataclass(frozen=True, slots=True)
class LeaseCall:
    """A sealed lease, not looked into yet."""

    envelope: bytes


@dataclass(frozen=True, slots=True)
class Bye:
    """The sender goes."""


@dataclass(frozen=True, slots=True)
class PresenceCall:
    """Who of these is there?"""

    peers: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How fit the sender is to be the super-peer of its local network; as a call and as its answer.

    willing: it would be one. reach: peers of the network that it is connected with. rtt_us: the median of
    the round trips to them.
    """

    willing: bool
    reach: int
    rtt_us: int


@dataclass(frozen=True, slots=True)
class HitsAnswer:
    """What was found, as it was. bad: hits that came with them and were none."""

    hits: tuple[Found, ...]
    bad: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The last answer to a query. total: different contents that fit; there are more unless `exact`.

    counts: how many were asked on behalf of the asker.
    """

    total: int
    exact: bool
    counts: Counts = NOBODY


@dataclass(frozen=True, slots=True)
class Held:
    """Where a registration stands. position: epoch and number; None: nothing is registered.

    audiences: the digest of the table that is known; empty: none. entries_max: so many entries the sender may
    register, told in answers to leases; 0: it is not said.
    """

    position: tuple[int, int] | None
    audiences: bytes = b""
    entries_max: int = 0


@dataclass(frozen=True, slots=True)
class OnlineAnswer:
    """For each peer asked for, whether it is there."""

    online: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class RefusedAnswer:
    """The answer is no. position: where a registration stands that does not follow. lease_seq: the number of
    the last lease, where one is not above it.
    """

    reason: Reason
    why: str = ""
    position: tuple[int, int] | None = None
    lease_seq: int | None = None

    def to_error(self, peer: PeerId) -> WarrenError:
        """As the one who asked raises it."""
        text = f"{peer} refused: {self.why or self.reason.name.lower()}"
        if self.reason in (Reason.FULL, Reason.BUSY, Reason.TOO_OFTEN):
            return LimitReached("directory", text, hint="it is tried again by itself")
        return Refused(text)


Call: TypeAlias = QueryCall | RegistrationCall | LeaseCall | Bye | PresenceCall | Standing
Answer: TypeAlias = HitsAnswer | Counts | End | Held | OnlineAnswer | RefusedAnswer | Standing


_KINDS: Final[dict[type, str]] = {
    QueryCall: "query",
    RegistrationCall: "registration",
    LeaseCall: "lease",
    Bye: "bye",
    PresenceCall: "presence",
    Standing: "standing",
    HitsAnswer: "hits",
    Counts: "counts",
    End: "end",
    Held: "held",
    OnlineAnswer: "online",
    RefusedAnswer: "refused",
}


def kind_of(message: Call | Answer) -> str:
    """What it is called in proto/directory.proto."""
    return _KINDS[type(message)]


def call_to_bytes(call: Call) -> bytes:
    """A call as one message."""
    return _call_message(call).SerializeToString()


def _call_message(call: Call) -> pb.Call:
    match call:
        case QueryCall():
            return pb.Call(query=_query_message(call))
        case RegistrationCall():
            return pb.Call(registration=call.envelope)
        case LeaseCall():
            return pb.Call(lease=call.envelope)
        case Bye():
            return pb.Call(bye=pb.Bye())
        case PresenceCall():
            return pb.Call(presence=pb.Presence(peers=[one.to_bytes() for one in call.peers]))
        case Standing():
            return pb.Call(standing=_standing_message(call))


def read_call(data: bytes) -> Call:
    """What who opened the stream wants. Raises `ProtocolViolation`."""
    message = protobuf.parse(pb.Call, data, "directory: the call")
    match message.WhichOneof("what"):
        case "query":
            if len(data) > QUERY_BYTES_MAX:
                raise ProtocolViolation(f"directory: a query of more than {QUERY_BYTES_MAX} bytes")
            return _query(message.query)
        case "registration":
            return RegistrationCall(message.registration)
        case "lease":
            if len(message.lease) > LEASE_BYTES_MAX:
                raise ProtocolViolation(f"directory: a lease of more than {LEASE_BYTES_MAX} bytes")
            return LeaseCall(message.lease)
        case "bye":
            return Bye()
        case "presence":
            if len(message.presence.peers) > PRESENCE_PEERS_MAX:
                raise ProtocolViolation(f"directory: more than {PRESENCE_PEERS_MAX} peers at once")
            return PresenceCall(tuple(map(_peer, message.presence.peers)))
        case "standing":
            return _standing(message.standing)
        case _:
            raise ProtocolViolation("directory: an empty call")


def answer_to_bytes(answer: Answer) -> bytes:
    """An answer as one message."""
    return _answer_message(answer).SerializeToString()


def _answer_message(answer: Answer) -> pb.Answer:
    match answer:
        case HitsAnswer():
            return pb.Answer(hits=pb.Hits(hits=[_hit_message(one) for one in answer.hits]))
        case Counts():
            return pb.Answer(counts=pb.Counts(asked=answer.asked, about=answer.about))
        case End():
            asked, about = answer.counts
            return pb.Answer(end=pb.End(total=answer.total, exact=answer.exact, asked=asked, about=about))
        case Held():
            held = pb.Held(audiences=answer.audiences, entries_max=answer.entries_max)
            if answer.position is not None:
                held.epoch, held.seq = answer.position
            return pb.Answer(held=held)
        case OnlineAnswer():
            return pb.Answer(online=pb.Online(online=answer.online))
        case RefusedAnswer():
            refused = pb.Refused(
                reason=_wire_reason(answer.reason),
                why=answer.why[:WHY_CHARS_MAX],
                lease_seq=answer.lease_seq,
            )
            if answer.position is not None:
                refused.epoch, refused.seq = answer.position
            return pb.Answer(refused=refused)
        case Standing():
            return pb.Answer(standing=_standing_message(answer))


def read_answer(data: bytes) -> Answer:
    """What the other one says. Raises `ProtocolViolation`."""
    message = protobuf.parse(pb.Answer, data, "directory: the answer")
    match message.WhichOneof("what"):
        case "hits":
            if len(message.hits.hits) > HITS_MAX:
                raise ProtocolViolation(f"directory: more than {HITS_MAX} hits in one message")
            return _hits(message.hits.hits)
        case "counts":
            return Counts(message.counts.asked, message.counts.about)
        case "end":
            end = message.end
            return End(end.total, end.exact, Counts(end.asked, end.about))
        case "held":
            return _held(message.held)
        case "online":
            if len(message.online.online) > PRESENCE_PEERS_MAX:
                raise ProtocolViolation(f"directory: more than {PRESENCE_PEERS_MAX} peers at once")
            return OnlineAnswer(tuple(message.online.online))
        case "refused":
            return _refused(message.refused)
        case "standing":
            return _standing(message.standing)
        case _:
            raise ProtocolViolation("directory: an empty answer")


def in_messages(hits: Sequence[Found]) -> Iterator[HitsAnswer]:
    """Hits, cut into messages that may be sent."""
    part: list[Found] = []
    room = ANSWER_BYTES_MAX
    for hit in hits:
        size = to_message(hit.entry).ByteSize() + 80
        if part and (size > room or len(part) == HITS_MAX):
            yield HitsAnswer(tuple(part))
            part, room = [], ANSWER_BYTES_MAX
        part.append(hit)
        room -= size
    if part:
        yield HitsAnswer(tuple(part))


# --- one message each -----------------------------------------------------------------------------------


def _query_message(call: QueryCall) -> pb.Query:
    query = call.query
    return pb.Query(
        terms=[pb.Term(word=one.word, whole=one.whole) for one in query.terms],
        suffixes=query.suffixes,
        size_min=query.size_min,
        size_max=query.size_max,
        author=query.author,
        domain=query.domain,
        online=query.online,
        limit=query.limit,
        after=query.after,
        ttl=call.ttl,
        cid=query.cid.to_bytes() if query.cid is not None else b"",
    )


def _query(message: pb.Query) -> QueryCall:
    if len(message.terms) > QUERY_WORDS_MAX or len(message.suffixes) > SUFFIXES_MAX:
        raise ProtocolViolation("directory: a query of too many words")
    if any(not 0 < len(one.word) <= WORD_CHARS_MAX for one in message.terms):
        raise ProtocolViolation("directory: a query with a word that is none")
    if max(message.size_min, message.size_max) >= _NUMBER_MAX:
        raise ProtocolViolation("directory: a query for a size that nothing has")
    if len(message.cid) > CID_BYTES_MAX:
        raise ProtocolViolation("directory: a query for a content id that is too long")
    try:
        query = Query(
            terms=tuple(Term(one.word, one.whole) for one in message.terms),
            suffixes=tuple(message.suffixes),
            size_min=message.size_min if message.HasField("size_min") else None,
            size_max=message.size_max if message.HasField("size_max") else None,
            author=message.author,
            domain=message.domain,
            online=message.online,
            limit=message.limit,
            after=message.after,
            cid=Cid.from_bytes(message.cid) if message.cid else None,
        )
    except InputError as error:
        raise ProtocolViolation(f"directory: {error}") from error
    return QueryCall(query, min(message.ttl, TTL_MAX) if message.HasField("ttl") else None)


def _hit_message(hit: Found) -> pb.Hit:
    return pb.Hit(owner=hit.owner.to_bytes(), entry=to_message(hit.entry), score=hit.score, online=hit.online)


def _hits(messages: Sequence[pb.Hit]) -> HitsAnswer:
    """One that is bad costs itself alone: whoever answers may have it from another."""
    hits = []
    for message in messages:
        with contextlib.suppress(ProtocolViolation):
            hits.append(_hit(message))
    return HitsAnswer(tuple(hits), len(messages) - len(hits))


def _hit(message: pb.Hit) -> Found:
    if not math.isfinite(message.score):
        raise ProtocolViolation("directory: a hit whose score is no number")
    return Found(_peer(message.owner), from_message(message.entry).entry, message.score, message.online)


def _held(message: pb.Held) -> Held:
    if message.audiences and len(message.audiences) != DIGEST_BYTES:
        raise ProtocolViolation("directory: a malformed digest")
    return Held(_position(message), message.audiences, min(message.entries_max, _NUMBER_MAX))


def _refused(message: pb.Refused) -> RefusedAnswer:
    try:
        reason = Reason(message.reason)
    except ValueError:
        reason = Reason.UNSPECIFIED  # one of a later version
    why = "".join(char for char in message.why[:WHY_CHARS_MAX] if char.isprintable())
    lease_seq = message.lease_seq if message.HasField("lease_seq") else None
    return RefusedAnswer(reason, why, _position(message), lease_seq)


def _position(message: pb.Held | pb.Refused) -> tuple[int, int] | None:
    if not message.HasField("epoch"):
        return None
    if max(message.epoch, message.seq) >= _NUMBER_MAX:
        raise ProtocolViolation("directory: a position that no registration can have")
    return message.epoch, message.seq


def _wire_reason(reason: Reason) -> pb.Refused.Reason:
    return pb.Refused.Reason.Name(reason)  # type: ignore[return-value]


def _standing_message(one: Standing) -> pb.Standing:
    return pb.Standing(willing=one.willing, reach=one.reach, rtt_us=one.rtt_us)


def _standing(message: pb.Standing) -> Standing:
    return Standing(message.willing, message.reach, message.rtt_us)


def _peer(data: bytes) -> PeerId:
    try:
        return PeerId(data)
    except InvalidPeerId as error:
        raise ProtocolViolation(f"directory: {error}") from error
