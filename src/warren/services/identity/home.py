"""The data folder of one running node.

In:  its path, or None for a node that leaves no trace. Out: the identity, and places for the databases.

    identity.key   the private key, mode 0600: keyfile.py
    home.lock      held as long as a node uses the folder; a database, because its lock is the same on every
                   system, ends with its process however that ends, and also tells two nodes of one process
                   apart
    state.db       what must not be lost
    index.db       what is shared and where its chunks lie

Refuses a folder that another node uses: two writers with one identity would confuse every peer.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from warren.core.errors import ReadOnlyTarget, StorageError
from warren.core.keys import ED25519_SEED_BYTES, PrivateKey
from warren.services.identity.keyfile import load_or_make

if TYPE_CHECKING:
    from pathlib import Path

    from warren.runtime.seam import Database, Runtime

LOCK_NAME = "home.lock"
STATE_NAME = "state.db"
INDEX_NAME = "index.db"
_MEMORY = ":memory:"


class Home:
    """Use `open` before and `close` after everything else."""

    __slots__ = ("_lock", "_runtime", "path")

    def __init__(self, path: Path | None, runtime: Runtime) -> None:
        self.path = path
        self._runtime = runtime
        self._lock: Database | None = None

    async def open(self) -> PrivateKey:
        """Make the folder if need be, claim it, and return the identity kept there.

        Raises StorageError (another node uses it), ReadOnlyTarget, and what keyfile.py raises.
        """
        if self.path is None:
            return PrivateKey.from_seed(self._runtime.entropy.bytes(ED25519_SEED_BYTES))
        await self._runtime.offload(self._make, self.path)
        self._lock = await self._claim(self.path)
        try:
            disk, entropy = self._runtime.disk, self._runtime.entropy
            return await self._runtime.offload(load_or_make, disk, self.path, entropy)
        except BaseException:
            await self.close()
            raise

    def place(self, name: str) -> Path | str:
        """Where the database `name` goes; ":memory:" without a folder."""
        return _MEMORY if self.path is None else self.path / name

    async def close(self) -> None:
        """Let another node use the folder."""
        lock, self._lock = self._lock, None
        if lock is not None:
            await lock.close()

    def _make(self, path: Path) -> None:
        try:
            self._runtime.disk.make_dirs(path, 0o700)
        except OSError as error:
            raise ReadOnlyTarget(
                f"cannot make the data folder {path}: {error.strerror}", hint="choose another one (--home)"
            ) from error

    async def _claim(self, path: Path) -> Database:
        lock: Database | None = None
        try:
            lock = await self._runtime.open_database(path / LOCK_NAME, [], durable=False)
            # Exclusive mode takes its lock with the next write after the one that asks for it, and keeps it.
            await lock.run(lambda db: db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall())
            await lock.run(lambda db: db.execute("CREATE TABLE IF NOT EXISTS held (by_node)").fetchall())
            await lock.run(lambda db: db.execute("DELETE FROM held").fetchall())
        except StorageError as error:
            if lock is not None:
                await lock.close()
            if _is_busy(error):
                raise StorageError(
                    f"another node uses the data folder {path}",
                    hint="stop that one (warren down), or choose another folder (--home)",
                ) from error
            raise
        return lock


def _is_busy(error: StorageError) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
