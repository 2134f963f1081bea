"""The serving side of the transfer protocol.

In: streams of peers, and a `ContentSource` that decides what each may see. Out: answers in the order of the
requests. Requests are taken in the callback; one coroutine plans and reads ahead, one sends.

A stream takes a place with its first bytes; until then it holds nothing here. Strangers, whom nothing but
public shares can concern, have few places of their own, so that no number of them keeps a contact out.

Refuses malformed requests (the stream is reset), streams over the limits (answered BUSY), peers that take no
data for `stall_s` and streams that ask nothing for `idle_s`. Memory for each stream with a place: one job of
at most 1 MiB, `REQUESTS_BYTES_MAX` and one frame of requests; and the read-ahead that all of them share.
docs/protocols/transfer.md
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from warren.core import varint
from warren.core.errors import ConnectionFailed, ProtocolViolation
from warren.protocols.transfer.messages import (
    PAYLOAD_BYTES_MAX,
    REQUEST_BYTES_MAX,
    WANTS_MAX,
    ChunksRequest,
    Header,
    ListRequest,
    Status,
    TreeRequest,
    TurnRequest,
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
T = TypeVar("T")

REQUESTS_BYTES_MAX: Final = 64 * 1024
"""Requests of one stream that wait; then it is not read. Over `REQUEST_BYTES_MAX`, so that any one has room.
Attack: requests faster than answers."""
JOBS_AHEAD_MAX: Final = 4
"""Jobs of one stream that are read but not sent: enough to hide the disk behind the network."""
NODES_BYTES: Final = 256 * 1024
"""Nodes read in one go, about."""
TREE_BYTES: Final = 1024 * 1024
"""Nodes sent for one request, about. Attack: one request for a graph that never ends."""
TURN_S: Final = 2.0
"""A turn that a peer was told of is kept for it so long. Attack: turns that are taken and not used."""


class Part(NamedTuple):
    """What answers one or more consecutive chunks: their payloads, or one failure."""

    status: Status
    lengths: Sequence[int] = ()
    payload: bytes | bytearray = b""


class ReadJob(Protocol):
    """Consecutive chunks that are read in one go; `size` bytes, at most `PAYLOAD_BYTES_MAX`."""

    @property
    def size(self) -> int: ...


class ContentSource(Protocol):
    """What the protocol needs of who has the content. None of it may tell a peer what is not for it."""

    def is_known(self, peer: PeerId) -> bool:
        """Whether there may be content for `peer` that is not for everyone."""
        ...

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


class Turns(Protocol[T]):
    """Whose turn it is to be sent to. A turn is whatever the other side makes of it."""

    def turn_bytes(self) -> int:
        """The most to send in one turn."""
        ...

    async def begin(self, peer: PeerId, size: int) -> T:
        """Wait until `size` bytes may be sent to `peer`."""
        ...

    def end(self, turn: T, *, sent: bool = True) -> None:
        """They are sent, as far as the stream's queue has room again; or they are not, and will not be."""
        ...


