"""What a protocol handler holds: one negotiated stream, with reads, writes and their backpressure.

In: data views from the muxer.  Out: bytes for the reader, or calls of a receiver without any copy.
Two ways to read: `await read(...)`, or `set_receiver` for hot protocols.  Memory: a slow reader holds at most
the receive window.  `sending` is the half that writes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from warren.core import varint
from warren.core.errors import (
    Closed,
    ConnectionClosed,
    LimitReached,
    MisuseError,
    ProtocolNotSupported,
    ProtocolViolation,
    WarrenError,
)
from warren.network.multistream import REFUSAL_COST, Proposer
from warren.network.sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.network.multistream import Responder
    from warren.network.socket import Socket

logger = logging.getLogger(__name__)
T = TypeVar("T")

SMALL_CHUNK_BYTES_MAX: Final = 4096
"""Unread pieces are joined up to this size: a window full of tiny frames costs no more than one of large."""


class Stream(Sending):
    """One stream to one peer. Reads and writes are independent; each direction is closed on its own."""

    __slots__ = (
        "_buffered",
        "_chunk_pos",
        "_chunks",
        "_discard_left",
        "_eof",
        "_negotiator",
        "_on_data",
        "_on_end",
        "_on_filled",
        "_paused",
        "_read_waiter",
        "_target",
        "inbound",
        "on_drain",
        "protocol",
    )

    def __init__(self, socket: Socket, *, inbound: bool, negotiator: Proposer | Responder | None) -> None:
        super().__init__(socket)
        self.inbound = inbound
        self.protocol = ""
        self._negotiator = negotiator
        self._chunks: deque[bytes] | None = None
        self._chunk_pos = 0
        self._buffered = 0
        self._discard_left: int | None = None
        """Once closed here: what may still arrive before the stream is reset."""
        self._eof = False
        self._paused = False
        self._read_waiter: asyncio.Future[None] | None = None
        self._on_data: Callable[[memoryview], None] | None = None
        self._on_end: Callable[[Exception | None], None] | None = None
        self._target: Callable[[], memoryview | None] | None = None
        self._on_filled: Callable[[int], None] | None = None
        self.on_drain: Callable[[], None] | None = None
        """Called when the socket drains: who keeps the stream only to use it again closes it then."""

    def __repr__(self) -> str:
        way = "from" if self.inbound else "to"
        return f"<Stream {self.protocol or 'negotiating'} {way} {self.peer_id}>"

    @property
    def peer_id(self) -> PeerId:
        """The peer at the other end, proven by the handshake."""
        return self.socket.peer_id

    @property
    def direction(self) -> str:
        """`inbound` when the peer opened the stream, else `outbound`."""
        return "inbound" if self.inbound else "outbound"

    @property
    def waits_for_peer(self) -> bool:
        """True while only the peer can bring it on: to name a protocol, or to end what was closed here."""
        closed_here = self._discard_left is not None and not self._eof
        return closed_here or (self.inbound and self._negotiator is not None)

    # --- reading --------------------------------------------------------------------------------------------

    async def read(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes`; empty at the end, also where the connection went after it.

        Raises `StreamReset`, `ConnectionClosed`, `ProtocolNotSupported`.
        """
        while not self._buffered:
            if self._eof:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait_for_data()
        return self._take(max_bytes)

    async def read_exactly(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises `ProtocolViolation` when the stream ends before."""
        first = await self.read(count) if count else b""
        if len(first) == count:
            return first
        parts, have = [first], len(first)
        while have < count:
            part = await self.read(count - have)
            if not part:
                raise ProtocolViolation(f"the stream ended after {have} of {count} bytes")
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    async def read_frame(self, max_bytes: int) -> bytes:
        """One message with a varint length before it. Raises `ProtocolViolation` when over `max_bytes`."""
        head = b""
        while (decoded := varint.decode(head)) is None:
            byte = await self.read(1)
            if not byte:
                raise ProtocolViolation("the stream ended where a message should begin")
            head += byte
        size = decoded[0]
        if size > max_bytes:
            raise ProtocolViolation(f"a message of {size} bytes (at most {max_bytes} are allowed)")
        return await self.read_exactly(size) if size else b""

    def set_receiver(
        self, on_data: Callable[[memoryview], None], on_end: Callable[[Exception | None], None]
    ) -> None:
        """Hand arriving data straight to `on_data`; the view is valid only during the call.

        `on_end` is called once: with None when the peer closed its half, else with the error. What was
        buffered before is delivered at once.
        """
        self._on_data, self._on_end = on_data, on_end
        self._deliver_buffered()

    def set_target(self, target: Callable[[], memoryview | None], on_filled: Callable[[int], None]) -> None:
        """Beside a receiver: spare it the copy of what comes where it knows into which buffer that belongs.

        `target` says where the next bytes may be written, or None; what it gave is kept until the next call
        of the receiver. Once they lie there, `on_filled` is called with their count in place of `on_data`.
        """
        self._target, self._on_filled = target, on_filled

    def pause_reading(self) -> None:
        """Stop calling the receiver: what arrives is buffered, and the peer stops when its window is full."""
        self._paused = True

    def resume_reading(self) -> None:
        """Deliver what was buffered, and go on."""
        if self._paused:
            self._paused = False
            self._deliver_buffered()

    # --- ending ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """End the stream abruptly; the peer sees a reset. Unread data is dropped."""
        if self._muxed is not None:
            self._end_here(Closed("this stream was reset here"))

    async def close(self) -> None:
        """Close both directions; unread data is dropped."""
        self.close_nowait()

    def close_nowait(self) -> None:
        """Send the end; what the peer has under way is let pass, and then it should end its half, too.

        With the last byte of the window that it has now the stream is reset; and when it does not end it in
        time. So nobody uploads without end to where nobody reads.
        """
        self.close_write()
        self._on_data = self._on_end = self._target = self._on_filled = None
        unread = self._buffered
        self._drop_unread()
        if self._muxed is not None and not self._eof and self._discard_left is None:
            self._muxed.consumed(unread)
            self._discard_left = self._muxed.receive_window

    # --- the muxer's side (StreamSink) ----------------------------------------------------------------------

    def on_data(self, data: memoryview) -> None:
        """Bytes arrived: negotiation first, then the receiver or the buffer."""
        if self._negotiator is not None:
            used = self._negotiate(self._negotiator, data)
            if used == len(data) or self._error is not None:
                return
            data = data[used:]
        if self._hands_over:
            self._hand(self._on_data, data, len(data))
            return
        if self._discard_left is not None:
            self._discard_left -= len(data)
            if self._discard_left <= 0 and not self.unsent_bytes:
                self.reset()
            return
        self._keep(data)
        self._wake_reader()

    def body_target(self) -> memoryview | None:
        """Where the receiver wants what comes next, if it can take it at once."""
        if self._target is None or not self._hands_over or self._negotiator is not None:
            return None
        return self._target()

    def on_filled(self, count: int) -> None:
        """Bytes arrived at `body_target`."""
        self._hand(self._on_filled, count, count)

    def on_fin(self) -> None:
        """The peer sends no more."""
        if self._negotiator is not None:
            self._fail_negotiation(
                ConnectionClosed("the peer closed the stream before a protocol was agreed")
            )
            return
        self._eof = True
        self._wake_reader()
        self._end_receiver(None)

    def on_reset(self, error: Exception) -> None:
        """The stream is gone."""
        self._finish(error)

    # --- negotiation ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Send the proposal of an outbound stream."""
        if self._negotiator is not None:
            self._writer().send(self._negotiator.take_output())

    async def wait_negotiated(self) -> str:
        """The protocol that was agreed. Raises `ProtocolNotSupported` when there is none."""
        while self._negotiator is not None and self._error is None:
            await self._wait_for_data()
        if self._error is not None and not self._eof:
            raise self._error
        return self.protocol

    def _negotiate(self, negotiator: Proposer | Responder, data: memoryview) -> int:
        refused = negotiator.refusals
        try:
            used = negotiator.receive(data)
        except ProtocolViolation as error:
            self._fail_negotiation(error)
            used = len(data)
        if negotiator.refusals > refused and self.inbound and self._muxed is not None:
            self._muxed.charge(REFUSAL_COST * (negotiator.refusals - refused))
        if self._error is not None:
            return used
        if used and self._muxed is not None:
            self._muxed.consumed(used)
        output = negotiator.take_output()
        if output and self._muxed is not None:
            self._muxed.send(output)
        if negotiator.selected is not None:
            self._negotiator = None
            self.protocol = negotiator.selected
            self._wake_reader()
            self.socket.on_stream_negotiated(self)
        elif isinstance(negotiator, Proposer) and negotiator.refused:
            names = ", ".join(negotiator.protocols)
            self._fail_negotiation(ProtocolNotSupported(f"{self.peer_id} does not speak {names}"))
            return len(data)
        return used

    def _fail_negotiation(self, error: WarrenError) -> None:
        if self._muxed is not None:
            self._muxed.reset()
        self._finish(error)

    # --- inside ---------------------------------------------------------------------------------------------

    @property
    def _hands_over(self) -> bool:
        """Whether what comes goes straight to the receiver."""
        return self._on_data is not None and not self._paused and not self._buffered

    def _hand(self, receiver: Callable[[T], None] | None, what: T, size: int) -> None:
        if receiver is not None:
            try:
                receiver(what)
            except Exception as error:  # noqa: BLE001 - supervision boundary, see _fail
                self._fail(error)
        if self._muxed is not None:
            self._muxed.consumed(size)

    def _keep(self, data: memoryview) -> None:
        """Hold what nobody reads yet; where too much is held already, this stream is reset."""
        if self._muxed is not None and not self._muxed.hold(len(data)):
            self._fail(LimitReached("held_bytes", "too much unread data is held"))
            return
        chunks = self._chunks
        if chunks is None:
            chunks = self._chunks = deque()
        if chunks and len(chunks[-1]) + len(data) <= SMALL_CHUNK_BYTES_MAX:
            chunks[-1] += data
        else:
            chunks.append(bytes(data))
        self._buffered += len(data)

    def _take(self, max_bytes: int) -> bytes:
        chunks = self._chunks
        if not chunks:
            return b""
        head, pos = chunks[0], self._chunk_pos
        if len(head) - pos <= max_bytes:
            chunks.popleft()
            self._chunk_pos = 0
            if pos:
                head = head[pos:]
        else:
            head = head[pos : pos + max_bytes]
            self._chunk_pos = pos + max_bytes
        self._buffered -= len(head)
        if self._muxed is not None:
            self._muxed.release(len(head))
            self._muxed.consumed(len(head))
        return head

    async def _wait_for_data(self) -> None:
        if self._read_waiter is not None:
            raise MisuseError("two readers wait on one stream")
        self.socket.flush()
        waiter = self._read_waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._read_waiter = None

    def _wake_reader(self) -> None:
        waiter = self._read_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _deliver_buffered(self) -> None:
        while self._buffered and self._on_data is not None and not self._paused:
            try:
                self._on_data(memoryview(self._take(self._buffered)))
            except Exception as error:  # noqa: BLE001 - supervision boundary, see _fail
                self._fail(error)
        if self._eof:
            self._end_receiver(None)
        elif self._error is not None:
            self._end_receiver(self._error)

    def _end_receiver(self, error: Exception | None) -> None:
        if error is None and self._buffered:
            return
        on_end, self._on_end = self._on_end, None
        self._on_data = self._target = self._on_filled = None
        if on_end is not None:
            try:
                on_end(error)
            except Exception as fault:  # noqa: BLE001 - supervision boundary, see _fail
                self._fail(fault)

    def _fail(self, error: Exception) -> None:
        """A receiver failed: that costs this stream, and nobody else's."""
        if isinstance(error, WarrenError):
            logger.debug("%s ended by %s", self, error)
        else:
            logger.error("the receiver of %s failed", self, exc_info=error)
        self._on_data = self._target = self._on_filled = self._on_writable = None
        self._end_here(error)

    def _end_here(self, error: Exception) -> None:
        """Reset the stream. What was not read is dropped: no reader may take that for a good end."""
        self._eof = False
        self._drop_unread()
        if self._muxed is not None and not self.ended:
            self._muxed.reset()
        self._finish(error)

    def _finish(self, error: Exception) -> None:
        """The stream is over for its writers, and for its readers where the peer had not ended its half."""
        if self._error is not None:
            return
        self._error = error
        self._negotiator = None
        if not self._eof:
            self._drop_unread()
        self._wake_reader()
        self._wake_writer()
        self._end_receiver(None if self._eof else error)

    def _drop_unread(self) -> None:
        """Unread data counts no more, whether or not the peer came to its end before.

        Else a few who send and finish use up what all may hold.
        """
        if self._muxed is not None:
            self._muxed.release(self._buffered)
        self._chunks, self._chunk_pos, self._buffered = None, 0, 0

    def hold(self, count: int) -> None:
        """Count bytes that a handler keeps for the peer. Raises `LimitReached` when there are too many."""
        if self._muxed is not None and not self._muxed.hold(count):
            raise LimitReached("held_bytes", "too much data of peers is held")

    def release(self, count: int) -> None:
        """Bytes of `hold` are no longer kept."""
        if self._muxed is not None:
            self._muxed.release(count)
