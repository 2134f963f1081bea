"""The messages of the transfer protocol, checked on arrival.

In: foreign frames. Out: frozen values that keep every cap below; and their frames. Refuses what does not
parse, what breaks a cap, and anything but exactly one kind of request. Raises only `ProtocolViolation`.
docs/protocols/transfer.md
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core import protobuf
from warren.core.errors import ProtocolViolation
from warren.core.framing import frame
from warren.protocols.transfer.proto import transfer_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

PROTOCOL_ID: Final = "/warren/transfer/1.0.0"

WANTS_MAX: Final = 1024
"""Chunks or graphs asked for in one request. Attack: one frame that makes the server plan without end."""
REQUEST_BYTES_MAX: Final = 48 * 1024
"""Room for `WANTS_MAX` content ids of 36 bytes, and for a path. Attack: frames that are buffered in full."""
PATH_BYTES_MAX: Final = 4096
"""Attack: paths that no file system has and every look-up has to carry."""
PAYLOAD_BYTES_MAX: Final = 1024 * 1024
"""The payloads of one answer together; the size of a chunk. Attack: answers that fill the memory."""
HEADER_BYTES_MAX: Final = 8 * 1024
"""An answer's header: 1,024 lengths of 3 bytes and some fields. Attack: headers without end."""
LISTING_BYTES_MAX: Final = 512 * 1024
"""A server ends a listing's page here, well below what an answer may carry."""
LISTING_ENTRIES_MAX: Final = 1000

DIGEST_BYTES: Final = 32
CID_BYTES: Final = 4 + DIGEST_BYTES
RAW_PREFIX: Final = b"\x01\x55\x12\x20"
NODE_PREFIX: Final = b"\x01\x70\x12\x20"
"""How every content id begins here: version 1, raw bytes or dag-pb, SHA2-256 of 32 bytes."""


class Status(enum.IntEnum):
    """What became of a request, or of one chunk of it; the numbers that travel."""

    OK = 0
    NOT_FOUND = 1
    CHANGED = 2
    VANISHED = 3
    UNREADABLE = 4
    BUSY = 5
    TURN = 6


class Kind(enum.IntEnum):
    """What an entry of a listing is; the numbers that travel."""

    FILE = 0
    DIR = 1
    SYMLINK = 2


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What lies at `path`, and in it; the shares where it is empty."""

    id: int
    path: str = ""
    after: str = ""
    limit: int = LISTING_ENTRIES_MAX


@dataclass(frozen=True, slots=True)
class TreeRequest:
    """The nodes of these graphs, depth first, up to about 1 MiB."""

    id: int
    cids: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class ChunksRequest:
    """Raw leaves in this order; with `check`, hashed again before they are sent."""

    id: int
    digests: Sequence[bytes]
    check: bool = False


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """Tell when it is our turn to be sent something; or, with `give_back`, that it is not needed."""

    id: int
    give_back: bool = False


Request: TypeAlias = ListRequest | TreeRequest | ChunksRequest | TurnRequest


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing; `cid` is binary, `size` the content in bytes."""

    name: str
    kind: Kind
    size: int
    cid: bytes


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies at a path: itself (`here`, None for the empty path), and a page of what is in it."""

    here: Entry | None
    entries: Sequence[Entry] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """The head of an answer; so many payloads of these lengths follow it. waited_ms: the wait for a turn to
    be sent something, the last time.
    """

    request: int
    status: Status = Status.OK
    index: int = 0
    lengths: Sequence[int] = field(default=())
    last: bool = False
    waited_ms: int = 0


def encode_request(request: Request) -> bytes:
    """The frame of a request."""
    message = pb.Request(id=request.id)
    match request:
        case ListRequest(_, path, after, limit):
            message.list.CopyFrom(pb.List(path=path, after=after, limit=limit))
        case TreeRequest(_, cids):
            message.tree.cids.extend(cids)
        case ChunksRequest(_, digests, check):
            message.chunks.CopyFrom(pb.Chunks(digests=digests, check=check))
        case TurnRequest(_, give_back):
            message.turn.CopyFrom(pb.Turn(give_back=give_back))
    return frame(message.SerializeToString())


def decode_request(raw: bytes) -> Request:
    """Read the payload of a request's frame. Raises `ProtocolViolation`."""
    message = protobuf.parse(pb.Request, raw, "the request")
    match message.WhichOneof("what"):
        case "list":
            asked = message.list
            if len(asked.path.encode()) > PATH_BYTES_MAX or len(asked.after.encode()) > PATH_BYTES_MAX:
                raise ProtocolViolation(f"a path of more than {PATH_BYTES_MAX} bytes")
            return ListRequest(message.id, asked.path, asked.after, min(asked.limit, LISTING_ENTRIES_MAX))
        case "tree":
            cids = _ids(message.tree.cids, CID_BYTES, "content ids")
            if not all(cid.startswith(NODE_PREFIX) for cid in cids):
                raise ProtocolViolation("a request for the graph under something that is no dag-pb node")
            return TreeRequest(message.id, cids)
        case "chunks":
            digests = message.chunks.digests
            return ChunksRequest(message.id, _ids(digests, DIGEST_BYTES, "digests"), message.chunks.check)
        case "turn":
            return TurnRequest(message.id, message.turn.give_back)
    raise ProtocolViolation("a request that asks for nothing we know")