class AnyTime:
    """Turns for who has no need of them: everything is sent at once."""

    def turn_bytes(self) -> int:
        """See `Turns`."""
        return PAYLOAD_BYTES_MAX

    async def begin(self, peer: PeerId, size: int) -> None:
        """See `Turns`."""

    def end(self, turn: None, *, sent: bool = True) -> None:
        """See `Turns`."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """See `warren.services.files.config`, whose fields these are."""

    streams_max: int = 64
    streams_per_peer: int = 8
    ahead_bytes: int = 16 * 1024 * 1024
    idle_s: float = 300.0
    strangers_max: int = 16
    strangers_per_peer: int = 4
    strangers_ahead_bytes: int = 4 * 1024 * 1024
    strangers_idle_s: float = 20.0
    stall_s: float = 60.0


class Places:
    """Places for streams of one kind of peers, and the room for reading ahead that these share."""

    __slots__ = ("_ahead_free", "_max", "_per_peer", "_taken", "idle_s")

    def __init__(self, count: int, per_peer: int, ahead_bytes: int, idle_s: float) -> None:
        self._max = count
        self._per_peer = per_peer
        self._ahead_free = ahead_bytes
        self._taken: Counter[PeerId] = Counter()
        self.idle_s = idle_s

    def take(self, peer: PeerId) -> bool:
        """Take a place; False when there is none for `peer`."""
        if self._taken.total() >= self._max or self._taken[peer] >= self._per_peer:
            return False
        self._taken[peer] += 1
        return True

    def give(self, peer: PeerId) -> None:
        """Give a place back."""
        self._taken[peer] -= 1
        if not self._taken[peer]:
            del self._taken[peer]

    def take_ahead(self, size: int) -> bool:
        """Take room for reading ahead; False when there is none."""
        if size > self._ahead_free:
            return False
        self._ahead_free -= size
        return True

    def give_ahead(self, size: int) -> None:
        """Give room back."""
        self._ahead_free += size


class TransferServer:
    """Serves streams; `serve` is the handler to register. turns: decides what is sent when."""

    __slots__ = ("known", "source", "stall_s", "strangers", "turns")

    def __init__(self, source: ContentSource, limits: ServerLimits, turns: Turns[Any] | None = None) -> None:
        self.source = source
        self.turns = AnyTime() if turns is None else turns
        self.stall_s = limits.stall_s
        self.known = Places(limits.streams_max, limits.streams_per_peer, limits.ahead_bytes, limits.idle_s)
        self.strangers = Places(
            limits.strangers_max,
            limits.strangers_per_peer,
            limits.strangers_ahead_bytes,
            limits.strangers_idle_s,
        )

    async def serve(self, stream: Stream) -> None:
        """Answer the requests of one stream until its end."""
        peer = stream.peer_id
        places = self.known if self.source.is_known(peer) else self.strangers
        try:
            async with asyncio.timeout(places.idle_s):
                first = await stream.read(REQUESTS_BYTES_MAX)
        except TimeoutError:
            stream.reset()
            return
        except ConnectionFailed:
            return  # the peer went away; nothing is owed to it
        if first and not places.take(peer):
            stream.write_nowait(encode_header(Header(0, Status.BUSY, last=True)))
        elif first:
            try:
                await _Serving(self, places, stream, first).run()
            finally:
                places.give(peer)
        await stream.close()


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
        "_index",
        "_kept_turn",
        "_lapse",
        "_moved",
        "_places",
        "_ready",
        "_requests",
        "_server",
        "_stream",
        "_waited_ms",
    )

    def __init__(self, server: TransferServer, places: Places, stream: Stream, first: bytes) -> None:
        self._server = server
        self._places = places
        self._stream = stream
        self._requests = bytearray(first)
        self._ready: deque[_Ready] = deque()
        self._index = 0
        self._ended = False
        self._error: Exception | None = None
        self._moved = asyncio.Event()
        self._kept_turn: tuple[Any] | None = None  # whatever `Turns` gives
        self._lapse: asyncio.TimerHandle | None = None
        self._waited_ms = 0

    async def run(self) -> None:
        stream = self._stream
        stream.set_receiver(self._on_data, self._on_end)
        planner = asyncio.create_task(self._plan())
        planner.add_done_callback(lambda _: self._moved.set())
        try:
            await self._send(planner)
            await planner
        except (ProtocolViolation, TimeoutError) as error:
            logger.info("a transfer stream of %s is reset: %r", stream.peer_id, error)
            stream.reset()
        except ConnectionFailed:
            pass  # the peer went away; nothing is owed to it
        finally:
            planner.cancel()
            self._give_back_turn()
            leftover = [ready.parts for ready in self._ready]
            for one in leftover:
                one.cancel()
            self._places.give_ahead(sum(ready.taken for ready in self._ready))
            await asyncio.gather(planner, *leftover, return_exceptions=True)

    # --- requests in --------------------------------------------------------------------------------------

    def _on_data(self, data: memoryview) -> None:
        self._requests += data
        if len(self._requests) >= REQUESTS_BYTES_MAX:
            self._stream.pause_reading()
        self._moved.set()

    def _on_end(self, error: Exception | None) -> None:
        self._ended = True
        self._error = self._error or error
        self._moved.set()

    async def _next_request(self) -> bytes | None:
        """The next request, or None after the last."""
        while (raw := self._cut_request()) is None:
            if self._ended:
                return None
            idle = self._places.idle_s if not self._ready else None
            async with asyncio.timeout(idle):
                await self._wait()
        if len(self._requests) < REQUESTS_BYTES_MAX // 2:
            self._stream.resume_reading()
        return raw

    def _cut_request(self) -> bytes | None:
        """The first of the requests that wait, if all of it is there.

        They stay as they came until it is their turn: thousands of tiny ones cost no more than their bytes.
        """
        head = varint.decode(self._requests)
        if head is None:
            return None
        size, start = head
        if size > REQUEST_BYTES_MAX:
            raise ProtocolViolation(f"a request of {size} bytes (at most {REQUEST_BYTES_MAX} are allowed)")
        end = start + size
        if len(self._requests) < end:
            return None
        raw = bytes(self._requests[start:end])
        del self._requests[:end]
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
                case TurnRequest(id_, give_back):
                    if give_back:
                        self._give_back_turn()
                    else:
                        await self._put(id_, [Part(Status.TURN)], last=True)

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
            if len(self._ready) < JOBS_AHEAD_MAX and self._places.take_ahead(size):
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
            if parts and parts[0].status is Status.TURN:
                await self._tell_turn(ready)
            else:
                await self._send_parts(ready, parts)
            if ready.last:
                self._index = 0
            self._ready.popleft()
            self._places.give_ahead(ready.taken)
            self._moved.set()

    async def _send_parts(self, ready: _Ready, parts: list[Part]) -> None:
        heads: list[bytes] = []
        for part in parts:
            last = ready.last and part is parts[-1]
            header = Header(ready.request, part.status, self._index, part.lengths, last, self._waited_ms)
            self._index += max(1, len(part.lengths))
            heads.append(encode_header(header))
            # Failures have no payload; a run of them goes out in one piece.
            if part.payload or part is parts[-1]:
                await self._write(b"".join(heads), part.payload)
                heads.clear()

    async def _write(self, heads: bytes, payload: bytes | bytearray) -> None:
        turns, left = self._server.turns, memoryview(payload)
        while heads or left:
            most = turns.turn_bytes()
            piece, left = left[:most], left[most:]
            turn = await self._next_turn(len(piece))
            sent = False
            try:
                await self._write_now(heads, piece)
                sent = True
            finally:
                turns.end(turn, sent=sent)
            heads = b""

    async def _write_now(self, heads: bytes, piece: memoryview) -> None:
        has_room = self._stream.write_nowait(heads) if heads else True
        if piece:
            has_room = self._stream.write_nowait(piece)
        if not has_room:
            async with asyncio.timeout(self._server.stall_s):
                await self._stream.drain()

    # --- turns --------------------------------------------------------------------------------------------

    async def _tell_turn(self, ready: _Ready) -> None:
        """Wait for a turn, tell the peer, and keep it for what that asks for next."""
        self._give_back_turn()
        self._kept_turn = (await self._begin_turn(self._server.turns.turn_bytes()),)
        self._lapse = asyncio.get_running_loop().call_later(TURN_S, self._give_back_turn)
        header = Header(ready.request, Status.TURN, last=True, waited_ms=self._waited_ms)
        await self._write_now(encode_header(header), memoryview(b""))

    async def _next_turn(self, size: int) -> Any:
        """The turn that was kept, or the next."""
        kept, self._kept_turn = self._kept_turn, None
        if kept is None:
            return await self._begin_turn(size)
        self._stop_lapse()
        return kept[0]

    async def _begin_turn(self, size: int) -> Any:
        now = asyncio.get_running_loop().time
        since = now()
        turn = await self._server.turns.begin(self._stream.peer_id, size)
        self._waited_ms = int(1000 * (now() - since))
        return turn

    def _give_back_turn(self) -> None:
        """It was not used: others may have it."""
        self._stop_lapse()
        kept, self._kept_turn = self._kept_turn, None
        if kept is not None:
            self._server.turns.end(kept[0], sent=False)

    def _stop_lapse(self) -> None:
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None
