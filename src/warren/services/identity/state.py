"""The file of the node's state: a damaged one costs what cannot be read of it, and not the node.

In:  its path, the scripts that make it. Out: a database that works; and, where the file was damaged, where it
lies now and how much of it could be read. Each start looks at every page (a seventh of a second for a hundred
thousand peers). A damaged file is set aside under a name that says so, and a new one is begun with the rows
that were still readable.

Refuses nothing: where nothing can be read the node starts with nothing but its identity and its settings.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageDamaged, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from warren.runtime.seam import Database, Disk, Runtime, StrPath

_log = logging.getLogger(__name__)

_BESIDE: Final = ("-wal", "-shm")
"""What SQLite keeps next to a database, and finds by the database's name."""
_MEMORY: Final = ":memory:"


@dataclass(frozen=True, slots=True)
class Damage:
    """What became of a damaged file. aside: where it lies. rows: how many were read again, by table."""

    aside: str
    reason: str
    rows: Mapping[str, int]

    def __str__(self) -> str:
        kept = ", ".join(f"{count} {table}" for table, count in self.rows.items() if count) or "nothing"
        return f"the state was damaged ({self.reason}); it lies in {self.aside}; read again: {kept}"


async def open_state(
    runtime: Runtime, path: StrPath, scripts: Sequence[str], mend: Callable[[sqlite3.Connection], None]
) -> tuple[Database, Damage | None]:
    """Open the state, or begin a new one with what can be read of the old. Raises StorageError.

    `mend` brings tables in line of which some rows were lost.
    """
    try:
        return await _open_checked(runtime, path, scripts), None
    except (StorageDamaged, sqlite3.DatabaseError) as error:
        reason = str(error.__cause__ or error)
    aside = await runtime.offload(_set_aside, runtime.disk, os.fspath(path), runtime.clock.wall())
    database = await _open_checked(runtime, path, scripts)

    def save(new: sqlite3.Connection) -> dict[str, int]:
        rows = _copy_all(new, aside)
        mend(new)
        return rows

    damage = Damage(aside, reason, await database.run(save))
    _log.error("%s", damage)
    return database, damage


async def _open_checked(runtime: Runtime, path: StrPath, scripts: Sequence[str]) -> Database:
    database = await runtime.open_database(path, scripts)
    try:
        if str(path) != _MEMORY:
            await database.run(_check)
    except BaseException:
        await database.close()
        raise
    return database


def _check(db: sqlite3.Connection) -> None:
    """Look at every page. Raises StorageDamaged, sqlite3.DatabaseError."""
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StorageDamaged(" ".join(str(found).split()))


def _set_aside(disk: Disk, path: str, wall: float) -> str:
    stamp = datetime.fromtimestamp(wall, UTC).strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        aside = f"{path}.damaged-{stamp}" + (f"-{number}" if number > 1 else "")
        try:
            disk.rename_new(path, aside)
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise StorageError(
                f"{path} is damaged and cannot be set aside: {error.strerror}", hint="move it away yourself"
            ) from error
        break
    for ending in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            disk.rename_new(path + ending, aside + ending)
    return aside


def _copy_all(new: sqlite3.Connection, aside: str) -> dict[str, int]:
    """Copy what can be read, table by table in the order in which they were made; return how many rows."""
    try:
        old = sqlite3.connect(f"{Path(aside).absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    except sqlite3.Error:
        return {}
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid"
    with contextlib.closing(old):
        old.text_factory = lambda raw: raw.decode(errors="replace")
        return {name: _copy(old, new, name) for (name,) in new.execute(names).fetchall()}


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    try:
        has = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    except sqlite3.Error:
        return 0
    columns = [row for row in new.execute(f"PRAGMA table_info({table})") if row[1] in has]
    if not columns:
        return 0
    named = ", ".join(row[1] for row in columns)
    key = ", ".join(f"{row[1]} DESC" for row in sorted(columns, key=lambda row: row[5]) if row[5])
    marks = ", ".join("?" * len(columns))
    count = 0
    for row in _readable(old, table, named, key):
        with contextlib.suppress(sqlite3.IntegrityError):  # its other half was lost
            added = new.execute(f"INSERT OR IGNORE INTO {table} ({named}) VALUES ({marks})", row)  # noqa: S608
            count += added.rowcount
    return count


def _readable(old: sqlite3.Connection, table: str, named: str, key: str) -> Iterator[Sequence[object]]:
    """Rows from both ends: a damaged page in the middle stops either reading."""
    for order in ("", f" ORDER BY {key}" if key else " ORDER BY rowid DESC"):
        try:
            yield from old.execute(f"SELECT {named} FROM {table} NOT INDEXED{order}")  # noqa: S608
        except sqlite3.Error as error:
            _log.warning("%s is damaged: %s", table, error)
            continue
        return
