"""The messages of the send protocol as plain values.

In:  bytes of one frame, as a stranger sent it; or what we want to say. Out: the other form.
Spec: docs/protocols/send.md; the wire form is proto/send.proto.

Refuses, with `ProtocolViolation`, bytes that are not the message, and offers of nothing or of too much. What
the other side declines becomes `Declined`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from warren.core import protobuf
from warren.core.cid import Cid
from warren.core.errors import InvalidCid, ProtocolViolation
from warren.protocols.send.proto import send_pb2 as pb

SMALL_BYTES_MAX: Final = 1024
"""All but the offer. Attack: a stranger makes us hold or parse a large message; a full one has 400 bytes."""
ANSWER_BYTES_MAX: Final = 256 * 1024
"""The offer: 64 items with tickets. Attack: whom we asked sends without end."""
ITEMS_MAX: Final = 64
NAME_CHARS_MAX: Final = 64
"""Attack: a name that fills the screen or the log."""
ITEM_NAME_BYTES_MAX: Final = 255
TICKET_BYTES_MAX: Final = 2560
SIZE_MAX: Final = 1 << 62

Reason = pb.Refusal.Reason
State: TypeAlias = Literal["asking", "fetching", "done", "declined", "failed"]
_STATES: Final[dict[State, pb.Report.State]] = {
    "asking": pb.Report.ASKING,
    "fetching": pb.Report.FETCHING,
    "done": pb.Report.DONE,
    "declined": pb.Report.DECLINED,
    "failed": pb.Report.FAILED,
}
_STATE_OF: Final = {number: state for state, number in _STATES.items()}


class Declined(Exception):
    """The sender's no, with its reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(pb.Refusal.Reason.Name(reason) if reason in pb.Refusal.Reason.values() else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hello:
    """A receiver begins an attempt at whoever sends under `channel`."""

    channel: int
    share: bytes

    def to_bytes(self) -> bytes:
        """As the first frame."""
        return pb.Hello(channel=self.channel, share=self.share).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Hello:
        """Raises ProtocolViolation."""
        message = protobuf.parse(pb.Hello, data, "send: the hello")
        return cls(message.channel, message.share)


@dataclass(frozen=True, slots=True)
class Proof:
    """The receiver's confirmation. Who it is it says later, to who has proven the code as well."""

    confirmation: bytes

    def to_bytes(self) -> bytes:
        """As the receiver's second frame."""
        return pb.Proof(confirmation=self.confirmation).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Proof:
        """Raises ProtocolViolation."""
        return cls(protobuf.parse(pb.Proof, data, "send: the proof").confirmation)


@dataclass(frozen=True, slots=True)
class Item:
    """A file or folder that is sent. name: what the sender calls it. size: content in bytes, of its `files`.
    ticket: the sender's word that the receiver may have it, for others who have it too. All of it is the
    sender's claim, but for what the root says of itself.
    """

    root: Cid
    name: str
    size: int
    files: int
    is_folder: bool
    ticket: bytes = b""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is sent. name: what the sender calls itself."""

    items: tuple[Item, ...]
    name: str = ""

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return sum(item.size for item in self.items)

    @property
    def files(self) -> int:
        """Files of all items."""
        return sum(item.files for item in self.items)

    def to_bytes(self) -> bytes:
        """The form that is confirmed."""
        return pb.Offer(items=map(_item_message, self.items), name=self.name).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Offer:
        """Raises ProtocolViolation."""
        message = protobuf.parse(pb.Offer, data, "send: the offer")
        if not 1 <= len(message.items) <= ITEMS_MAX:
            raise ProtocolViolation(f"an offer of {len(message.items)} items (1 to {ITEMS_MAX} are allowed)")
        return cls(tuple(map(_item, message.items)), _name(message.name))


@dataclass(frozen=True, slots=True)
class Granted:
    """The sender's confirmation, which covers the offer: an `Offer` as bytes."""

    confirmation: bytes
    offer: bytes

    def to_bytes(self) -> bytes:
        """As the sender's second frame."""
        granted = pb.Granted(confirmation=self.confirmation, offer=self.offer)
        return pb.Answer(granted=granted).SerializeToString()


@dataclass(frozen=True, slots=True)
class Report:
    """How far a receiver is, by its own word. done_bytes: of all items. name: what it calls itself."""

    state: State
    done_bytes: int = 0
    name: str = ""

    def to_bytes(self) -> bytes:
        """As a frame."""
        report = pb.Report(state=_STATES[self.state], done_bytes=self.done_bytes, name=self.name)
        return report.SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Report:
        """Raises ProtocolViolation."""
        message = protobuf.parse(pb.Report, data, "send: the report")
        state = _STATE_OF.get(message.state)
        if state is None:
            raise ProtocolViolation(f"send: state {message.state} is none")
        return cls(state, message.done_bytes, _name(message.name))


def challenge(share: bytes) -> bytes:
    """The sender goes on with an attempt."""
    return pb.Challenge(share=share).SerializeToString()


def refused_hello(reason: Reason) -> bytes:
    """The sender does not."""
    return pb.Challenge(refusal=pb.Refusal(reason=reason)).SerializeToString()


def refused_proof(reason: Reason) -> bytes:
    """The attempt came to nothing."""
    return pb.Answer(refusal=pb.Refusal(reason=reason)).SerializeToString()


def read_challenge(data: bytes) -> bytes:
    """The sender's share. Raises Declined, ProtocolViolation."""
    message = protobuf.parse(pb.Challenge, data, "send: the challenge")
    match message.WhichOneof("outcome"):
        case "share":
            return message.share
        case "refusal":
            raise Declined(message.refusal.reason)
    raise ProtocolViolation("send: an empty challenge")


def read_answer(data: bytes) -> Granted:
    """What became of the attempt. Raises Declined, ProtocolViolation."""
    message = protobuf.parse(pb.Answer, data, "send: the answer")
    match message.WhichOneof("outcome"):
        case "granted":
            return Granted(message.granted.confirmation, message.granted.offer)
        case "refusal":
            raise Declined(message.refusal.reason)
    raise ProtocolViolation("send: an empty answer")


def clipped(name: str) -> str:
    """A name as it may be sent."""
    return name[:NAME_CHARS_MAX]


def _name(name: str) -> str:
    if len(name) > NAME_CHARS_MAX:
        raise ProtocolViolation(f"send: a name of {len(name)} characters")
    return name


def _item(message: pb.Item) -> Item:
    try:
        root = Cid.from_bytes(message.root)
    except InvalidCid as error:
        raise ProtocolViolation(f"send: {error}") from error
    if not 1 <= len(message.name.encode()) <= ITEM_NAME_BYTES_MAX or len(message.ticket) > TICKET_BYTES_MAX:
        raise ProtocolViolation("send: an item without a name, or with one or a ticket that is too long")
    if max(message.size, message.files) > SIZE_MAX:
        raise ProtocolViolation(f"send: an item of {message.size} bytes in {message.files} files")
    return Item(root, message.name, message.size, message.files, message.folder, message.ticket)


def _item_message(item: Item) -> pb.Item:
    return pb.Item(
        root=item.root.to_bytes(),
        name=item.name,
        size=item.size,
        files=item.files,
        folder=item.is_folder,
        ticket=item.ticket,
    )
