"""`BriefReader`: reads of an SQLite file that are so short that they are done where the loop runs.

In:  functions over a connection. Out: what they return, or `Stopped`, when they would take longer.

A thread that wants the interpreter each time that SQLite gave it a row is no way for a search: beside a loop
that is busy it gets its turn after milliseconds, for each row, or never
(https://docs.python.org/3/library/sys.html#sys.setswitchinterval), and beside an idle one it costs more to
wake up two processors than to search. What takes long is still for a thread. When reads took `BRIEF_S`
together, the others wait for the next turn of the loop: many of them do not keep it from its sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from warren.runtime.sqlite import SqliteFile, Stopped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

T = TypeVar("T")

_Waiting: TypeAlias = "tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]"

BRIEF_S: Final = 0.004
"""So long the loop waits for one read, and for all of one turn but for the last."""
SLOW_S: Final = 0.02
"""A read that was to be stopped and took so long all the same met a slow disk, or a thread that does not give
the interpreter away..."""
PAUSE_S: Final = (1.0, 60.0)
"""...so that for a while no other is tried on the loop: the first pause; each that follows at once is twice
as long, up to the other. Fault: an index that has no room in memory."""
CACHE_KIB: Final = 128_000
"""Pages that are kept: nearly all searches are made here."""


class BriefReader:
    """One file, read on the loop. `open` may be called in a thread."""

    __slots__ = ("_file", "_is_closed", "_late_at", "_not_before", "_pause_s", "_spent_s", "_waiting")

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._is_closed = False
        self._waiting: deque[_Waiting] = deque()
        """For the next turn."""
        self._spent_s = 0.0
        """In this turn of the loop."""
        self._late_at = self._not_before = float("-inf")
        self._pause_s = PAUSE_S[0]

    @classmethod
    def open(cls, path: str) -> BriefReader:
        return cls(SqliteFile.open_to_read(path, cache_kib=CACHE_KIB, on_loop=True))

    def close(self) -> None:
        """What waits for its turn, and whatever comes later, is `Stopped`."""
        self._is_closed = True
        for _, done in self._waiting:
            if not done.done():
                done.set_exception(Stopped())
        self._waiting.clear()
        self._file.close()

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See `seam.Database.read_soon`. Raises `Stopped` where it takes too long, or would."""
        if self._waiting or self._spent_s >= BRIEF_S:
            done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._waiting.append((fn, done))
            return await done
        return self._read(fn)

    def _read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        begun = time.perf_counter()
        if self._is_closed or begun < self._not_before:
            raise Stopped
        if not self._spent_s:
            asyncio.get_running_loop().call_soon(self._begin_turn)
        self._late_at = begun + BRIEF_S
        try:
            return self._file.read(fn, self._is_late)
        finally:
            self._note(begun, time.perf_counter())

    def _note(self, begun: float, ended: float) -> None:
        self._spent_s += ended - begun
        if ended < begun + SLOW_S:
            self._pause_s = PAUSE_S[0]
        else:
            self._not_before = ended + self._pause_s
            self._pause_s = min(2 * self._pause_s, PAUSE_S[1])

    def _begin_turn(self) -> None:
        """Read what waits. The first that takes time sees to the next turn."""
        self._spent_s = 0.0
        while self._waiting and self._spent_s < BRIEF_S:
            fn, done = self._waiting.popleft()
            if done.done():  # cancelled
                continue
            try:
                done.set_result(self._read(fn))
            except Exception as error:  # noqa: BLE001  it is raised where somebody waits
                done.set_exception(error)

    def _is_late(self) -> bool:
        return time.perf_counter() > self._late_at
