"""Walking a graph from afar: verified nodes in, what to make on the disk out. A pure machine.

In: blocks in the order of the graph (depth first), each of which must have the content id that its verified
parent named; so a tree of any size is verified as it comes, in memory for the folders on the way alone. Out:
folders, files with the place of each chunk, symlinks, all with names that are safe here.

Refuses (`BadBlock`) what does not hash to its id, and (`ProtocolViolation`) graphs whose sizes do not add up,
that nest too deep, or that hold more entries than `ENTRIES_MAX`. That the sizes add up is what stops a few
blocks that name each other from standing for a tree without end: its size would show at the root.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from warren.core.errors import IntegrityError, ProtocolViolation
from warren.services.files.dag.pb import NODE_CID_PREFIX, RAW_CID_PREFIX
from warren.services.files.dag.read import FileNode, FolderNode, ShardNode, SymlinkNode, read_node
from warren.services.files.hashing import join
from warren.services.files.names import FolderNames
from warren.services.files.types import SKIPPED_SHOWN_MAX, Renamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.services.files.dag.pb import Link
    from warren.services.files.dag.read import Node
    from warren.services.files.names import NameRules

ENTRIES_MAX: Final = 10_000_000
"""Attack: trees of nothing but empty entries, which cost their author little and the disk an inode each."""
FOLDER_ENTRIES_MAX: Final = 500_000
"""Attack: one folder without end, whose names are kept until its last one; this is memory, some 60 MB."""
SYMLINKS_MAX: Final = 100_000
"""Attack: the same in memory: symlinks are kept until all else is there."""
PATH_BYTES_MAX: Final = 4096
"""Attack: nesting without end. No system opens longer paths."""
FILE_LEVELS_MAX: Final = 8
SHARD_LEVELS_MAX: Final = 9
"""Attack: chains of nodes with one link each. 1,024 links a node reach an exbibyte in five levels; a hash of
eight bytes fills eight."""
LEAF_UNKNOWN: Final = -1

EMPTY_DIGEST: Final = hashlib.sha256(b"").digest()


class BadBlock(IntegrityError):
    """Data that does not hash to the content id asked for; `cid` is binary."""

    def __init__(self, cid: bytes) -> None:
        super().__init__("a block does not fit its content id")
        self.cid = cid


class TargetFile:
    """A file to be made: `path` here, `source` at its origin, both relative to the top ('' for it).

    `size` is `LEAF_UNKNOWN` for a lone chunk whose length nobody said; `left` counts bytes not written.
    """

    __slots__ = ("left", "path", "size", "source")

    def __init__(self, path: str, source: str, size: int) -> None:
        self.path = path
        self.source = source
        self.size = size
        self.left = size


class Leaf(NamedTuple):
    """A chunk of a file and its place in it."""

    digest: bytes
    offset: int
    length: int


class MakeFolder(NamedTuple):
    """Make the folder `path`; its parents were made before."""

    path: str


class MakeFile(NamedTuple):
    """Fill a file with these chunks, all of it or a part. An empty file has none.

    first: the number of the first one; those behind it have the next numbers. Leaves are numbered from 0 on,
    in the order of the steps, which the graph alone decides: so all who fetch a root mean the same by them.
    """

    file: TargetFile
    leaves: Sequence[Leaf]
    first: int


class MakeSymlink(NamedTuple):
    """Make a symlink, once all else is there."""

    path: str
    source: str
    target: str


Step: TypeAlias = MakeFolder | MakeFile | MakeSymlink


class _Folder:
    """A folder whose entries are still coming; `left` are those that it may still have."""

    __slots__ = ("left", "names", "path", "source")

    def __init__(self, path: str, source: str, rules: NameRules) -> None:
        self.path = path
        self.source = source
        self.names = FolderNames(rules)
        self.left = FOLDER_ENTRIES_MAX


class _Entry(NamedTuple):
    """An entry of a folder that is a node of its own, or the root."""

    path: str
    source: str


class _Shard(NamedTuple):
    """A further part of a folder."""

    folder: _Folder
    level: int


class _Part(NamedTuple):
    """A further part of a file, from `offset` on, `size` bytes."""

    file: TargetFile
    offset: int
    size: int
    level: int


class _Expected(NamedTuple):
    """A node to come: its id, the bytes of all blocks under it as its parent says, and what it is for."""

    cid: bytes
    total: int | None
    role: _Entry | _Shard | _Part


class Walk:
    """See the module's header. Feed it with `receive` until `done`.

    root: binary content id. size: the bytes of the content, where the root is a lone chunk and they are
    known. files, leaves, content_bytes: what was met so far. renamed, renamed_count: what got another name;
    the list is cut at `SKIPPED_SHOWN_MAX`. top: the file that the root is, once that is known; is_folder: it
    is known to be a folder.
    """

    def __init__(self, root: bytes, rules: NameRules, *, size: int = LEAF_UNKNOWN) -> None:
        self._rules = rules
        self._pending: list[_Expected] = []
        self._entries = self._symlinks = 0
        self._node_bytes = 0
        self._graph_bytes = 0
        self._steps: list[Step] = []
        self.files = self.leaves = 0
        self.content_bytes = 0
        self.renamed: list[Renamed] = []
        self.renamed_count = 0
        self.top: TargetFile | None = None
        self.is_folder = False
        if root.startswith(RAW_CID_PREFIX):
            self._add_leaf_file("", "", root[4:], size)
        elif root.startswith(NODE_CID_PREFIX):
            self._pending.append(_Expected(root, None, _Entry("", "")))
        else:
            raise ProtocolViolation("a root that is neither raw bytes nor a dag-pb node under SHA2-256")

    @property
    def done(self) -> bool:
        """Whether all nodes came."""
        return not self._pending

    @property
    def total_bytes(self) -> int:
        """The content of the whole tree in bytes: exact for a file, and for a tree once it is done.

        Before that it is what its sizes say, with the nodes that have not come counted in.
        """
        return max(self.content_bytes, self._graph_bytes - self._node_bytes)

    def wanted(self, count: int) -> list[bytes]:
        """The content ids of the next nodes to ask for, `count` at most: each stands for all below it."""
        return [expected.cid for expected in reversed(self._pending[-count:])]

    def take_steps(self) -> list[Step]:
        """What to do, as known so far; each step comes once."""
        steps, self._steps = self._steps, []
        return steps

    def receive(self, block: bytes | bytearray | memoryview) -> None:
        """The next node. Raises `BadBlock`, `ProtocolViolation`."""
        if not self._pending:
            raise ProtocolViolation("a node too many")
        expected = self._pending[-1]
        if hashlib.sha256(block).digest() != expected.cid[4:]:
            raise BadBlock(expected.cid)
        self._pending.pop()
        node = read_node(block)
        self._check_total(expected, node, len(block))
        self._node_bytes += len(block)
        match expected.role:
            case _Entry(path, source):
                self._on_entry(path, source, node)
            case _Shard(folder, level):
                self._on_shard(folder, level, node)
            case _Part() as part:
                self._on_part(part, node)

    # --- nodes by their role ------------------------------------------------------------------------------

    def _on_entry(self, path: str, source: str, node: Node) -> None:
        match node:
            case FolderNode(links) | ShardNode(links):
                self.is_folder = self.is_folder or not path
                self._steps.append(MakeFolder(path))
                self._add_links(_Folder(path, source, self._rules), links, 1)
            case FileNode(size, children):
                if not path:
                    self._graph_bytes = size
                self._add_part(self._new_file(path, source, size), 0, children, 1)
            case SymlinkNode(target):
                self._symlinks += 1
                if self._symlinks > SYMLINKS_MAX:
                    raise ProtocolViolation(f"a tree of more than {SYMLINKS_MAX} symlinks")
                self._steps.append(MakeSymlink(path, source, target))

    def _on_shard(self, folder: _Folder, level: int, node: Node) -> None:
        if not isinstance(node, ShardNode) or level > SHARD_LEVELS_MAX:
            raise ProtocolViolation("a part of a folder is no such part, or lies too deep")
        self._add_links(folder, node.links, level)

    def _on_part(self, part: _Part, node: Node) -> None:
        if not isinstance(node, FileNode) or node.size != part.size or part.level > FILE_LEVELS_MAX:
            raise ProtocolViolation("a part of a file is no such part, has another size, or lies too deep")
        self._add_part(part.file, part.offset, node.children, part.level)

    # --- what follows from them ---------------------------------------------------------------------------

    def _add_links(self, folder: _Folder, links: list[Link], level: int) -> None:
        self._entries += len(links)
        if self._entries > ENTRIES_MAX:
            raise ProtocolViolation(f"a tree of more than {ENTRIES_MAX} entries")
        pending: list[_Expected] = []
        for link in links:
            if not link.name:
                pending.append(_Expected(link.cid, link.size, _Shard(folder, level + 1)))
                continue
            folder.left -= 1
            if folder.left < 0:
                raise ProtocolViolation(f"a folder of more than {FOLDER_ENTRIES_MAX} entries")
            name, reason = folder.names.claim(link.name)
            source = join(folder.source, link.name)
            if reason:
                self._note_renamed(Renamed(source, name, reason))
            path = join(folder.path, name)
            if len(path.encode()) > PATH_BYTES_MAX:
                raise ProtocolViolation(f"a path of more than {PATH_BYTES_MAX} bytes")
            if link.is_raw:
                self._add_leaf_file(path, source, link.cid[4:], link.size)
            else:
                pending.append(_Expected(link.cid, link.size, _Entry(path, source)))
        self._pending += reversed(pending)

    def _note_renamed(self, renamed: Renamed) -> None:
        self.renamed_count += 1
        if len(self.renamed) < SKIPPED_SHOWN_MAX:
            self.renamed.append(renamed)

    def _add_leaf_file(self, path: str, source: str, digest: bytes, size: int) -> None:
        """A file that is one chunk, or empty."""
        leaves = [Leaf(digest, 0, size)]
        if digest == EMPTY_DIGEST and size in {0, LEAF_UNKNOWN}:
            size, leaves = 0, []
        elif size == 0:
            raise ProtocolViolation("a file of no bytes that is not empty")
        self.content_bytes += max(0, size)
        self._add_leaves(self._new_file(path, source, size), leaves)

    def _new_file(self, path: str, source: str, size: int) -> TargetFile:
        self.files += 1
        file = TargetFile(path, source, size)
        if not path:
            self.top = file
        return file

    def _add_part(self, file: TargetFile, offset: int, children: list[tuple[Link, int]], level: int) -> None:
        leaves: list[Leaf] = []
        pending: list[_Expected] = []
        for link, size in children:
            if link.is_raw:
                if link.size != size:
                    raise ProtocolViolation("a chunk of a file has two sizes")
                leaves.append(Leaf(link.cid[4:], offset, size))
                self.content_bytes += size
            else:
                pending.append(_Expected(link.cid, link.size, _Part(file, offset, size, level + 1)))
            offset += size
        self._pending += reversed(pending)
        if leaves:
            self._add_leaves(file, leaves)

    def _add_leaves(self, file: TargetFile, leaves: list[Leaf]) -> None:
        self._steps.append(MakeFile(file, leaves, self.leaves))
        self.leaves += len(leaves)

    def _check_total(self, expected: _Expected, node: Node, length: int) -> None:
        total = length
        if isinstance(node, FileNode):
            total += sum(link.size for link, _ in node.children)
        elif not isinstance(node, SymlinkNode):
            total += sum(link.size for link in node[0])
        if expected.total is None:
            self._graph_bytes = total
        elif expected.total != total:
            raise ProtocolViolation("the sizes in a tree do not add up")
