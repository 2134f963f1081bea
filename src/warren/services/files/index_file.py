"""The file of the index: whatever became of it, there is one.

In: its path. Out: a database that works. A file that is damaged is set aside for whoever wants to look at it,
and a new one is begun: all that was in it can be made again from the files that are shared.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageDamaged
from warren.services.files import index

if TYPE_CHECKING:
    from warren.runtime.seam import Database, Disk, Runtime, StrPath

logger = logging.getLogger(__name__)

ASIDE: Final = ".damaged"
_BESIDE: Final = ("-wal", "-shm")
"""What SQLite keeps next to a database; the old one's must not be taken for the new one's."""


async def open_index(runtime: Runtime, path: StrPath) -> Database:
    """Open the index, or begin a new one. Raises `StorageError` where neither can be."""
    try:
        return await _open_checked(runtime, path)
    except (StorageDamaged, sqlite3.DatabaseError) as error:
        logger.warning("the index is damaged and set aside as %s%s: %s", path, ASIDE, error)
    await runtime.offload(_set_aside, runtime.disk, os.fspath(path))
    return await _open_checked(runtime, path)


async def _open_checked(runtime: Runtime, path: StrPath) -> Database:
    database = await runtime.open_database(path, index.MIGRATIONS, durable=False)
    try:
        await database.run(index.check)
    except BaseException:
        await database.close()
        raise
    return database


def _set_aside(disk: Disk, path: str) -> None:
    for name in (*(path + end for end in _BESIDE), path + ASIDE):
        with contextlib.suppress(FileNotFoundError):
            disk.remove(name)
    disk.rename_new(path, path + ASIDE)
