"""Databases that can be made again: whatever became of the file, there is one.

In:  its path, its migrations, and what reads a little of each table. Out: a database that works. A file that
is damaged is set aside, under its name and `.damaged`, for whoever wants to look at it, and a new one is
begun.

Refuses, with `StorageError`, what is no fault of the file: one that a newer version wrote, a folder that is
missing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import Database, Disk, Runtime, StrPath

_log = logging.getLogger(__name__)

ASIDE: Final = ".damaged"
_BESIDE: Final = ("-wal", "-shm")
"""What SQLite keeps next to a database; the old one's must not be taken for the new one's."""


async def open_rebuildable(
    runtime: Runtime, path: StrPath, migrations: Sequence[str], check: Callable[[sqlite3.Connection], None]
) -> Database:
    """Open a database, or begin a new one. check: raises where this is not the database it should be.

    Raises `StorageError` where neither can be.
    """
    try:
        return await _open_checked(runtime, path, migrations, check)
    except (StorageDamaged, sqlite3.DatabaseError) as error:
        _log.warning("%s is damaged and set aside as %s%s: %s", path, path, ASIDE, error)
    await runtime.offload(_set_aside, runtime.disk, os.fspath(path))
    return await _open_checked(runtime, path, migrations, check)


async def _open_checked(
    runtime: Runtime, path: StrPath, migrations: Sequence[str], check: Callable[[sqlite3.Connection], None]
) -> Database:
    database = await runtime.open_database(path, migrations, durable=False)
    try:
        await database.run(check)
    except BaseException:
        await database.close()
        raise
    return database


def _set_aside(disk: Disk, path: str) -> None:
    for name in (*(path + end for end in _BESIDE), path + ASIDE):
        with contextlib.suppress(FileNotFoundError):
            disk.remove(name)
    disk.rename_new(path, path + ASIDE)
