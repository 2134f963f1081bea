"""Files, folders, shards and symlinks that someone else built: what is taken is bounded and adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.targets import dag_pb
from warren.core.errors import ProtocolViolation
from warren.services.files.dag import unixfs
from warren.services.files.dag.build import CHUNK_BYTES
from warren.services.files.dag.read import (
    NAME_BYTES_MAX,
    FileNode,
    FolderNode,
    ShardNode,
    SymlinkNode,
    read_node,
)

if TYPE_CHECKING:
    from warren.services.files.dag.read import (
        Node,
    )

DOCUMENTED = (ProtocolViolation,)
SEEDS = dag_pb.SEEDS


def parse(data: bytes) -> Node:
    return read_node(data)


def verify(data: bytes, node: Node) -> None:
    match node:
        case FolderNode(links) | ShardNode(links):
            assert all(len(link.name.encode()) <= NAME_BYTES_MAX for link in links)
            assert len(links) <= len(data) // 40
        case FileNode(size, children):
            assert size == sum(below for _, below in children)
            assert all(0 < below <= CHUNK_BYTES or not link.is_raw for link, below in children)
        case SymlinkNode(target):
            assert 0 < len(target.encode()) <= unixfs.SYMLINK_TARGET_BYTES_MAX
