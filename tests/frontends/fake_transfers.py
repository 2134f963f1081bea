"""The real queue over fetches that come at once and write what a test can read; nothing of it lasts."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from warren.core.cid import Cid
from warren.core.errors import BadContent
from warren.runtime.migrations import numbered_scripts
from warren.runtime.real.disk import RealDisk
from warren.runtime.sqlite import SqliteFile
from warren.services.files.queue.limits import TransferLimits
from warren.services.files.queue.model import Limits
from warren.services.files.queue.transfers import Transfers
from warren.services.files.swarm.steering import Steering
from warren.services.files.transfer import Transfer
from warren.services.files.types import Fetched, Progress, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 10


class Inline:
    """A database whose work is done at once."""

    def __init__(self) -> None:
        self._file = SqliteFile(":memory:")
        self._file.migrate(numbered_scripts("warren.services.files"), durable=False)

    async def run(self, work: Any) -> Any:
        return self._file.run(work)

    def close(self) -> None:
        self._file.close()


async def at_once(call: Any, *arguments: Any) -> Any:
    return call(*arguments)


class FakeFetching:
    """Fetches one byte, waits for the node's `hold`, fetches the rest; what is called `bad` is bad."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def get(self, ref: Any, folder: Any, **how: Any) -> Any:
        node, peers = self._node, how["peers"]
        name = how["name"] or str(ref).rpartition("/")[2]
        came = (SourceState(peers[0], "active", SIZE, 5.0, complete=True),) if peers else ()
        steering = Steering(how["cap_bytes_per_s"])
        steering.show(lambda: came)
        fetched, cancelled = node.fetched, node.cancelled

        async def run(report: Callable[[Progress], None]) -> Fetched:
            fetched.append((ref, str(folder), how))
            if peers and str(peers[0]) in node.without_content:
                raise node.without_content[str(peers[0])]
            report(Progress(1, SIZE, 0, 1, "a", "fetching"))
            try:
                await node.hold.wait()
            except asyncio.CancelledError:
                cancelled.append(name)
                raise
            report(Progress(SIZE, SIZE, 1, 1, "a", "finishing"))
            if "bad" in name:
                raise BadContent(peers[0], node.cid)
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"content\n")
            root = ref if isinstance(ref, Cid) else node.cid
            return Fetched(path, root, came, 1, 8, 0.01)

        return Transfer(run, steering)


class FakeQueue(Transfers):
    """It begins to run with the first that is added."""

    def __init__(self, node: Any) -> None:
        self._inline = Inline()
        runtime: Any = SimpleNamespace(
            clock=SimpleNamespace(now=time.monotonic, wall=time.time),
            entropy=random.Random(1),
            disk=RealDisk(),
            offload=at_once,
        )
        state: Any = self._inline
        limits = TransferLimits(state, Limits(), lambda _: None)
        super().__init__(
            state, runtime, FakeFetching(node), lambda _: None, self._reach_nobody, limits, active_max=3
        )
        self._running: asyncio.Task[None] | None = None

    async def add(self, want: Any) -> int:
        if self._running is None:
            await self.load()
            self._running = asyncio.create_task(self.run())
        return await super().add(want)

    async def end(self) -> None:
        """No more of it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self.close()
        self._inline.close()

    async def _reach_nobody(self, _: object) -> None: ...
