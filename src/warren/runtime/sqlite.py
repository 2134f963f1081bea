"""One SQLite file: opening, migrating, running one transaction at a time, and naming what is wrong with it.

In:  a path, numbered migrations, functions over a connection. Out: what the functions return. Both runtimes
use this, the real one on a writer thread, the simulated one inline. It refuses a file that a newer version
wrote (https://www.sqlite.org/pragma.html#pragma_user_version holds the number of migrations applied).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import DiskFull, ReadOnlyTarget, StorageDamaged, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from warren.runtime.seam import StrPath

T = TypeVar("T")

MEMORY = ":memory:"
# Another process (a backup, a curious shell) may hold the file for a moment.
_BUSY_TIMEOUT_S = 5.0
_CHECKPOINT_PAGES = 2000
"""Of a database that need not outlive the power: each checkpoint waits for the disk."""
_CACHE_KIB = 16_000
"""Pages that a connection keeps. With SQLite's own 2 MB, a large index is read again and again."""
_OPS_PER_LOOK = 100
"""Steps of SQLite's machine between two looks at whether to stop: mostly a tenth of a millisecond, also in a
full-text index, each page of which takes some. It merges the lists of long prefixes in one step, though."""


class Stopped(Exception):
    """What was read took longer than it may."""


class SqliteFile:
    """An open database. Every method runs in the thread that made it. `label` names it in errors.

    image: what `image` gave, for one in memory that goes on where another ended. page_bytes: of a new one;
    SQLite has 4,096, at least one for each table and index. on_loop: it is used where nothing may wait for
    another process, and may be made and closed in a thread.
    """

    __slots__ = ("_connection", "_label")

    def __init__(
        self,
        path: StrPath,
        *,
        label: str = "",
        image: bytes = b"",
        page_bytes: int | None = None,
        on_loop: bool = False,
    ) -> None:
        self._label = label or os.fspath(path)
        with self._named_errors():
            self._connection = _connect(os.fspath(path), on_loop=on_loop)
            if image:
                self._connection.deserialize(image)
            elif page_bytes:
                self._connection.execute(f"PRAGMA page_size = {page_bytes}")

    @classmethod
    def open_to_read(cls, path: StrPath, *, cache_kib: int = _CACHE_KIB, on_loop: bool = False) -> SqliteFile:
        """One that refuses to write, beside another that does."""
        file = cls(path, on_loop=on_loop)
        try:
            with file._named_errors():
                file._connection.execute("PRAGMA query_only = ON")
                file._connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        except BaseException:
            file.close()
            raise
        return file

    def migrate(self, migrations: Sequence[str], *, durable: bool) -> None:
        """Set the file up and bring it to the version of `migrations`."""
        with self._named_errors():
            _configure(self._connection, durable=durable)
            self._migrate(migrations)

    def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run `fn` in one transaction that no other writer can interleave."""
        connection = self._connection
        with self._named_errors():
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = fn(connection)
                connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back by itself already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        return result

    def read(self, fn: Callable[[sqlite3.Connection], T], is_late: Callable[[], bool] | None = None) -> T:
        """Run `fn` on what is committed now, beside a writer.

        is_late: asked again and again meanwhile; `Stopped` is raised soon after it says so, and where
        another process would have to be waited for.
        """
        connection = self._connection
        with self._named_errors():
            connection.execute("BEGIN")
            try:
                return fn(connection) if is_late is None else _until(connection, fn, is_late)
            finally:
                connection.execute("ROLLBACK")

    def image(self) -> bytes:
        """Return all that is in it: the bytes that a file on a disk would have."""
        with self._named_errors():
            return self._connection.serialize()

    def close(self) -> None:
        with self._named_errors():
            self._connection.close()

    def _migrate(self, migrations: Sequence[str]) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(migrations):
            raise StorageError(
                f"{self._label} was written by a newer version of Warren "
                f"(its schema is {version}, this one knows {len(migrations)})",
                hint="use the newer Warren again, or another data folder (--home)",
            )
        for number, script in enumerate(migrations[version:], start=version + 1):
            self._apply(number, script)

    def _apply(self, number: int, script: str) -> None:
        try:
            self._connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\n;PRAGMA user_version = {number};\nCOMMIT;"
            )
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as exc:
            named = _name(exc, self._label)
            if named is None:
                raise
            raise named from exc


def _until(
    connection: sqlite3.Connection, fn: Callable[[sqlite3.Connection], T], is_late: Callable[[], bool]
) -> T:
    connection.set_progress_handler(is_late, _OPS_PER_LOOK)
    try:
        return fn(connection)
    except sqlite3.OperationalError as exc:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}:
            raise Stopped from exc
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _connect(path: str, *, on_loop: bool) -> sqlite3.Connection:
    if path != MEMORY:
        _make_private(path)
    wait_s = 0.0 if on_loop else _BUSY_TIMEOUT_S
    return sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=not on_loop)


def _make_private(path: str) -> None:
    """Make the file if it is not there. SQLite would follow the umask; the data of a node is its owner's
    alone. The -wal file takes the same mode.

    One that is there is not opened: to close it again would drop the locks that other connections of this
    process hold on it (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_),
    and another process would take away the -wal file that they write to.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if os.path.isdir(path):
            raise _unopenable(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), path) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise _unopenable(PermissionError(), path) from None
    except OSError as exc:
        raise _unopenable(exc, path) from exc


def _configure(connection: sqlite3.Connection, *, durable: bool) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    if not durable:
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _unopenable(exc: OSError, path: str) -> StorageError:
    hint = "check that the data folder exists and is yours, or choose another one (--home)"
    if isinstance(exc, PermissionError):
        return ReadOnlyTarget(f"no permission to open the database {path}", hint=hint)
    return StorageError(f"cannot open the database {path}: {exc.strerror}", hint=hint)


def _name(exc: sqlite3.DatabaseError, path: str) -> StorageError | None:
    """Turn what is wrong with the file into a `StorageError`; None for a mistake in the SQL or a broken
    constraint.
    """
    match getattr(exc, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return DiskFull(f"the disk is full: {path} cannot grow", hint="free some space")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return ReadOnlyTarget(f"{path} is read-only", hint="check the permissions of the data folder")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StorageDamaged(
                f"{path} is damaged: {exc}", hint="restore it from a backup, or move it away"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageError(f"{path} is locked by another process", hint="stop the other process")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR:
            return StorageError(
                f"cannot read or write {path}: {exc}", hint="check the disk and the data folder"
            )
    return None
