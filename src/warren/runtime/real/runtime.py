"""`RealRuntime`: clock, chance, threads, sockets, files and databases of the operating system.

In:  what a node asks through `warren.runtime.seam`.
Out: answers of the operating system. Constructing one touches neither loop, signal nor logger, so several
live in one process; threads start with the first job.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import Closed
from warren.runtime.real.database import ThreadDatabase
from warren.runtime.real.disk import RealDisk
from warren.runtime.real.inotify import Inotify
from warren.runtime.real.multicast import RealMulticast
from warren.runtime.real.transport import RealTransport
from warren.runtime.real.watching import InotifyWatch

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from warren.runtime.seam import StrPath

T = TypeVar("T")

_random = secrets.SystemRandom()


class RealClock:
    """The clocks of the operating system."""

    __slots__ = ()

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


class RealEntropy:
    """The operating system's random numbers, fit for keys."""

    __slots__ = ()

    def bytes(self, n: int) -> builtins.bytes:
        return os.urandom(n)

    def uniform(self, low: float, high: float) -> float:
        return _random.uniform(low, high)

    def below(self, n: int) -> int:
        return _random.randrange(n)


class RealRuntime:
    """The world as it is. `offload_threads` bounds how many blocking jobs run at once."""

    __slots__ = ("_inotify", "_jobs", "_pool", "clock", "disk", "entropy", "multicast", "transport")

    def __init__(self, *, transport: RealTransport | None = None, offload_threads: int = 4) -> None:
        self.clock = RealClock()
        self.entropy = RealEntropy()
        self.transport = transport or RealTransport()
        self.multicast = RealMulticast(self.offload)
        self.disk = RealDisk()
        self._inotify = Inotify()
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(offload_threads, "warren-offload")
        self._jobs: set[Future[object]] = set()

    async def offload(self, fn: Callable[..., T], *args: object) -> T:
        if self._pool is None:
            raise Closed("the runtime is closed", hint="offload before closing the node")
        job = self._pool.submit(fn, *args)
        self._jobs.add(job)  # type: ignore[arg-type]
        job.add_done_callback(self._jobs.discard)
        return await asyncio.wrap_future(job)

    async def watch(self, path: StrPath, *, only: str | None = None) -> InotifyWatch:
        return await InotifyWatch.open(self._inotify, os.fspath(path), self.offload, only=only)

    async def open_database(
        self, path: StrPath, migrations: Sequence[str], *, durable: bool = True
    ) -> ThreadDatabase:
        return await ThreadDatabase.open(path, migrations, durable=durable)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if self._jobs:
            await asyncio.wait([asyncio.wrap_future(job) for job in self._jobs.copy()])
        pool.shutdown()
