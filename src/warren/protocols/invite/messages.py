"""The two messages of the invite protocol as plain values.

In:  bytes of one frame, as a stranger sent it; or what we want to say. Out: the other form.
Spec: docs/protocols/invite.md; the wire form is proto/invite.proto.

Refuses, with `ProtocolViolation`, bytes that are not the message. Addresses that we cannot read are left
out, not refused: a newer peer may have transports that we do not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core import protobuf
from warren.core.errors import InvalidMultiaddr, ProtocolViolation, Refused
from warren.core.multiaddr import Multiaddr
from warren.protocols.invite.proto import invite_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Attack: a stranger makes us hold or parse a large message. A full claim has some 700 bytes.
MESSAGE_BYTES_MAX = 4096
# Attack: a name that fills listings or the log.
NAME_CHARS_MAX = 64
# Attack: a list of addresses that makes us dial half the world.
ADDRESSES_MAX = 8

Reason = invite_pb2.Refusal.Reason


@dataclass(frozen=True, slots=True)
class Introduction:
    """How a peer wants to be known. All of it is its own claim. `addresses` carry no peer id."""

    name: str
    addresses: tuple[Multiaddr, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What who was invited says: the token of the invitation, the proof, and who it is."""

    token: bytes
    proof: bytes
    introduction: Introduction

    def to_bytes(self) -> bytes:
        return invite_pb2.Claim(
            token=self.token, proof=self.proof, introduction=_to_message(self.introduction)
        ).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Claim:
        """Raises ProtocolViolation."""
        message = protobuf.parse(invite_pb2.Claim, data, "the claim of an invitation")
        return cls(message.token, message.proof, _from_message(message.introduction))


class Declined(Exception):
    """Why an invitation is not honoured; never leaves this side but as a reason on the wire."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(invite_pb2.Refusal.Reason.Name(reason))
        self.reason = reason


def welcome(introduction: Introduction) -> bytes:
    """The answer that honours a claim."""
    return invite_pb2.Answer(welcome=_to_message(introduction)).SerializeToString()


def refusal(reason: Reason) -> bytes:
    """The answer that declines a claim."""
    return invite_pb2.Answer(refusal=invite_pb2.Refusal(reason=reason)).SerializeToString()


def read_answer(data: bytes) -> Introduction:
    """Who invited us. Raises Refused with the reason in words, ProtocolViolation for anything else."""
    message = protobuf.parse(invite_pb2.Answer, data, "the answer to an invitation")
    match message.WhichOneof("outcome"):
        case "welcome":
            return _from_message(message.welcome)
        case "refusal":
            raise _in_words(message.refusal.reason)
        case _:
            raise ProtocolViolation("the answer to an invitation is empty")


def _in_words(reason: Reason) -> Refused:
    another = "ask for a new code"
    match reason:
        case invite_pb2.Refusal.UNKNOWN:
            return Refused("the inviter does not know this code", hint=another)
        case invite_pb2.Refusal.EXPIRED:
            return Refused("the invitation has expired", hint=another)
        case invite_pb2.Refusal.USED_UP:
            return Refused("the invitation is used up", hint=another)
        case invite_pb2.Refusal.REMOVED:
            return Refused("you used this code before and were removed from the contacts since", hint=another)
        case invite_pb2.Refusal.TOO_MANY:
            return Refused("too many wrong codes came from here", hint="wait a minute, then try again")
        case invite_pb2.Refusal.NO_ROOM:
            return Refused("the inviter has no room for another contact", hint="ask them to remove some")
        case _:
            return Refused("the inviter said no", hint=another)


def _to_message(introduction: Introduction) -> invite_pb2.Introduction:
    addresses = introduction.addresses[:ADDRESSES_MAX]
    return invite_pb2.Introduction(
        name=introduction.name[:NAME_CHARS_MAX], addresses=[address.to_bytes() for address in addresses]
    )


def _from_message(message: invite_pb2.Introduction) -> Introduction:
    return Introduction(message.name[:NAME_CHARS_MAX], tuple(_readable(message.addresses[:ADDRESSES_MAX])))


def _readable(addresses: Iterable[bytes]) -> Iterator[Multiaddr]:
    for raw in addresses:
        try:
            yield Multiaddr.from_bytes(raw).without_peer()
        except InvalidMultiaddr:
            continue
