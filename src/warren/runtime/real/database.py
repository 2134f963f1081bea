"""`ThreadDatabase`: an SQLite file, on a thread that writes and, once it is asked to read, one that reads.

What is read soon has a connection of its own, on the loop (`brief.py`): it does not wait for what takes long.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import Closed, StorageError
from warren.runtime.real.brief import BriefReader
from warren.runtime.real.threads import Threads
from warren.runtime.sqlite import MEMORY, SqliteFile, Stopped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import StrPath

T = TypeVar("T")


class ThreadDatabase:
    """See `seam.Database`. The writing thread starts with `open`, the reading one with what is read first;
    they end with `close`.
    """

    __slots__ = ("_brief", "_closing", "_no_read", "_path", "_reading", "_reads", "_writing")

    def __init__(self, path: str, writing: _Lane) -> None:
        self._path = path
        self._writing = writing
        self._reading: asyncio.Future[_Lane] | None = None
        self._brief: asyncio.Future[BriefReader] | None = None
        self._reads = 0
        """Under way that came to `read_soon`."""
        self._no_read: asyncio.Future[None] | None = None
        """Done when there are none, for who closes."""
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
        return await self._read(fn)

    async def read_soon(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        if self._path == MEMORY:
            return await self.run(fn)
        self._check()
        if self._brief is None:
            self._brief = asyncio.ensure_future(self._open_brief())
        self._reads += 1
        try:
            with contextlib.suppress(Stopped, StorageError):  # as others; what is really wrong shows there
                brief = await self._opened(self._brief)
                return await brief.read(fn)
            return await self._read(fn)
        finally:
            self._reads -= 1
            if self._no_read is not None and not self._reads:
                self._no_read.set_result(None)

    async def _read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        lane = await self._reader()
        return await lane.do(lambda file: file.read(fn))

    async def _open_brief(self) -> BriefReader:
        """In the thread, as files may be slow to open."""
        lane = await self._reader()
        return await lane.do(lambda _: BriefReader.open(self._path))

    async def _reader(self) -> _Lane:
        if self._reading is None:
            opening = _Lane.open(self._path, "-read", lambda: SqliteFile.open_to_read(self._path))
            self._reading = asyncio.ensure_future(opening)
        return await self._opened(self._reading)

    async def _opened(self, opening: asyncio.Future[T]) -> T:
        try:
            if opening.done():  # as always but at the start
                return opening.result()
            return await asyncio.shield(opening)
        except StorageError:  # the next one tries again
            if self._reading is opening:
                self._reading = None
            if self._brief is opening:
                self._brief = None
            raise

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            if self._brief is not None:
                with contextlib.suppress(StorageError):  # it never opened
                    (await self._opened(self._brief)).close()
            if self._reads:  # it sent them to the thread
                self._no_read = asyncio.get_running_loop().create_future()
                await self._no_read
        finally:
            await self._close_lanes()

    async def _close_lanes(self) -> None:
        try:
            if self._reading is not None:
                await (await self._opened(self._reading)).close()
        finally:
            await self._writing.close()  # as the last one it tidies up what lies beside the file

    def _check(self) -> None:
        if self._closing is not None:
            raise Closed("the database is closed")


class _Lane:
    """An open file and the one thread that touches it, which ends with `close`, or when nobody has the lane
    any more.
    """

    __slots__ = ("_file", "_is_closed", "_thread")

    _file: SqliteFile

    def __init__(self, name: str) -> None:
        self._is_closed = False
        self._thread = Threads(name)

    @classmethod
    async def open(cls, path: str, kind: str, opening: Callable[[], SqliteFile]) -> _Lane:
        lane = cls(f"warren-db-{os.path.basename(path)}{kind}")
        try:
            lane._file = await lane._thread.do(opening)
        except BaseException:
            lane._thread.end()  # who keeps the error keeps the lane
            raise
        return lane

    async def do(self, fn: Callable[[SqliteFile], T]) -> T:
        if self._is_closed:
            raise Closed("the database is closed")
        return await self._thread.do(fn, self._file)

    async def close(self) -> None:
        closing = self._thread.do(self._file.close)
        self._is_closed = True
        self._thread.end()
        await closing


def _open(path: str, migrations: Sequence[str], durable: bool) -> SqliteFile:
    file = SqliteFile(path)
    try:
        file.migrate(migrations, durable=durable)
    except BaseException:
        file.close()
        raise
    return file
