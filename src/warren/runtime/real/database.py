"""`ThreadDatabase`: an SQLite file, on a thread that writes and, once it is asked to read, one that reads."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import Closed, StorageError
from warren.runtime.sqlite import MEMORY, SqliteFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import StrPath

T = TypeVar("T")


class ThreadDatabase:
    """See `seam.Database`. The writing thread starts with `open`, the reading one with the first `read`; they
    end with `close`.
    """

    __slots__ = ("_closing", "_path", "_reading", "_writing")

    def __init__(self, path: str, writing: _Lane) -> None:
        self._path = path
        self._writing = writing
        self._reading: asyncio.Future[_Lane] | None = None
        self._closing: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, path: StrPath, migrations: Sequence[str], *, durable: bool) -> ThreadDatabase:
        name = os.fspath(path)
        return cls(name, await _Lane.open(name, "", lambda: _open(name, migrations, durable)))

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        self._check()
        return await self._writing.do(lambda file: file.run(fn))

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        if self._path == MEMORY:  # nobody else can open it
            return await self.run(fn)
        self._check()
        if self._reading is None:
            opening = _Lane.open(self._path, "-read", lambda: _open_reader(self._path))
            self._reading = asyncio.ensure_future(opening)
        lane = await self._lane(self._reading)
        return await lane.do(lambda file: file.read(fn))

    async def _lane(self, reading: asyncio.Future[_Lane]) -> _Lane:
        if reading.done():  # as always but at the start
            return reading.result()
        try:
            return await asyncio.shield(reading)
        except StorageError:
            self._reading = None  # the next one tries again
            raise

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            if self._reading is not None:
                await (await self._lane(self._reading)).close()
        finally:
            await self._writing.close()  # as the last one it tidies up what lies beside the file

    def _check(self) -> None:
        if self._closing is not None:
            raise Closed("the database is closed")


class _Lane:
    """An open file and the one thread that touches it."""

    __slots__ = ("_file", "_thread")

    def __init__(self, file: SqliteFile, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread

    @classmethod
    async def open(cls, path: str, kind: str, opening: Callable[[], SqliteFile]) -> _Lane:
        thread = ThreadPoolExecutor(1, f"warren-db-{os.path.basename(path)}{kind}")
        try:
            return cls(await asyncio.wrap_future(thread.submit(opening)), thread)
        except BaseException:
            thread.shutdown(wait=False, cancel_futures=True)
            raise

    async def do(self, fn: Callable[[SqliteFile], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(fn, self._file))

    async def close(self) -> None:
        closing = asyncio.wrap_future(self._thread.submit(self._file.close))
        # Idle once the file is closed; the worker ends by itself.
        self._thread.shutdown(wait=False)
        await closing


def _open(path: str, migrations: Sequence[str], durable: bool) -> SqliteFile:
    file = SqliteFile(path)
    try:
        file.migrate(migrations, durable=durable)
    except BaseException:
        file.close()
        raise
    return file


def _open_reader(path: str) -> SqliteFile:
    file = SqliteFile(path)
    try:
        file.set_up_reading()
    except BaseException:
        file.close()
        raise
    return file
