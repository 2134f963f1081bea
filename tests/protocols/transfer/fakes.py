"""A pair of streams in memory, with what the transfer protocol uses of `Stream`; and a content source."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from warren.core.errors import StreamReset
from warren.core.keys import PrivateKey
from warren.protocols.transfer.messages import Status
from warren.protocols.transfer.server import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream
    from warren.protocols.transfer.messages import Listing
    from warren.protocols.transfer.server import ReadJob

WRITE_QUEUE_BYTES_MAX = 256 * 1024
PEER = PrivateKey.from_seed(b"\7" * 32).peer_id


class FakeStream:
    """One end. What is written lies at the other end until its receiver takes it, `step` bytes at a time."""

    def __init__(self, peer: PeerId, step: int) -> None:
        self.peer_id = peer
        self.other: FakeStream
        self.waiting: deque[bytes] = deque()
        self.undelivered = 0
        self.closed = False
        self.error: Exception | None = None
        self.paused = False
        self.writes = 0
        self._step = step
        self._on_data: Callable[[memoryview], None] | None = None
        self._on_end: Callable[[Exception | None], None] | None = None
        self._target: Callable[[], memoryview | None] = lambda: None
        self._on_filled: Callable[[int], None] = lambda _count: None
        self._drained = asyncio.Event()
        self._arrived = asyncio.Event()

    def as_stream(self) -> Stream:
        return cast("Stream", self)

    def set_receiver(
        self, on_data: Callable[[memoryview], None], on_end: Callable[[Exception | None], None]
    ) -> None:
        self._on_data, self._on_end = on_data, on_end
        self._deliver()

    def set_target(self, target: Callable[[], memoryview | None], on_filled: Callable[[int], None]) -> None:
        self._target, self._on_filled = target, on_filled

    async def read(self, max_bytes: int) -> bytes:
        """As much as lies at the front, once something does; empty at the end."""
        while not self.waiting:
            if self.error is not None:
                raise self.error
            if self.closed:
                return b""
            await self._arrived.wait()
            self._arrived.clear()
        assert len(self.waiting[0]) <= max_bytes
        return self._pop()

    def _pop(self) -> bytes:
        data = self.waiting.popleft()
        self.undelivered -= len(data)
        return data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        if self.paused:
            self.paused = False
            self._deliver()

    def write_nowait(self, data: bytes) -> bool:
        if self.error is not None:
            raise self.error
        self.writes += 1
        view = memoryview(bytes(data))
        self.other.undelivered += len(view)
        for at in range(0, len(view), self._step):
            self.other.waiting.append(bytes(view[at : at + self._step]))
        asyncio.get_running_loop().call_soon(self.other._deliver)
        return self.other.undelivered <= WRITE_QUEUE_BYTES_MAX

    async def write(self, data: bytes) -> None:
        if not self.write_nowait(data):
            await self.drain()

    async def drain(self) -> None:
        while self.other.undelivered > WRITE_QUEUE_BYTES_MAX:
            self._drained.clear()
            await self._drained.wait()
            if self.error is not None:
                raise self.error

    def close_nowait(self) -> None:
        self.other.closed = True
        asyncio.get_running_loop().call_soon(self.other._deliver)

    async def close(self) -> None:
        self.close_nowait()

    def reset(self) -> None:
        for end in (self, self.other):
            if end.error is None:
                end.error = StreamReset("reset")
                end.waiting.clear()
                end.undelivered = 0
                end._drained.set()
                asyncio.get_running_loop().call_soon(end._deliver)

    def _deliver(self) -> None:
        self._arrived.set()
        while self.waiting and not self.paused and self._on_data is not None:
            data = self._pop()
            target = self._target()
            if target is not None and len(target) >= len(data):
                target[: len(data)] = data
                self._on_filled(len(data))
            else:
                self._on_data(memoryview(data))
            self.other._drained.set()
        if (self.closed or self.error) and not self.waiting and self._on_end is not None:
            on_end, self._on_end = self._on_end, None
            on_end(self.error)


def stream_pair(step: int = 65_507) -> tuple[FakeStream, FakeStream]:
    """Two ends of one stream; each calls the other `PEER`."""
    one, other = FakeStream(PEER, step), FakeStream(PEER, step)
    one.other, other.other = other, one
    return one, other


class FakeJob:
    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.size = sum(len(part.payload) for part in parts)


class FakeSource:
    """Serves `chunks` by digest, each in a job of its own, `nodes` by content id, and one listing.

    A job waits at `gate` while it is shut.
    """

    def __init__(self) -> None:
        self.chunks: dict[bytes, Part] = {}
        self.nodes: dict[bytes, tuple[bytes, list[bytes]]] = {}
        self.listing: Listing | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reading = self.reading_max = 0
        self.asked: list[tuple[Sequence[bytes], bool]] = []
        self.job: list[Part] | None = None
        """What answers any request for chunks, instead of `chunks`."""
        self.strangers: set[PeerId] = set()

    def is_known(self, peer: PeerId) -> bool:
        return peer not in self.strangers

    async def list_path(self, peer: PeerId, path: str, after: str, limit: int) -> Listing | None:
        return self.listing

    async def read_nodes(self, peer: PeerId, pending: list[bytes], bytes_max: int) -> list[bytes | None]:
        found: list[bytes | None] = []
        while pending and sum(len(node or b"") for node in found) < bytes_max:
            node = self.nodes.get(pending.pop())
            found.append(node and node[0])
            if node is None:
                break
            pending += reversed(node[1])
        return found

    async def plan_chunks(self, peer: PeerId, digests: Sequence[bytes], *, check: bool) -> Sequence[ReadJob]:
        self.asked.append((digests, check))
        if self.job is not None:
            return [FakeJob(self.job)]
        missing = Part(Status.NOT_FOUND)
        return [FakeJob([self.chunks.get(digest, missing)]) for digest in digests]

    async def read_chunks(self, job: ReadJob) -> list[Part]:
        self.reading += 1
        self.reading_max = max(self.reading, self.reading_max)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.reading -= 1
        return cast("FakeJob", job).parts
