"""`SimulatedDatabase`: SQLite in memory, run inline, kept by the host like its files.

In:  functions over a connection. Out: what they return, after one turn of the loop and in no virtual time.
The database lives under the inode of a file on the simulated disk: it goes when that file goes, and is
there again when a node starts a second time. Faults are ordered on the disk, as `fail_next("database",
errno)`.

A world may have very many hosts: only the databases used last are open in SQLite, the others are asleep as
the bytes that their files would have. Equal new ones share these bytes, and are not even opened before their
first use.
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

# An open one costs 70 KiB more than one asleep, and to wake it more than most of what is done with it.
AWAKE_MAX = 16_384
# The least that SQLite knows: most tables of most hosts hold next to nothing.
_PAGE_BYTES = 512


class DatabasePool:
    """The databases of a world that are open in SQLite, and what new ones look like."""

    __slots__ = ("_awake", "_awake_max", "_new")

    def __init__(self, awake_max: int = AWAKE_MAX) -> None:
        self._awake_max = awake_max
        self._awake: dict[ShelvedDatabase, SqliteFile] = {}
        self._new: dict[tuple[str, ...], bytes] = {}

    @property
    def awake(self) -> int:
        """How many are open in SQLite."""
        return len(self._awake)

    def new_image(self, migrations: tuple[str, ...]) -> bytes:
        """Return what a database is right after these migrations."""
        if migrations not in self._new:
            file = SqliteFile(MEMORY, page_bytes=_PAGE_BYTES)
            try:
                file.migrate(migrations, durable=False)
                self._new[migrations] = file.image()
            finally:
                file.close()
        return self._new[migrations]

    def wake(self, database: ShelvedDatabase) -> SqliteFile:
        """Return it open; another may fall asleep for it."""
        file = self._awake.pop(database, None)
        if file is None:
            if len(self._awake) >= self._awake_max:
                self._lull(next(iter(self._awake)))
            file = SqliteFile(MEMORY, label=database.label, image=database.image)
            file.migrate(database.migrations, durable=False)
        self._awake[database] = file
        return file

    def image(self, database: ShelvedDatabase) -> bytes:
        """Return what its file holds now."""
        file = self._awake.get(database)
        return file.image() if file is not None else database.image

    def forget(self, database: ShelvedDatabase) -> None:
        """Close it for good."""
        file = self._awake.pop(database, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        """Close every one, at the end of the world."""
        for file in self._awake.values():
            file.close()
        self._awake.clear()

    def _lull(self, database: ShelvedDatabase) -> None:
        file = self._awake.pop(database)
        image = file.image()
        new = self._new.get(database.migrations)
        database.image = new if new is not None and image == new else image
        file.close()


class ShelvedDatabase:
    """What is kept of a database while it sleeps."""

    __slots__ = ("image", "label", "migrations")

    def __init__(self, label: str) -> None:
        self.label = label
        self.image = b""
        self.migrations: tuple[str, ...] = ()


class DatabaseShelf:
    """The databases of one host."""

    __slots__ = ("_by_inode", "_disk", "_pool")

    def __init__(self, disk: SimulatedDisk, pool: DatabasePool) -> None:
        self._disk = disk
        self._pool = pool
        self._by_inode: dict[int, ShelvedDatabase] = {}

    def open(self, path: StrPath, migrations: Sequence[str]) -> SimulatedDatabase:
        is_kept = str(path) != MEMORY
        shelved = self._at(path) if is_kept else ShelvedDatabase(MEMORY)
        self._migrate(shelved, tuple(migrations))
        return SimulatedDatabase(shelved, self._pool, self._disk, is_kept=is_kept)

    def part(self) -> None:
        """Keep what is committed now: who has databases open goes on with copies that nobody sees again."""
        for inode, shelved in self._by_inode.items():
            kept = ShelvedDatabase(shelved.label)
            kept.image, kept.migrations = self._pool.image(shelved), shelved.migrations
            self._by_inode[inode] = kept

    def _migrate(self, shelved: ShelvedDatabase, migrations: tuple[str, ...]) -> None:
        if not shelved.image:
            shelved.image = self._pool.new_image(migrations)
        elif migrations != shelved.migrations:
            self._pool.wake(shelved).migrate(migrations, durable=False)
        shelved.migrations = migrations

    def _at(self, path: StrPath) -> ShelvedDatabase:
        try:
            self._disk.meet_faults("database")
            inode = self._inode(path)
        except OSError as exc:
            raise StorageError(f"cannot open the database {path}: {exc.strerror}") from exc
        return self._by_inode.setdefault(inode, ShelvedDatabase(str(path)))

    def _inode(self, path: StrPath) -> int:
        try:
            return self._disk.stat(path).inode
        except FileNotFoundError:
            self._disk.open_write(path, create=True).close()
            return self._disk.stat(path).inode


class SimulatedDatabase:
    """See `seam.Database`."""

    __slots__ = ("_disk", "_is_kept", "_is_open", "_pool", "_shelved")

    def __init__(
        self, shelved: ShelvedDatabase, pool: DatabasePool, disk: SimulatedDisk, *, is_kept: bool
    ) -> None:
        self._shelved = shelved
        self._pool = pool
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
            return self._pool.wake(self._shelved).run(fn)
        finally:
            # Others get their turn, as they would while a thread works.
            await asyncio.sleep(0)

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        return await self.run(fn)

    async def read_soon(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        return await self.run(fn)

    async def close(self) -> None:
        if self._is_open and not self._is_kept:
            self._pool.forget(self._shelved)
        self._is_open = False
