"""`BriefReader`: reads of an SQLite file that are so short that they are done where the loop runs.

In:  functions over a connection. Out: what they return, or `Stopped`, when they would take longer.

A thread that wants the interpreter each time that SQLite gave it a row is no way for a search: beside a loop
that is busy it gets its turn after milliseconds, for each row, or never
(https://docs.python.org/3/library/sys.html#sys.setswitchinterval), and beside an idle one it costs more to
wake up two processors than to search. What takes long is still for a thread, and when several reads took
long together the others wait for the next turn of the loop: many of them do not keep it from its sockets.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

from warren.runtime.sqlite import SqliteFile, Stopped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

T = TypeVar("T")

BRIEF_S: Final = 0.004
"""So long the loop waits for one read, and for all of one turn but for the last."""
SLOW_S: Final = 0.02
"""A read that was to be stopped and took so long all the same met a disk that is slow..."""
PAUSE_S: Final = 1.0
"""...so that for a while no other is tried on the loop. Fault: an index that has no room in memory."""
CACHE_KIB: Final = 128_000
"""Pages that are kept: nearly all searches are made here."""


class BriefReader:
    """One file, read on the loop. `open` may be called in a thread."""

    __slots__ = ("_file", "_late_at", "_may_read", "_not_before", "_spent_s")

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._may_read = asyncio.Lock()
        self._spent_s = 0.0
        """In this turn of the loop."""
        self._late_at = self._not_before = float("-inf")

    @classmethod
    def open(cls, path: str) -> BriefReader:
        file = SqliteFile(path, on_loop=True)
        try:
            file.set_up_reading(CACHE_KIB)
        except BaseException:
            file.close()
            raise
        return cls(file)

    async def close(self) -> None:
        """After what waits for its turn; whatever comes later is `Stopped`."""
        async with self._may_read:
            self._not_before = float("inf")
            self._file.close()

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See `seam.Database.read_soon`. Raises `Stopped` where it takes too long, or would."""
        await self._may_read.acquire()
        begun = time.monotonic()
        try:
            if begun < self._not_before:
                raise Stopped
            self._late_at = begun + BRIEF_S
            return self._file.read(fn, self._is_late)
        finally:
            self._note(begun, time.monotonic())

    def _note(self, begun: float, ended: float) -> None:
        loop = asyncio.get_running_loop()
        if ended > begun + SLOW_S:
            self._not_before = ended + PAUSE_S
        if not self._spent_s:
            loop.call_soon(self._begin_turn)
        self._spent_s += ended - begun
        if self._spent_s < BRIEF_S:
            self._may_read.release()
        else:
            loop.call_soon(self._may_read.release)

    def _begin_turn(self) -> None:
        self._spent_s = 0.0

    def _is_late(self) -> bool:
        return time.monotonic() > self._late_at
