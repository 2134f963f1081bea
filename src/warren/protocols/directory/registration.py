"""Registrations: what a peer lets a super-peer find, whole or as what changed; signed by itself.

In:  entries and paths with the numbers of the log they come from; foreign envelopes. Out: sealed bytes;
checked registrations. One signature covers all of it. Pure.

Refuses, with `ProtocolViolation`: envelopes over their size, signatures that do not hold or are another
peer's, more entries than a message may have, numbers that run backwards, tables as audiences.py does. Entries
that entries.py refuses are left out: one of them keeps nobody from registering the others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.entry import is_entry_path
from warren.core.envelope import SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.protocols.directory.audiences import Audiences
from warren.protocols.directory.entries import from_message, to_message
from warren.protocols.directory.proto import directory_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.entries import Registered

DOMAIN: Final = "warren-directory"
PAYLOAD_TYPE: Final = b"/warren/directory/registration"
CHANGES_MAX: Final = 2000
"""Entries and paths in one. Attack: a message whose taking apart holds up the others."""
CHANGES_BYTES_MAX: Final = 56 * 1024
"""Entries and paths in one of ours: with key and signature it fits an envelope. A table goes alone."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What changed after `from_seq` up to `to_seq` of the log `epoch`, as last states; or a part of a
    `snapshot`, which is all that there is at `to_seq`.

    more: of a snapshot, that another part follows; it takes effect with the last one. added: of a part of a
    snapshot that came, read anew each time that one goes through it; its length counts what is none, too.
    audiences: the table of the numbers of entries, where it is new to who gets this; it goes without changes,
    from a number to the same. anew: a snapshot that holds though something later is known, of which the owner
    knows nothing. left_out: entries and paths that were none, of a delta that was read.
    """

    epoch: int
    from_seq: int
    to_seq: int
    added: Collection[Registered] = ()
    removed: tuple[str, ...] = ()
    snapshot: bool = False
    more: bool = False
    audiences: Audiences | None = None
    anew: bool = False
    left_out: int = 0

    def seal(self, key: PrivateKey) -> bytes:
        """The registration in an envelope of the owner's."""
        return SignedEnvelope.seal(key, DOMAIN, PAYLOAD_TYPE, self.to_payload()).to_bytes()

    def to_payload(self) -> bytes:
        """What is signed."""
        return pb.Registration(
            epoch=self.epoch,
            from_seq=self.from_seq,
            to_seq=self.to_seq,
            snapshot=self.snapshot,
            more=self.more,
            added=[to_message(*one) for one in self.added],
            removed=self.removed,
            audiences=self.audiences.to_message() if self.audiences is not None else None,
            anew=self.anew,
        ).SerializeToString(deterministic=True)

    @classmethod
    def open(cls, data: bytes, owner: PeerId) -> Registration:
        """Check that it is the owner's (0.1 ms and more), and read it. Raises `ProtocolViolation`."""
        envelope = SignedEnvelope.open(data, DOMAIN)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ProtocolViolation("directory: an envelope with something else in it")
        if envelope.public_key.peer_id != owner:
            raise ProtocolViolation(f"directory: {envelope.public_key.peer_id} signed what {owner} registers")
        return cls.from_payload(envelope.payload)

    @classmethod
    def from_payload(cls, data: bytes) -> Registration:
        """What an envelope holds whose signature was checked. Raises `ProtocolViolation`."""
        message = protobuf.parse(pb.Registration, data, "directory: the registration")
        if len(message.added) + len(message.removed) > CHANGES_MAX:
            raise ProtocolViolation(f"directory: more than {CHANGES_MAX} changes at once")
        if message.from_seq > message.to_seq or max(message.epoch, message.to_seq) >= 1 << 63:
            raise ProtocolViolation("directory: a registration whose numbers run backwards, or out")
        if message.snapshot and message.removed:
            raise ProtocolViolation("directory: a snapshot that takes something away")
        count = len(message.added)
        added = Unread(data, count) if message.snapshot else tuple(_readable(message.added))
        removed = tuple(filter(is_entry_path, message.removed))
        return cls(
            epoch=message.epoch,
            from_seq=message.from_seq,
            to_seq=message.to_seq,
            added=added,
            removed=removed,
            snapshot=message.snapshot,
            more=message.snapshot and message.more,
            audiences=Audiences.from_message(message.audiences) if message.HasField("audiences") else None,
            anew=message.snapshot and message.anew,
            left_out=count - len(added) + len(message.removed) - len(removed),
        )


class Unread(Collection["Registered"]):
    """The entries of a registration, as they came: read, they take six times as much memory.

    Fault: a thousand peers that register at once after a restart, and wait for their turn.
    """

    __slots__ = ("_count", "_payload")

    def __init__(self, payload: bytes, count: int) -> None:
        self._payload = payload
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Registered]:
        return _readable(pb.Registration.FromString(self._payload).added)

    def __contains__(self, one: object) -> bool:
        return any(one == other for other in self)

    def __eq__(self, others: object) -> bool:
        return isinstance(others, Collection) and list(self) == list(others)

    __hash__ = None  # type: ignore[assignment]


def _readable(entries: Iterable[pb.Entry]) -> Iterator[Registered]:
    for one in entries:
        try:
            read = from_message(one)
        except ProtocolViolation:
            continue
        yield read


def fit(entries: Collection[Registered], room_bytes: int = CHANGES_BYTES_MAX) -> int:
    """How many of the first entries go into one registration."""
    for count, one in enumerate(entries):
        room_bytes -= size_of(one)
        if room_bytes < 0 or count == CHANGES_MAX:
            return count
    return len(entries)


def size_of(one: Registered) -> int:
    """Bytes of an entry in a registration, never less than they are."""
    return to_message(*one).ByteSize() + 4
