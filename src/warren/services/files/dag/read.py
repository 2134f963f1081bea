"""What a verified block is, to who walks a graph: a folder, a shard of one, a file, a symlink.

In: blocks that someone else built. Out: typed nodes whose parts fit together. Refuses files with content
inside their nodes (the profile keeps it in raw leaves), sizes that do not add up, chunks larger than the
profile's, shards whose links and bit field disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from warren.core.errors import ProtocolViolation
from warren.services.files.dag import pb, unixfs
from warren.services.files.dag.build import CHUNK_BYTES
from warren.services.files.dag.unixfs import NodeType

if TYPE_CHECKING:
    from warren.services.files.dag.pb import Link
    from warren.services.files.dag.unixfs import UnixFsData

NAME_BYTES_MAX = 1024
"""Attack: names that no file system holds and each listing repeats. Four times the usual limit of 255."""


class FolderNode(NamedTuple):
    """A whole folder: its entries."""

    entries: list[Link]


class ShardNode(NamedTuple):
    """A part of a folder: its entries by their full names, and, nameless, links to further parts."""

    links: list[Link]


class FileNode(NamedTuple):
    """A file or a part of one: `children` are its links, each with the bytes of the file below it."""

    size: int
    children: list[tuple[Link, int]]


class SymlinkNode(NamedTuple):
    """A symlink and where it points, as its author wrote it."""

    target: str


Node: TypeAlias = FolderNode | ShardNode | FileNode | SymlinkNode


def read_node(block: bytes | bytearray | memoryview) -> Node:
    """What `block` is. Raises `ProtocolViolation`."""
    links, raw = pb.decode(block)
    data = unixfs.decode(raw)
    match data.type:
        case NodeType.DIRECTORY:
            if any(not link.name for link in links):
                raise ProtocolViolation("an entry of a folder has no name")
            return FolderNode([_checked(link) for link in links])
        case NodeType.HAMT_SHARD:
            return _read_shard(links, data)
        case NodeType.FILE:
            return _read_file(links, data)
        case NodeType.SYMLINK:
            return _read_symlink(links, data)


def _read_shard(links: list[Link], data: UnixFsData) -> ShardNode:
    if data.hash_type != unixfs.HASH_MURMUR3 or data.fanout != unixfs.FANOUT:
        raise ProtocolViolation("a sharded folder of another hash or fanout than murmur3 and 256")
    bits, last = 0, -1
    read: list[Link] = []
    for link in links:
        place = _place(link.name)
        if place <= last:
            raise ProtocolViolation("the links of a shard are out of order")
        last = place
        bits |= 1 << place
        read.append(_checked(link._replace(name=link.name[2:])))
    if bits != int.from_bytes(data.data) or any(link.is_raw for link in read if not link.name):
        raise ProtocolViolation("the links of a shard do not fit its bit field")
    return ShardNode(read)


def _place(name: str) -> int:
    prefix = name[:2]
    if len(prefix) == 2 and all(digit in "0123456789ABCDEF" for digit in prefix):
        return int(prefix, 16)
    raise ProtocolViolation("a link of a shard does not begin with its place")


def _checked(link: Link) -> Link:
    if len(link.name) > NAME_BYTES_MAX or len(link.name.encode()) > NAME_BYTES_MAX:
        raise ProtocolViolation(f"a name in a folder is longer than {NAME_BYTES_MAX} bytes")
    if link.is_raw and link.size > CHUNK_BYTES:
        raise ProtocolViolation(f"a file of one chunk claims {link.size} bytes")
    return link


def _read_file(links: list[Link], data: UnixFsData) -> FileNode:
    sizes = data.block_sizes
    if data.data or not links or len(sizes) != len(links) or data.file_size != sum(sizes):
        raise ProtocolViolation("the sizes of a file's blocks do not fit its links")
    for link, size in zip(links, sizes, strict=True):
        if size == 0 or (link.is_raw and size > CHUNK_BYTES):
            raise ProtocolViolation(f"a file has a chunk of {size} bytes")
    return FileNode(data.file_size, list(zip(links, sizes, strict=True)))


def _read_symlink(links: list[Link], data: UnixFsData) -> SymlinkNode:
    if links or not 0 < len(data.data) <= unixfs.SYMLINK_TARGET_BYTES_MAX:
        raise ProtocolViolation("a symlink needs a target and has no links")
    try:
        return SymlinkNode(data.data.decode())
    except UnicodeDecodeError as error:
        raise ProtocolViolation("the target of a symlink is not UTF-8") from error