def encode_header(header: Header) -> bytes:
    """The frame of an answer's head."""
    message = pb.Answer(
        request=header.request,
        status=header.status.value,  # type: ignore[arg-type]
        index=header.index,
        lengths=header.lengths,
        last=header.last,
        waited_ms=header.waited_ms,
    )
    return frame(message.SerializeToString())


def decode_header(raw: bytes) -> Header:
    """Read the payload of a header's frame. Raises `ProtocolViolation`."""
    message = protobuf.parse(pb.Answer, raw, "the head of an answer")
    lengths = tuple(message.lengths)
    if len(lengths) > WANTS_MAX or sum(lengths) > PAYLOAD_BYTES_MAX:
        raise ProtocolViolation(f"an answer of {len(lengths)} payloads, {sum(lengths)} bytes")
    try:
        status = Status(message.status)
    except ValueError as error:
        raise ProtocolViolation(f"an answer of status {message.status}, which we do not know") from error
    if lengths and status is not Status.OK:
        raise ProtocolViolation("a failed answer with payload")
    return Header(message.request, status, message.index, lengths, message.last, message.waited_ms)


def encode_listing(listing: Listing) -> bytes:
    """The payload of an answer to a `ListRequest`."""
    entries = [_entry_message(entry) for entry in listing.entries]
    here = _entry_message(listing.here) if listing.here else None
    return pb.Listing(here=here, entries=entries, more=listing.more).SerializeToString()


def decode_listing(raw: bytes | bytearray | memoryview) -> Listing:
    """Read the payload of an answer to a `ListRequest`. Raises `ProtocolViolation`."""
    message = protobuf.parse(pb.Listing, bytes(raw), "the listing")
    if len(message.entries) > LISTING_ENTRIES_MAX:
        raise ProtocolViolation(f"a listing of {len(message.entries)} entries")
    here = _entry(message.here) if message.HasField("here") else None
    return Listing(here, tuple(_entry(entry) for entry in message.entries), message.more)


def _entry_message(entry: Entry) -> pb.Entry:
    return pb.Entry(name=entry.name, kind=entry.kind.value, size=entry.size, cid=entry.cid)  # type: ignore[arg-type]


def _entry(message: pb.Entry) -> Entry:
    if len(message.cid) != CID_BYTES or not message.cid.startswith((RAW_PREFIX, NODE_PREFIX)):
        raise ProtocolViolation("an entry without a content id that we know")
    if not message.name or "/" in message.name or "\0" in message.name:
        raise ProtocolViolation("an entry without a name, or with one that is a path")
    try:
        return Entry(message.name, Kind(message.kind), message.size, message.cid)
    except ValueError as error:
        raise ProtocolViolation(f"an entry of kind {message.kind}, which we do not know") from error


def _ids(found: Sequence[bytes], size: int, what: str) -> list[bytes]:
    if not 1 <= len(found) <= WANTS_MAX or any(len(one) != size for one in found):
        raise ProtocolViolation(f"a request needs 1 to {WANTS_MAX} {what} of {size} bytes")
    return list(found)
