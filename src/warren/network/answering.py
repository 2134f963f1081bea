"""The serving side of requests: one `Answering` for each stream on which a peer asks.

In: a peer's requests, in any chunking.  Out: one answer to each, in the order in which handlers finish.
Memory: everything that is kept for the peer counts against its connection: requests that wait or run, and
answers until the peer takes them.  While answers wait no further request is begun; the peer is read until one
more request waits.  An answer that finds no room is replaced by an error; a request that finds none costs its
stream.
Wire: `proto/messages.proto`, explained in docs/protocols/messages.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core.errors import LimitReached, ProtocolViolation, WarrenError
from warren.core.framing import FrameDecoder, frame
from warren.network.message_frames import ENVELOPE_BYTES_MAX, read_messages
from warren.network.proto.messages_pb2 import ERROR, MESSAGE, REQUEST, RESPONSE, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.network.stream import Stream

logger = logging.getLogger(__name__)

RequestHandler: TypeAlias = "Callable[[PeerId, bytes], Awaitable[bytes | None]]"
REQUEST_COST_BYTES: Final = 2048
"""What a request counts beside its payload: its task, mostly. Attack: millions of requests of no bytes."""
NOT_TAKEN: Final = b"there is no room for the answer: earlier ones were not taken yet"


class Answering:
    """A peer's requests on one stream."""

    __slots__ = (
        "_answers",
        "_config",
        "_decoder",
        "_ended",
        "_handler",
        "_held",
        "_running",
        "_sending",
        "_spawn",
        "_starting",
        "_stream",
        "_under_way",
        "_untaken",
        "_waiting",
    )

    def __init__(
        self,
        stream: Stream,
        handler: RequestHandler,
        config: NetworkConfig,
        spawn: Callable[[Awaitable[None]], None],
    ) -> None:
        self._stream = stream
        self._handler = handler
        self._config = config
        self._spawn = spawn
        self._decoder = FrameDecoder(config.message_bytes_max + ENVELOPE_BYTES_MAX)
        self._waiting: deque[Message] = deque()
        self._answers: deque[bytes] = deque()
        self._running = 0
        self._under_way = 0
        """What requests that wait or run count."""
        self._untaken = 0
        """Bytes of answers that the peer has not taken."""
        self._held = 0
        """What of all this the connection was told."""
        self._starting = self._sending = self._ended = False
        stream.set_receiver(self._on_data, self._on_end)

    def _on_data(self, data: memoryview) -> None:
        try:
            for message in read_messages(self._decoder, data):
                if message.kind not in (REQUEST, MESSAGE):
                    raise ProtocolViolation("an answer where a request was due")
                self._under_way += _cost(message)
                self._waiting.append(message)
        except ProtocolViolation as error:
            logger.debug("%s sent a bad message: %s", self._stream.peer_id, error)
            self._stream.reset()
            return
        self._count_held()
        self._start_waiting()

    def _on_end(self, error: Exception | None) -> None:
        self._ended = True
        if error is not None:
            # Handlers that run go on, and what they were given is still held.
            self._under_way -= sum(map(_cost, self._waiting))
            self._waiting.clear()
        self._decoder.drop()  # half a request will not be completed, and the stream may be known for long
        self._count_held()
        self._close_if_done()

    def _count_held(self) -> None:
        """Tell the connection what is kept for the peer, half a request too. Raises `LimitReached`."""
        held = self._under_way + self._untaken + (0 if self._ended else self._decoder.pending)
        if held > self._held:
            self._stream.hold(held - self._held)
        else:
            self._stream.release(self._held - held)
        self._held = held

    # --- requests -------------------------------------------------------------------------------------------

    @property
    def _may_start(self) -> bool:
        room = self._running < self._config.requests_per_stream_max
        return bool(self._waiting) and room and not self._sending

    def _start_waiting(self) -> None:
        """Begin with the oldest request; what waits for it or behind it is not read."""
        if self._may_start and not self._running:
            self._start_one()
        if self._may_start and not self._starting:
            self._starting = True
            self._spawn(self._start_others())
        if self._waiting:
            self._stream.pause_reading()
        else:
            self._stream.resume_reading()

    def _start_one(self) -> None:
        self._running += 1
        self._spawn(self._serve(self._waiting.popleft()))

    async def _start_others(self) -> None:
        """One in each turn of the loop: a large answer to the first is seen before the next is begun."""
        await asyncio.sleep(0)
        while self._may_start:
            self._start_one()
            await asyncio.sleep(0)
        self._starting = False
        self._start_waiting()

    async def _serve(self, message: Message) -> None:
        answer = Message(id=message.id, kind=RESPONSE)
        try:
            result = await self._handler(self._stream.peer_id, message.payload) or b""
            answer.payload = result if message.kind == REQUEST else b""
            if len(answer.payload) > self._config.message_bytes_max:
                raise LimitReached("message_bytes_max", "the answer is larger than message_bytes_max")
        except WarrenError as error:
            answer.kind, answer.payload = ERROR, str(error).encode(errors="replace")
        except Exception:  # supervision boundary: the peer learns that it failed, not how
            logger.exception("the handler of %s failed", self._stream.protocol)
            answer.kind, answer.payload = ERROR, b"internal error"
        finally:
            self._running -= 1
            self._under_way -= _cost(message)
        self._answer(answer)
        self._start_waiting()
        self._close_if_done()

    # --- answers --------------------------------------------------------------------------------------------

    def _answer(self, answer: Message) -> None:
        """Send it, or keep it until the peer has taken those before; without room for it, an error."""
        if self._stream.ended:
            self._count_held()
            return
        data = frame(answer.SerializeToString())
        if not self._keep(len(data)):
            refusal = Message(id=answer.id, kind=ERROR, payload=NOT_TAKEN)
            data = frame(refusal.SerializeToString())
            if not self._keep(len(data)):
                self._stream.reset()
                return
        if self._sending:
            self._answers.append(data)
        elif self._stream.write_nowait(data):
            self._taken(len(data))
        else:
            self._sending = True
            self._spawn(self._send_answers(len(data)))

    def _keep(self, size: int) -> bool:
        self._untaken += size
        try:
            self._count_held()
        except LimitReached:
            self._untaken -= size
            return False
        return True

    def _taken(self, size: int) -> None:
        self._untaken -= size
        self._count_held()

    async def _send_answers(self, size: int) -> None:
        """Wait until the peer takes an answer of `size` bytes, then send what came meanwhile."""
        try:
            await self._stream.drain()
            self._taken(size)
            while self._answers:
                data = self._answers.popleft()
                await self._stream.write(data)
                self._taken(len(data))
        except WarrenError as error:
            logger.debug("%s did not take an answer: %s", self._stream.peer_id, error)
        finally:
            self._answers.clear()
            self._taken(self._untaken)
            self._sending = False
        self._start_waiting()
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._ended and not (self._running or self._waiting or self._sending):
            self._stream.close_write()


def _cost(message: Message) -> int:
    return len(message.payload) + REQUEST_COST_BYTES
