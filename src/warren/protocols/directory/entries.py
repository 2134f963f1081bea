"""Entries and their metadata on the wire.

In:  entries to tell; messages of others. Out: the other form. Pure. The wire form is proto/directory.proto.

Refuses, with `ProtocolViolation`: paths that are empty, too long, or lead anywhere but down; content ids that
are none; metadata over its bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.cid import Cid
from warren.core.entry import NOTHING, Entry, Metadata, check_told
from warren.core.errors import InputError, ProtocolViolation
from warren.protocols.directory.proto import directory_pb2 as pb

if TYPE_CHECKING:
    from warren.core.entry import EntryKind

ENTRY_BYTES_MAX: Final = 24 * 1024
"""One entry. What is said of it is left out where it would be longer. Attack: answers of few, huge hits."""
AUDIENCE_MAX: Final = (1 << 31) - 1
_KINDS: Final[dict[int, EntryKind]] = {pb.Entry.FILE: "file", pb.Entry.DIR: "dir"}


class Registered(NamedTuple):
    """An entry as its owner registers it. audience: its number in the owner's table; 0: everybody."""

    entry: Entry
    audience: int = 0


def to_message(entry: Entry, audience: int = 0) -> pb.Entry:
    """Of an entry that may be told; one that is too long goes without what is said of it."""
    message = pb.Entry(
        path=entry.path,
        kind=pb.Entry.DIR if entry.kind == "dir" else pb.Entry.FILE,
        size=entry.size,
        cid=entry.cid.to_bytes(),
        audience=audience,
    )
    if entry.metadata:
        message.metadata.CopyFrom(metadata_message(entry.metadata))
        if message.ByteSize() > ENTRY_BYTES_MAX:
            message.metadata.ClearField("abstract")
        if message.ByteSize() > ENTRY_BYTES_MAX:
            message.ClearField("metadata")
    return message


def from_message(message: pb.Entry) -> Registered:
    """Raises `ProtocolViolation`."""
    says = message.HasField("metadata")  # else its parts bound it
    if says and message.ByteSize() > ENTRY_BYTES_MAX:
        raise ProtocolViolation(f"directory: an entry of more than {ENTRY_BYTES_MAX} bytes")
    kind, audience = _KINDS.get(message.kind), message.audience
    if kind is None or audience > AUDIENCE_MAX:
        raise ProtocolViolation("directory: an entry of no known kind, or with numbers out of range")
    path, size, cid = message.path, message.size, message.cid  # once: each time makes another one
    try:
        check_told(path, size, cid)
        metadata = Metadata.read(message.metadata) if says else NOTHING
        return Registered(Entry(path, kind, size, Cid.from_bytes(cid), metadata), audience)
    except InputError as error:
        raise ProtocolViolation(f"directory: {error}") from error


def metadata_message(metadata: Metadata) -> pb.Metadata:
    """As it travels."""
    return pb.Metadata(
        title=metadata.title,
        abstract=metadata.abstract,
        authors=metadata.authors,
        domains=metadata.domains,
        tags=metadata.tags,
        licence=metadata.licence,
    )


def metadata_to_bytes(metadata: Metadata) -> bytes:
    """As it is kept: empty where nothing is said."""
    return metadata_message(metadata).SerializeToString(deterministic=True) if metadata else b""


def metadata_from_bytes(data: bytes) -> Metadata:
    """What `metadata_to_bytes` made."""
    return Metadata.read(pb.Metadata.FromString(data)) if data else NOTHING
