"""From a verified graph and the files that were made of it to rows of the index, without reading a file.

In:  the nodes that a fetch verified, and its copy on the disk. Out: what the importer would have made of the
copy, folder by folder. Refuses (`NotTheCopy`) where names, kinds or sizes on the disk are not those of the
graph, and where a node was not kept.

All of it blocks; call it in `offload`. Memory: the folders on the way from the top to where the work is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import WarrenError
from warren.services.files.dag.pb import Block, Link
from warren.services.files.dag.read import FileNode, FolderNode, ShardNode, SymlinkNode, read_node
from warren.services.files.hashing import INODE_MASK, join
from warren.services.files.index import EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.runtime.seam import DirEntry, Disk, Stat

    FindNode = Callable[[bytes], bytes | None]

PAGE_ROWS: Final = 500


class NotTheCopy(WarrenError):
    """What lies on the disk is not what the graph says."""


class _Entry(NamedTuple):
    """What the disk says of an entry."""

    kind: str
    size: int
    mtime_ns: int
    inode: int


class _Folder:
    """A folder whose entries are gone through: `waiting` are those still to come, `size` the bytes so far."""

    __slots__ = ("above", "blocks", "entries", "link", "name", "path", "size", "waiting")

    def __init__(self, above: str, link: Link, path: str) -> None:
        self.above = above
        self.link = link
        self.name = link.name
        self.path = path
        self.size = 0
        self.blocks: list[Block] = []
        self.waiting: list[Link] = []
        self.entries: dict[str, _Entry] = {}


class Rows:
    """The rows of one copy, in pages: those of a folder before its own, the top last.

    root: binary content id. top: the absolute path of the copy. find_node: a node by its binary content id.
    """

    def __init__(self, disk: Disk, top: str, root: bytes, find_node: FindNode) -> None:
        self._disk = disk
        self._top = top
        self._find_node = find_node
        self._root = root
        self._open: list[_Folder] = []

    def pages(self) -> Iterator[list[EntryRow]]:
        """All of them. Raises `NotTheCopy`, `ProtocolViolation`, `OSError`."""
        page: list[EntryRow] = []
        for row in self._rows():
            page.append(row)
            if len(page) == PAGE_ROWS:
                yield page
                page = []
        if page:
            yield page

    def _rows(self) -> Iterator[EntryRow]:
        top = _of_stat(self._disk.stat(self._top))
        link = Link(self._root, "", top.size)
        if not link.is_raw:
            link = link._replace(size=self._total(self._root))
        yield from self._entry("", link, top)
        while self._open:
            folder = self._open[-1]
            if folder.waiting:
                link = folder.waiting.pop()
                found = folder.entries.get(link.name)
                if found is None:
                    raise NotTheCopy(f"{join(folder.path, link.name)!r} is not there")
                yield from self._entry(folder.path, link, found)
                continue
            self._open.pop()
            if self._open:
                self._open[-1].size += folder.size
            inode = 0 if self._open else top.inode
            yield EntryRow(
                folder.above, folder.name, "dir", folder.size, 0, folder.link.cid, folder.link.size,
                trusted=True, blocks=folder.blocks, inode=inode,
            )  # fmt: skip

    def _entry(self, above: str, link: Link, found: _Entry) -> Iterator[EntryRow]:
        if link.is_raw:
            yield self._file(above, link, found, link.size, [(link.cid[4:], link.size)], [])
            return
        node, block = self._node(link)
        match node:
            case FileNode():
                leaves: list[tuple[bytes, int]] = []
                blocks: list[Block] = []
                self._gather_file(node, block, leaves, blocks)
                yield self._file(above, link, found, node.size, leaves, blocks)
            case SymlinkNode():
                self._check(above, link, found, "symlink")
                yield EntryRow(
                    above, link.name, "symlink", 0, 0, link.cid, link.size, trusted=True, blocks=(block,)
                )
            case FolderNode() | ShardNode():
                self._check(above, link, found, "dir")
                self._enter(above, link, node, block)

    def _file(
        self,
        above: str,
        link: Link,
        found: _Entry,
        size: int,
        leaves: list[tuple[bytes, int]],
        blocks: list[Block],
    ) -> EntryRow:
        self._check(above, link, found, "file")
        if found.size != size:
            raise NotTheCopy(f"{join(above, link.name)!r} has {found.size} bytes, not {size}")
        if self._open:
            self._open[-1].size += size
        return EntryRow(
            above, link.name, "file", size, found.mtime_ns, link.cid, link.size,
            trusted=True, leaves=leaves, blocks=blocks, inode=found.inode,
        )  # fmt: skip

    def _enter(self, above: str, link: Link, node: FolderNode | ShardNode, block: Block) -> None:
        folder = _Folder(above, link, join(above, link.name))
        parts = [(node, block)]
        while parts:
            part, block = parts.pop()
            folder.blocks.append(block)
            for one in part[0]:
                if one.name:
                    folder.waiting.append(one)
                    continue
                shard, below = self._node(one)
                if not isinstance(shard, ShardNode):
                    raise NotTheCopy(f"a part of {folder.path!r} is no such part")
                parts.append((shard, below))
        folder.entries = self._list(folder.path)
        self._open.append(folder)

    def _gather_file(
        self, node: FileNode, block: Block, leaves: list[tuple[bytes, int]], blocks: list[Block]
    ) -> None:
        blocks.append(block)
        for link, size in node.children:
            if link.is_raw:
                leaves.append((link.cid[4:], size))
                continue
            part, below = self._node(link)
            if not isinstance(part, FileNode):
                raise NotTheCopy("a part of a file is no such part")
            self._gather_file(part, below, leaves, blocks)

    def _list(self, folder: str) -> dict[str, _Entry]:
        opened = self._disk.open_folder(self._top, folder)
        try:
            return {entry.name: _of_entry(entry) for entry in opened.scan()}
        finally:
            opened.close()

    def _check(self, above: str, link: Link, found: _Entry, kind: str) -> None:
        if found.kind != kind:
            raise NotTheCopy(f"{join(above, link.name)!r} is no {kind}")

    def _node(self, link: Link) -> tuple[FileNode | FolderNode | ShardNode | SymlinkNode, Block]:
        data = self._block(link.cid)
        return read_node(data), Block(link.cid, data, link.size)

    def _block(self, cid: bytes) -> bytes:
        data = self._find_node(cid)
        if data is None:
            raise NotTheCopy("a node was not kept")
        return data

    def _total(self, cid: bytes) -> int:
        """The bytes of all blocks of the root: nobody above it says."""
        data = self._block(cid)
        node = read_node(data)
        match node:
            case FileNode(_, children):
                return len(data) + sum(link.size for link, _ in children)
            case SymlinkNode():
                return len(data)
            case FolderNode(links) | ShardNode(links):
                return len(data) + sum(link.size for link in links)


def _of_stat(status: Stat) -> _Entry:
    return _Entry(status.kind, status.size, status.mtime_ns, status.inode & INODE_MASK)


def _of_entry(entry: DirEntry) -> _Entry:
    return _Entry(entry.kind, entry.size, entry.mtime_ns, entry.inode & INODE_MASK)
