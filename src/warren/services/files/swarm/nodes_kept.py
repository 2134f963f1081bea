"""Nodes of a fetch under way, kept for others: few in memory, more in a file that only grows.

In: verified nodes, from the thread that verified them. Out: the same, by content id. The file lies in the
hidden folder of the fetch and is read through its open descriptor, so it serves on when its name is gone.
A node that could not be kept is not there: who wants it asks another.

`add` (in one thread at a time) and `find` (in any) may block: call them in `offload`. `close` waits for the
readers that `reading` counted in.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.runtime.seam import Disk, WriteFile

MEMORY_BYTES: Final = 1024 * 1024
"""Of one fetch. A tree of 20,000 files or chunks takes about as much and makes no file."""
NODES_MAX: Final = 1 << 20
"""Nodes that are remembered, 200 bytes each. Attack: a tree of tiny folders; its nodes come from others."""
logger = logging.getLogger(__name__)


class NodesKept:
    """Of one fetch. path: of the file, which may be there from an earlier attempt and is written anew."""

    __slots__ = (
        "_closed",
        "_disk",
        "_file",
        "_held",
        "_held_bytes",
        "_path",
        "_places",
        "_readers",
        "_size",
        "_usable",
    )

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path
        self._held: dict[bytes, bytes] = {}
        self._held_bytes = 0
        self._places: dict[bytes, tuple[int, int]] = {}
        self._file: WriteFile | None = None
        self._size = 0
        self._usable = True
        self._readers = 0
        self._closed = False

    def add(self, cid: bytes, block: bytes) -> None:
        """Keep a verified node."""
        if cid in self._held or cid in self._places or len(self._held) + len(self._places) >= NODES_MAX:
            return
        if self._held_bytes + len(block) <= MEMORY_BYTES:
            self._held[cid] = block
            self._held_bytes += len(block)
        elif self._usable:
            self._append(cid, block)

    def find(self, cid: bytes) -> bytes | None:
        """The node, if it was kept and can be read."""
        held = self._held.get(cid)
        if held is not None:
            return held
        place, file = self._places.get(cid), self._file
        if place is None or file is None:
            return None
        try:
            block = file.pread(*place)
        except OSError as error:
            logger.warning("%s cannot be read: %s", self._path, error)
            return None
        return block if len(block) == place[1] else None

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Around `find`, on the event loop."""
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            self._close_file()

    def close(self) -> None:
        """Keep nothing any more; on the event loop, when nothing is added any more."""
        self._closed = True
        self._usable = False
        self._held.clear()
        self._places.clear()
        self._close_file()

    def _close_file(self) -> None:
        if self._closed and not self._readers and self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):  # nothing in it is needed any more
                file.close()

    def _append(self, cid: bytes, block: bytes) -> None:
        try:
            if self._file is None:
                self._file = self._open()
            self._file.pwrite(self._size, block)
        except OSError as error:
            logger.warning("nodes are not kept for others in %s: %s", self._path, error)
            self._usable = False
            return
        self._places[cid] = (self._size, len(block))
        self._size += len(block)

    def _open(self) -> WriteFile:
        with contextlib.suppress(FileNotFoundError):
            self._disk.remove(self._path)
        return self._disk.open_write(self._path, create=True)
