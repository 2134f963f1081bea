"""Flow control and life of one Yamux stream; the sending queue lives here, the taking of turns in `session`.

The receive window begins at 256 KiB and doubles while the application empties it in less than four
round trips, as far as the budgets of the connection and of the node allow.  A window update goes out when
half of it was read by the application, not when it was received: that is what makes backpressure reach the
sender.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeGuard

from warren.core.errors import Closed, ProtocolViolation, StreamReset
from warren.network.yamux.frames import (
    ACK,
    DATA,
    FIN,
    HEADER,
    HEADER_BYTES,
    INITIAL_WINDOW_BYTES,
    RST,
    SYN,
    WINDOW_UPDATE,
)

if TYPE_CHECKING:
    from warren.network.mux import StreamSink
    from warren.network.yamux.session import YamuxSession

QUEUE_BYTES_MAX: Final = 256 * 1024
"""A writer waits while more than this is unsent on its stream; less where many streams share a connection."""
QUEUE_BYTES_MIN: Final = 8 * 1024
CONNECTION_QUEUE_BYTES: Final = 8 * 1024 * 1024
"""What the streams of a connection share, so that a writer to a peer that reads none soon waits."""
_PACK: Final = HEADER.pack


class YamuxStream:
    """One stream: what may still be sent, what may still arrive, and what waits for its turn."""

    __slots__ = (
        "_epoch",
        "_fin_queued",
        "_fin_sent",
        "_flags",
        "_queue",
        "_session",
        "_unreported",
        "_window_max",
        "fin_received",
        "id",
        "in_ring",
        "inbound",
        "queued",
        "receive_window",
        "send_window",
        "sink",
        "unacknowledged",
        "wake_at",
    )

    def __init__(self, session: YamuxSession, stream_id: int, *, inbound: bool) -> None:
        self.id = stream_id
        self.inbound = inbound
        self.sink: StreamSink | None = None
        self.send_window = INITIAL_WINDOW_BYTES
        self.receive_window = INITIAL_WINDOW_BYTES
        self.queued = 0
        self.wake_at = -1
        """Call `on_writable` when the unsent bytes fell to this; -1 when nobody waits."""
        self.in_ring = False
        self.unacknowledged = not inbound
        """Opened here, and the peer has not said yet that it serves it."""
        self._session = session
        self._window_max = INITIAL_WINDOW_BYTES
        self._unreported = 0
        self._epoch = 0.0
        self._flags = ACK if inbound else SYN
        self._queue: deque[memoryview] | None = None
        self._fin_queued = self._fin_sent = self.fin_received = False

    # --- the application's side -----------------------------------------------------------------------------

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send at once when nothing waits and the window allows; queue the rest."""
        if self._fin_queued:
            raise Closed("this stream was closed for writing")
        size = len(data)
        session = self._session
        if (
            not self._queue
            and not session.ring
            and size <= self.send_window
            and size <= session.sender.frame_bytes_max - HEADER_BYTES
            and session.sender.writable
        ):
            self.send_window -= size
            session.sent_bytes += size
            session.activity += 1
            flags, self._flags = self._flags, 0
            session.sender.put(_PACK(0, DATA, flags, self.id, size), data)
            session.sender.flush_bulk()
            return
        if size:
            self._enqueue(data if _is_constant(data) else bytes(data))
            session.pump()

    def send_fin(self) -> None:
        """Half-close, after what is queued."""
        if self._fin_queued or self._session.closed:
            return
        self._fin_queued = True
        if not self._queue:
            self._put_fin()

    def reset(self) -> None:
        """Tell the peer that the stream is over, and forget it."""
        if self.id in self._session.streams:
            if self._flags & SYN:
                self.fin_received = True  # the peer has never heard of it
            else:
                self._session.put_control(_PACK(0, WINDOW_UPDATE, self._flags | RST, self.id, 0))
            self._session.forget(self)
        self._stop()

    def consumed(self, count: int) -> None:
        """Give window back; an update goes out once half of the window was read."""
        self._unreported += count
        if self._unreported * 2 < self._window_max or self.fin_received or self._session.closed:
            return
        session = self._session
        now = session.clock()
        grown = 0
        if self._epoch and now - self._epoch < 4 * session.rtt_s:
            grown = session.budget.grant(self._window_max)
            self._window_max += grown
        self._epoch = now
        delta = self._unreported + grown
        self._unreported = 0
        self.receive_window += delta
        flags, self._flags = self._flags, 0
        session.put_control(_PACK(0, WINDOW_UPDATE, flags, self.id, delta))

    # --- the session's side ---------------------------------------------------------------------------------

    def take_turn(self) -> int:
        """Send one frame of what is queued, at most what the window allows; returns its size in bytes."""
        queue = self._queue
        if not queue:
            return 0
        head = queue[0]
        size = min(len(head), self.send_window, self._session.sender.frame_bytes_max - HEADER_BYTES)
        if size == len(head):
            queue.popleft()
        else:
            queue[0] = head[size:]
            head = head[:size]
        self.queued -= size
        self.send_window -= size
        self._session.sent_bytes += size
        self._session.activity += 1
        flags, self._flags = self._flags, 0
        self._session.sender.put(_PACK(0, DATA, flags, self.id, size), head)
        if not queue and self._fin_queued:
            self._put_fin()
        return size

    @property
    def queue_bytes_max(self) -> int:
        """How much may be unsent before the writer should wait."""
        share = CONNECTION_QUEUE_BYTES // (len(self._session.streams) or 1)
        return min(QUEUE_BYTES_MAX, max(QUEUE_BYTES_MIN, share))

    @property
    def finishing(self) -> bool:
        """True while the half-close waits behind queued bytes."""
        return self._fin_queued and bool(self._queue)

    def hold(self, count: int) -> bool:
        """Count bytes that arrived and were not read; False when too many are held."""
        return self._session.budget.hold(count)

    def release(self, count: int) -> None:
        """Held bytes were read or dropped."""
        self._session.budget.release(count)

    def charge(self, cost: int) -> None:
        """The peer made work that moves no data. Raises `ProtocolViolation` when that becomes a flood."""
        self._session.charge(cost)

    @property
    def sendable(self) -> bool:
        """True when something is queued that the window allows to send."""
        return bool(self._queue) and self.send_window > 0

    def on_body(self, data: memoryview) -> None:
        """Data arrived; the session has checked it against the window."""
        self.receive_window -= len(data)
        if self._epoch == 0.0:
            self._epoch = self._session.clock()
        if self.sink is not None:
            self.sink.on_data(data)

    def on_filled(self, count: int) -> None:
        """Data arrived where the sink wants it; else as `on_body`."""
        self.receive_window -= count
        if self.sink is not None:
            self.sink.on_filled(count)

    def on_fin(self) -> None:
        """The peer closed its half."""
        if self.fin_received:
            return
        self.fin_received = True
        if self.sink is not None:
            self.sink.on_fin()
        self._forget_if_over()

    def on_reset(self) -> None:
        """The peer ended the stream."""
        self.fin_received = True
        self._session.forget(self)
        self.end(StreamReset("the peer reset the stream"))

    def on_window_update(self, delta: int) -> None:
        """The peer read `delta` bytes, or allows so many more."""
        self.send_window += delta
        if self.send_window > 0xFFFFFFFF:
            raise ProtocolViolation(f"yamux: the window of stream {self.id} overflowed")
        if self._queue:
            self._session.enqueue(self)

    def end(self, error: Exception) -> None:
        """The stream or its connection is gone."""
        sink = self.sink
        self._stop()
        if sink is not None:
            sink.on_reset(error)

    def drop_queue(self) -> None:
        """Forget what was not sent yet."""
        self._queue = None
        self.queued = 0
        self._session.budget.give_back(self._window_max - INITIAL_WINDOW_BYTES)
        self._window_max = INITIAL_WINDOW_BYTES

    def _stop(self) -> None:
        """From now on nothing is sent, handed up or credited."""
        self.drop_queue()
        self.sink = None
        self._fin_queued = self.fin_received = True

    def _enqueue(self, data: bytes | memoryview) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(memoryview(data))
        self.queued += len(data)
        self._session.enqueue(self)

    def _put_fin(self) -> None:
        if self._fin_sent:
            return
        self._fin_sent = True
        flags, self._flags = self._flags | FIN, 0
        self._session.put_control(_PACK(0, DATA, flags, self.id, 0))
        self._forget_if_over()

    def _forget_if_over(self) -> None:
        if self._fin_sent and self.fin_received:
            self._session.forget(self)
            self.drop_queue()


def _is_constant(data: bytes | bytearray | memoryview) -> TypeGuard[bytes | memoryview]:
    """Whether nobody can change it while it waits."""
    return type(data.obj if isinstance(data, memoryview) else data) is bytes
