"""The messages about channels as plain values.

In:  bytes of a request or an answer, as a stranger sent it; or what we want to say. Out: the other form.
Spec: docs/protocols/send.md; the wire form is proto/send.proto.

Refuses, with `ProtocolViolation`, bytes that are not the message, ids that are none, and more than a message
may hold. Addresses that we cannot read are left out: a newer peer may have transports that we do not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core import protobuf
from warren.core.errors import InvalidMultiaddr, InvalidPeerId, ProtocolViolation
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.protocols.send.proto import send_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

QUESTION_BYTES_MAX: Final = 4096
"""Attack: a stranger makes us parse a large message. A full question has some 400 bytes."""
TOLD_BYTES_MAX: Final = 64 * 1024
"""Attack: whom we asked sends without end."""
ADDRESSES_MAX: Final = 8
"""Of one peer. Attack: a list that makes us dial half the world."""
FOUND_MAX: Final = 17
"""Senders of one answer: the places of a channel, and who answers."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A peer, and where it may be reached by what others say. `addresses` carry no peer id."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...] = ()


@dataclass(frozen=True, slots=True)
class Take:
    """The asker sends under `channel`."""

    channel: int
    addresses: tuple[Multiaddr, ...] = ()

    def to_bytes(self) -> bytes:
        """As a question."""
        return pb.Question(place=_place(self)).SerializeToString()


@dataclass(frozen=True, slots=True)
class Leave:
    """The asker sends there no more."""

    channel: int

    def to_bytes(self) -> bytes:
        """As a question."""
        return pb.Question(leave=self.channel).SerializeToString()


@dataclass(frozen=True, slots=True)
class Seek:
    """Who sends under `channel`? addresses: where the asker may be called back."""

    channel: int
    addresses: tuple[Multiaddr, ...] = ()

    def to_bytes(self) -> bytes:
        """As a question."""
        return pb.Question(seek=_place(self)).SerializeToString()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody looks for who sends under `channel`, which may be who is asked."""

    channel: int
    who: Whereabouts

    def to_bytes(self) -> bytes:
        """As a question."""
        return pb.Question(wanted=pb.Wanted(channel=self.channel, who=_found(self.who))).SerializeToString()


Question: TypeAlias = Take | Leave | Seek | Wanted


@dataclass(frozen=True, slots=True)
class Told:
    """lease_s: for how long a place is kept; 0: there is none. found: who sends there."""

    lease_s: int = 0
    found: tuple[Whereabouts, ...] = ()

    def to_bytes(self) -> bytes:
        """As an answer."""
        return pb.Told(lease_s=self.lease_s, found=map(_found, self.found)).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Told:
        """Raises ProtocolViolation."""
        message = protobuf.parse(pb.Told, data, "send: the answer", TOLD_BYTES_MAX)
        if len(message.found) > FOUND_MAX:
            raise ProtocolViolation(f"send: {len(message.found)} senders in an answer")
        return cls(message.lease_s, tuple(map(_whereabouts, message.found)))


def read_question(data: bytes) -> Question:
    """What the asker wants. Raises ProtocolViolation."""
    message = protobuf.parse(pb.Question, data, "send: the question", QUESTION_BYTES_MAX)
    match message.WhichOneof("what"):
        case "place":
            return Take(message.place.channel, _addresses(message.place.addresses))
        case "leave":
            return Leave(message.leave)
        case "seek":
            return Seek(message.seek.channel, _addresses(message.seek.addresses))
        case "wanted":
            return Wanted(message.wanted.channel, _whereabouts(message.wanted.who))
    raise ProtocolViolation("send: an empty question")


def _place(one: Take | Seek) -> pb.Place:
    return pb.Place(channel=one.channel, addresses=_raw(one.addresses))


def _found(one: Whereabouts) -> pb.Found:
    return pb.Found(peer_id=one.peer.to_bytes(), addresses=_raw(one.addresses))


def _whereabouts(message: pb.Found) -> Whereabouts:
    try:
        return Whereabouts(PeerId(message.peer_id), _addresses(message.addresses))
    except InvalidPeerId as error:
        raise ProtocolViolation(f"send: {error}") from error


def _raw(addresses: Sequence[Multiaddr]) -> list[bytes]:
    return [address.to_bytes() for address in addresses[:ADDRESSES_MAX]]


def _addresses(raw: Sequence[bytes]) -> tuple[Multiaddr, ...]:
    return tuple(_readable(raw[:ADDRESSES_MAX]))


def _readable(raw: Iterable[bytes]) -> Iterator[Multiaddr]:
    for one in raw:
        try:
            yield Multiaddr.from_bytes(one).without_peer()
        except InvalidMultiaddr:
            continue
