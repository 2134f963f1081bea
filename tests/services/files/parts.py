"""The parts of one fetch, on streams in memory to a server whose source may lie."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.protocols.transfer.fakes import PEER, stream_pair
from warren.core.cid import Cid
from warren.protocols.transfer.messages import Status
from warren.protocols.transfer.server import Part, ServerLimits, TransferServer
from warren.runtime.real import RealRuntime
from warren.services.files.chunks import ChunkKeeper
from warren.services.files.config import FilesConfig
from warren.services.files.dag import pb
from warren.services.files.dag.build import build_folder
from warren.services.files.dag.pb import RAW_CID_PREFIX, Link
from warren.services.files.ledger import Ledger, Wanted
from warren.services.files.nodes import NodePuller
from warren.services.files.staging import Staging
from warren.services.files.swarm.picker import Picker
from warren.services.files.swarm.source import Source
from warren.services.files.walk import LEAF_UNKNOWN, Walk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from typing import Any

    from tests.protocols.transfer.fakes import FakeSource, FakeStream
    from warren.network.stream import Stream
    from warren.services.files.dag.pb import Block
    from warren.services.files.types import Progress


def leaf(data: bytes, name: str = "", size: int | None = None) -> Link:
    """A link to a chunk; `size` is what is claimed where that is not the truth."""
    return Link(RAW_CID_PREFIX + hashlib.sha256(data).digest(), name, len(data) if size is None else size)


def add_chunk(source: FakeSource, data: bytes, name: str = "", size: int | None = None) -> Link:
    """Serve a chunk; returns a link to it."""
    link = leaf(data, name, size)
    source.chunks[link.cid[4:]] = Part(Status.OK, (len(data),), data)
    return link


def add_block(source: FakeSource, block: Block, name: str = "") -> Link:
    """Serve a node; returns a link to it."""
    below = [link.cid for link in pb.decode(block.data)[0] if not link.is_raw]
    source.nodes[block.cid] = (block.data, below)
    return Link(block.cid, name, block.total)


def add_folder(source: FakeSource, links: list[Link], name: str = "") -> Link:
    """Serve a folder."""
    root, blocks = build_folder(links)
    for block in blocks:
        add_block(source, block)
    return root._replace(name=name)


class Parts:
    """See the module's header. `streams` are those opened so far, from the fetching side."""

    def __init__(self, runtime: RealRuntime, folder: Path, source: FakeSource, root: Link) -> None:
        cid = Cid.from_bytes(root.cid)
        self.seen: list[Progress] = []
        self.wanted = Wanted(cid, "top", None)
        self.staging = Staging(runtime.disk, str(folder), str(cid))
        self.staging.open()
        size = root.size if root.is_raw else LEAF_UNKNOWN
        self.walk = Walk(root.cid, self.staging.rules, size=size)
        self.ledger = Ledger(self.wanted, runtime.clock, self.seen.append)
        config = FilesConfig()
        self.picker = Picker()
        self.nodes = NodePuller(runtime, self.staging, self.walk, self.picker, self.ledger)
        self.keeper = ChunkKeeper(runtime, self.staging, self.picker, self.ledger)
        self.source = Source(PEER, runtime, config, self.picker, self.keeper, self.ledger, self.open_stream)
        self.streams: list[FakeStream] = []
        self._server = TransferServer(source, ServerLimits())
        self._tasks: list[asyncio.Task[None]] = []

    async def open_stream(self) -> Stream:
        near, far = stream_pair()
        self.streams.append(near)
        self._tasks.append(asyncio.create_task(self._server.serve(far.as_stream())))
        return near.as_stream()

    async def pull_nodes(self) -> None:
        await self.nodes.run(self.source, 10.0)

    async def run(self) -> None:
        """One attempt."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pull_nodes())
            group.create_task(self.source.run())

    async def close(self) -> None:
        for stream in self.streams:
            stream.reset()
        await asyncio.gather(*self._tasks)
        self.staging.close()


@asynccontextmanager
async def parts(folder: Path, source: FakeSource, root: Link) -> AsyncIterator[Parts]:
    runtime = RealRuntime()
    made = Parts(runtime, folder, source, root)
    try:
        yield made
    finally:
        await made.close()
        await runtime.close()


class Held:
    """A function whose first call, in a thread, waits inside until it is let go."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._begun, self._gate = threading.Event(), threading.Event()
        self.calls = 0
        self.under_way = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        self.under_way += 1
        try:
            if self.calls == 1:
                self._begun.set()
                assert self._gate.wait(10)
            return self._function(*arguments)
        finally:
            self.under_way -= 1

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 10)

    def let_go(self) -> None:
        self._gate.set()


async def cancel_while_held(task: asyncio.Task[None], held: Held) -> None:
    """Cancel a task while its thread is held; the thread must have ended when the task has."""
    await held.begun()
    task.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    held.let_go()
    await asyncio.wait([task])
    assert task.cancelled()
    assert held.under_way == 0
