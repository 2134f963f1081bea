"""`SimulatedDatabase`: SQLite in memory, run inline, kept by the host like its files.

In:  functions over a connection. Out: what they return, after one turn of the loop and in no virtual time.
The database lives under the inode of a file on the simulated disk: it goes when that file goes, and is
there again when a node starts a second time. Faults are ordered on the disk, as `fail_next("database",
errno)`.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import Closed, DiskFull, StorageError
from warren.runtime.sqlite import MEMORY, SqliteFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import StrPath
    from warren.runtime.simulated.disk import SimulatedDisk

T = TypeVar("T")


class DatabaseShelf:
    """The databases of one host."""

    __slots__ = ("_by_inode", "_disk")

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._by_inode: dict[int, SqliteFile] = {}

    def open(self, path: StrPath, migrations: Sequence[str]) -> SimulatedDatabase:
        is_kept = str(path) != MEMORY
        file = self._at(path) if is_kept else SqliteFile(MEMORY)
        try:
            file.migrate(migrations, durable=False)
        except BaseException:
            if not is_kept:
                file.close()
            raise
        return SimulatedDatabase(file, self._disk, is_kept=is_kept)

    def _at(self, path: StrPath) -> SqliteFile:
        try:
            self._disk.meet_faults("database")
            inode = self._inode(path)
        except OSError as exc:
            raise StorageError(f"cannot open the database {path}: {exc.strerror}") from exc
        if inode not in self._by_inode:
            self._by_inode[inode] = SqliteFile(MEMORY, label=str(path))
        return self._by_inode[inode]

    def _inode(self, path: StrPath) -> int:
        try:
            return self._disk.stat(path).inode
        except FileNotFoundError:
            self._disk.open_write(path, create=True).close()
            return self._disk.stat(path).inode

    def close(self) -> None:
        """Close every database, at the end of the world."""
        for file in self._by_inode.values():
            file.close()
        self._by_inode.clear()


class SimulatedDatabase:
    """See `seam.Database`."""

    __slots__ = ("_disk", "_file", "_is_kept", "_is_open")

    def __init__(self, file: SqliteFile, disk: SimulatedDisk, *, is_kept: bool) -> None:
        self._file = file
        self._disk = disk
        self._is_kept = is_kept
        self._is_open = True

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        if not self._is_open:
            raise Closed("the database is closed")
        try:
            self._disk.meet_faults("database")
        except OSError as exc:
            kind = DiskFull if exc.errno == errno.ENOSPC else StorageError
            raise kind(f"the simulated disk failed: {exc.strerror}") from exc
        try:
            return self._file.run(fn)
        finally:
            # Others get their turn, as they would while a thread works.
            await asyncio.sleep(0)

    async def close(self) -> None:
        if self._is_open and not self._is_kept:
            self._file.close()
        self._is_open = False
