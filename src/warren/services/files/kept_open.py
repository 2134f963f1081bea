"""Files that chunks were read from a moment ago, still open: what is in memory of them is read on the loop.

In: jobs of the transfer server. Out: their parts. The first job of a file goes to a thread, as opening it may
wait for a disk, and so does whatever is not in memory; then each MiB needs no thread to be woken, which cost
as much as reading it. A file that was changed, removed or replaced since is noticed at each read; one that
was moved elsewhere, or may not be opened any more, is served until it is opened anew, `KEPT_S` later at most,
or until the index knows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warren.core.errors import Closed
from warren.runtime.waiting import finish, settle
from warren.services.files import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.protocols.transfer.server import Part
    from warren.runtime.seam import ReadFile, Runtime
    from warren.services.files.serving import Name, ReadChunks

KEPT_S: Final = 1.0
"""A drive can be unmounted that much later, and a file that was moved away is served for as long."""
KEPT_MAX: Final = 16
"""Each is a file handle."""


class KeptOpen:
    """One for each node."""

    __slots__ = ("_closing", "_files", "_is_closed", "_runtime", "_timer")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._files: dict[Name, ReadFile] = {}
        """Those of one stretch of `KEPT_S`, the newest last."""
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def read(self, job: ReadChunks) -> list[Part]:
        """Do the job, in a thread if need be; also one that is cancelled returns when its thread is done."""
        parts = serving.read_now(job, self._files)
        if parts is None:
            parts = await finish(self._read_in_thread(job))
        return parts

    async def close(self) -> None:
        """Keep nothing open any more."""
        self._is_closed = True
        self._let_all_go()
        await settle(self._closing)

    async def _read_in_thread(self, job: ReadChunks) -> list[Part]:
        job.kept = tuple(self._files)
        try:
            return await self._runtime.offload(serving.read, self._runtime.disk, job)
        finally:
            if job.opened is not None:
                self._keep(*job.opened)

    def _keep(self, name: Name, file: ReadFile) -> None:
        older = [self._files.pop(name)] if name in self._files else []  # two read from it at once
        self._files[name] = file
        if len(self._files) > KEPT_MAX:
            older.append(self._files.pop(next(iter(self._files))))
        self._let_go(older)
        if self._is_closed:
            self._let_all_go()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT_S, self._let_all_go)

    def _let_all_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        files, self._files = self._files, {}
        self._let_go(list(files.values()))

    def _let_go(self, files: Sequence[ReadFile]) -> None:
        """Close these, in a thread."""
        if files:
            task = asyncio.create_task(self._close(files))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close(self, files: Sequence[ReadFile]) -> None:
        try:
            await self._runtime.offload(serving.close_all, files)
        except Closed:  # a read ended after all else had
            serving.close_all(files)
