"""The serving side of the transfer protocol.

In: streams of peers, and a `ContentSource` that decides what each may see. Out: answers in the order of the
requests. Requests are taken in the callback; one coroutine plans and reads ahead, one sends.

Refuses malformed requests (the stream is reset), streams over the limits (answered BUSY), peers that take no
data for `stall_s` and streams that ask nothing for `idle_s`. Memory: one job of at most 1 MiB a stream, what
the read-ahead that all streams share has room for, and `REQUESTS_MAX` requests a stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from warren.core.errors import ConnectionFailed, ProtocolViolation
from warren.core.framing import FrameDecoder
from warren.protocols.transfer.messages import (
    REQUEST_BYTES_MAX,
    WANTS_MAX,
    ChunksRequest,
    Header,
    ListRequest,
    Status,
    TreeRequest,
    decode_request,
    encode_header,
    encode_listing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream
    from warren.protocols.transfer.messages import (
        Listing,
    )

logger = logging.getLogger(__name__)

REQUESTS_MAX: Final = 32
"""Requests of one stream that wait; then it is not read. Attack: requests faster than answers."""
JOBS_AHEAD_MAX: Final = 4
"""Jobs of one stream that are read but not sent: enough to hide the disk behind the network."""
NODES_BYTES: Final = 256 * 1024
"""Nodes read in one go, about."""
TREE_BYTES: Final = 1024 * 1024
"""Nodes sent for one request, about. Attack: one request for a graph that never ends."""


class Part(NamedTuple):
    """What answers one or more consecutive chunks: their payloads, or one failure."""

    status: Status
    lengths: Sequence[int] = ()
    payload: bytes = b""


class ReadJob(Protocol):
    """Consecutive chunks that are read in one go; `size` bytes, at most `PAYLOAD_BYTES_MAX`."""

    @property
    def size(self) -> int: ...


class ContentSource(Protocol):
    """What the protocol needs of who has the content. None of it may tell a peer what is not for it."""

    async def list_path(self, peer: PeerId, path: str, after: str, limit: int) -> Listing | None:
        """What lies at `path`, as a page; None where nothing does that `peer` may see."""
        ...

    async def read_nodes(self, peer: PeerId, pending: list[bytes], bytes_max: int) -> list[bytes | None]:
        """Nodes of the graphs under `pending`, depth first, until `bytes_max` are reached.

        `pending` is a stack of content ids, the next one last; it is changed to what is still to come. None
        stands for a node that is not there for `peer`, and ends the list.
        """
        ...

    async def plan_chunks(self, peer: PeerId, digests: Sequence[bytes], *, check: bool) -> Sequence[ReadJob]:
        """Jobs that together answer `digests`, in order."""
        ...

    async def read_chunks(self, job: ReadJob) -> list[Part]:
        """Do a job. A part holds at most `PAYLOAD_BYTES_MAX`."""
        ...


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """See `warren.services.files.config`, whose fields these are."""

    streams_max: int = 64
    streams_per_peer: int = 8
    ahead_bytes: int = 16 * 1024 * 1024
    stall_s: float = 60.0
    idle_s: float = 300.0


class TransferServer:
    """Serves streams; `serve` is the handler to register."""

    __slots__ = ("_ahead_free", "_streams", "limits", "source")

    def __init__(self, source: ContentSource, limits: ServerLimits) -> None:
        self.source = source
        self.limits = limits
        self._ahead_free = limits.ahead_bytes
        self._streams: Counter[PeerId] = Counter()

    async def serve(self, stream: Stream) -> None:
        """Answer the requests of one stream until its end."""
        peer = stream.peer_id
        if (
            self._streams.total() >= self.limits.streams_max
            or self._streams[peer] >= self.limits.streams_per_peer
        ):
            stream.write_nowait(encode_header(Header(0, Status.BUSY, last=True)))
            await stream.close()
            return
        self._streams[peer] += 1
        try:
            await _Serving(self, stream).run()
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]

    def take_ahead(self, size: int) -> bool:
        """Take room for reading ahead; False when there is none."""
        if size > self._ahead_free:
            return False
        self._ahead_free -= size
        return True

    def give_ahead(self, size: int) -> None:
        """Give room back."""
        self._ahead_free += size


class _Ready(NamedTuple):
    """Something to send: parts that are being read, and where they belong. `taken` is shared room."""

    request: int
    parts: asyncio.Future[list[Part]]
    last: bool
    taken: int


class _Serving:
    """One stream: requests in, answers out."""

    __slots__ = (
        "_ended",
        "_error",
        "_frames",
        "_index",
        "_moved",
        "_ready",
        "_requests",
        "_server",
        "_stream",
    )

    def __init__(self, server: TransferServer, stream: Stream) -> None:
        self._server = server
        self._stream = stream
        self._frames = FrameDecoder(REQUEST_BYTES_MAX)
        self._requests: deque[bytes] = deque()
        self._ready: deque[_Ready] = deque()
        self._index = 0
        self._ended = False
        self._error: Exception | None = None
        self._moved = asyncio.Event()

    async def run(self) -> None:
        stream = self._stream
        stream.set_receiver(self._on_data, self._on_end)
        planner = asyncio.create_task(self._plan())
        planner.add_done_callback(lambda _: self._moved.set())
        try:
            await self._send(planner)
            await planner
            await stream.close()
        except (ProtocolViolation, TimeoutError) as error:
            logger.info("a transfer stream of %s is reset: %r", stream.peer_id, error)
            stream.reset()
        except ConnectionFailed:
            pass  # the peer went away; nothing is owed to it
        finally:
            planner.cancel()
            leftover = [ready.parts for ready in self._ready]
            for one in leftover:
                one.cancel()
            self._server.give_ahead(sum(ready.taken for ready in self._ready))
            await asyncio.gather(planner, *leftover, return_exceptions=True)

    # --- requests in --------------------------------------------------------------------------------------

    def _on_data(self, data: memoryview) -> None:
        try:
            self._requests += self._frames.receive(data)
        except ProtocolViolation as violation:
            self._error = violation
        if len(self._requests) >= REQUESTS_MAX:
            self._stream.pause_reading()
        self._moved.set()

    def _on_end(self, error: Exception | None) -> None:
        self._ended = True
        self._error = self._error or error
        self._moved.set()

    async def _next_request(self) -> bytes | None:
        """The next request, or None after the last."""
        while not self._requests:
            if self._ended:
                return None
            idle = self._server.limits.idle_s if not self._ready else None
            async with asyncio.timeout(idle):
                await self._wait()
        raw = self._requests.popleft()
        if len(self._requests) < REQUESTS_MAX // 2:
            self._stream.resume_reading()
        return raw

    async def _wait(self) -> None:
        """Until something moved: a request came, an answer went. Raises what ended the stream."""
        if self._error is not None:
            raise self._error
        self._moved.clear()
        await self._moved.wait()

    # --- planning and reading ahead -----------------------------------------------------------------------

    async def _plan(self) -> None:
        while (raw := await self._next_request()) is not None:
            match decode_request(raw):
                case ListRequest(id_, path, after, limit):
                    await self._plan_list(id_, path, after, limit)
                case TreeRequest(id_, cids):
                    await self._plan_tree(id_, list(reversed(cids)))
                case ChunksRequest(id_, digests, check):
                    await self._plan_chunks(id_, digests, check=check)

    async def _plan_list(self, id_: int, path: str, after: str, limit: int) -> None:
        listing = await self._server.source.list_path(self._stream.peer_id, path, after, limit)
        if listing is None:
            await self._put(id_, [Part(Status.NOT_FOUND)], last=True)
            return
        payload = encode_listing(listing)
        await self._put(id_, [Part(Status.OK, (len(payload),), payload)], last=True)

    async def _plan_tree(self, id_: int, pending: list[bytes]) -> None:
        last = False
        sent = 0
        while not last:
            nodes = await self._server.source.read_nodes(self._stream.peer_id, pending, NODES_BYTES)
            blocks = [node for node in nodes if node is not None]
            missing = len(blocks) < len(nodes)
            sent += sum(map(len, blocks))
            last = missing or not pending or sent >= TREE_BYTES
            runs = [blocks[at : at + WANTS_MAX] for at in range(0, len(blocks), WANTS_MAX)]
            parts = [Part(Status.OK, tuple(map(len, run)), b"".join(run)) for run in runs]
            if missing:
                parts.append(Part(Status.NOT_FOUND))
            await self._put(id_, parts, last=last)

    async def _plan_chunks(self, id_: int, digests: Sequence[bytes], *, check: bool) -> None:
        source = self._server.source
        jobs = await source.plan_chunks(self._stream.peer_id, digests, check=check)
        for job in jobs:
            await self._start(id_, partial(source.read_chunks, job), job.size, last=job is jobs[-1])

    async def _put(self, id_: int, parts: list[Part], *, last: bool) -> None:
        async def done() -> list[Part]:
            return parts

        await self._start(id_, done, sum(len(part.payload) for part in parts), last=last)

    async def _start(
        self, id_: int, read: Callable[[], Coroutine[None, None, list[Part]]], size: int, *, last: bool
    ) -> None:
        """Begin to read, as soon as there is room: always for one job, for more from what all share."""
        taken = 0
        while self._ready:
            if len(self._ready) < JOBS_AHEAD_MAX and self._server.take_ahead(size):
                taken = size
                break
            await self._wait()
        self._ready.append(_Ready(id_, asyncio.create_task(read()), last, taken))
        self._moved.set()

    # --- sending ------------------------------------------------------------------------------------------

    async def _send(self, planner: asyncio.Task[None]) -> None:
        while True:
            if not self._ready:
                if planner.done():
                    return
                await self._wait()
                continue
            ready = self._ready[0]
            parts = await ready.parts
            for part in parts:
                await self._send_part(ready, part, last=ready.last and part is parts[-1])
            if ready.last:
                self._index = 0
            self._ready.popleft()
            self._server.give_ahead(ready.taken)
            self._moved.set()

    async def _send_part(self, ready: _Ready, part: Part, *, last: bool) -> None:
        header = Header(ready.request, part.status, self._index, part.lengths, last)
        self._index += max(1, len(part.lengths))
        self._stream.write_nowait(encode_header(header))
        if part.payload and not self._stream.write_nowait(part.payload):
            async with asyncio.timeout(self._server.limits.stall_s):
                await self._stream.drain()
