"""`ThreadDatabase`: an SQLite file on its one writer thread."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import Closed
from warren.runtime.sqlite import SqliteFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import StrPath

T = TypeVar("T")


class ThreadDatabase:
    """See `seam.Database`. The thread starts with `open` and ends with `close`."""

    __slots__ = ("_closing", "_file", "_thread")

    def __init__(self, file: SqliteFile, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread
        self._closing: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, path: StrPath, migrations: Sequence[str], *, durable: bool) -> ThreadDatabase:
        thread = ThreadPoolExecutor(1, f"warren-db-{os.path.basename(os.fspath(path))}")
        try:
            opening = thread.submit(_open, path, migrations, durable)
            return cls(await asyncio.wrap_future(opening), thread)
        except BaseException:
            thread.shutdown(wait=False, cancel_futures=True)
            raise

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        if self._closing is not None:
            raise Closed("the database is closed")
        return await asyncio.wrap_future(self._thread.submit(self._file.run, fn))

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.wrap_future(self._thread.submit(self._file.close))
            # Idle once the file is closed; the worker ends by itself.
            self._thread.shutdown(wait=False)
        await asyncio.shield(self._closing)


def _open(path: StrPath, migrations: Sequence[str], durable: bool) -> SqliteFile:
    file = SqliteFile(path)
    try:
        file.migrate(migrations, durable=durable)
    except BaseException:
        file.close()
        raise
    return file
