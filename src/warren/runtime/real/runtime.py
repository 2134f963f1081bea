"""`RealRuntime`: clock, chance, threads, sockets, files and databases of the operating system.

In:  what a node asks through `warren.runtime.seam`.
Out: answers of the operating system. Constructing one touches neither loop, signal nor logger, so several
live in one process; threads start with the first job.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import Closed
from warren.runtime.real.database import ThreadDatabase
from warren.runtime.real.disk import RealDisk
from warren.runtime.real.inotify import Inotify
from warren.runtime.real.multicast import RealMulticast
from warren.runtime.real.processor import aes_is_fast
from warren.runtime.real.threads import Threads
from warren.runtime.real.transport import RealTransport
from warren.runtime.real.watching import InotifyWatch

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence

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

    __slots__ = ("_inotify", "_threads", "clock", "disk", "entropy", "multicast", "transport")

    def __init__(self, *, transport: RealTransport | None = None, offload_threads: int = 4) -> None:
        self.clock = RealClock()
        self.entropy = RealEntropy()
        self.transport = transport or RealTransport()
        self.multicast = RealMulticast(self.offload)
        self.disk = RealDisk()
        self._inotify = Inotify()
        self._threads: Threads | None = Threads("warren-offload", offload_threads)

    @property
    def fast_aes(self) -> bool:
        return aes_is_fast()

    async def offload(self, fn: Callable[..., T], *args: object) -> T:
        if self._threads is None:
            raise Closed("the runtime is closed", hint="offload before closing the node")
        return await self._threads.do(fn, *args)

    async def watch(self, path: StrPath, *, only: str | None = None) -> InotifyWatch:
        return await InotifyWatch.open(self._inotify, os.fspath(path), self.offload, only=only)

    async def open_database(
        self, path: StrPath, migrations: Sequence[str], *, durable: bool = True
    ) -> ThreadDatabase:
        return await ThreadDatabase.open(path, migrations, durable=durable)

    async def close(self) -> None:
        threads, self._threads = self._threads, None
        if threads is not None:
            await threads.close()
