"""A Yamux connection as a synchronous machine: plaintext in, calls on sinks and frames out.

In: plaintext in any chunking (`receive`).  Out: frames into a `FrameSender`, data into `StreamSink`s.
Spec: https://github.com/libp2p/specs/blob/master/yamux/README.md
Refuses (raises `ProtocolViolation`; the socket then says GoAway and closes): unknown versions and types,
data past the window, stream ids of the wrong parity or in use, floods of frames that carry nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.bounds import check_settings
from warren.core.errors import ConnectionClosed, LimitReached, ProtocolViolation
from warren.network.yamux.budget import WindowBudget
from warren.network.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER,
    HEADER_BYTES,
    INITIAL_WINDOW_BYTES,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
)
from warren.network.yamux.stream import YamuxStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.network.mux import FrameSender, MuxHost, StreamAcceptor, StreamSink

_UNPACK: Final = HEADER.unpack_from
_PACK: Final = HEADER.pack
_RTT_UNKNOWN_S: Final = 0.1
_SENT_BYTES_PER_FRAME: Final = 1024
_STREAM_ID_MAX: Final = 2**32 - 1
_OPENS: Final = SYN | ACK
_NOTHING_QUEUED: Final[deque[YamuxStream]] = deque()
"""Shared by all sessions until one needs its own: idle ones are many, and a deque takes 600 bytes."""


@dataclass(frozen=True, slots=True)
class YamuxLimits:
    """What one connection may ask for; each number names the attack that it stops."""

    streams_inbound_max: int = 1024
    """Streams that the peer holds open at once: stops exhaustion of memory by opening. 0: none."""
    streams_outbound_max: int = 1024
    """Streams that we hold open at once."""
    ack_backlog_max: int = 256
    """Of these, how many the peer has not acknowledged: the specification asks for as much. Stops us from
    piling streams on a peer that does not come to serve them."""
    burst_bytes: int = 512 * 1024
    """Sent in one turn of the loop before other sockets have theirs: a fast reader cannot starve them."""
    idle_frames_burst: int = 4096
    """Frames without data in one go: stops floods of pings, empty frames, window updates and resets."""
    idle_frames_per_s: float = 2000.0
    """Frames without data in the long run. 0: those of `idle_frames_burst`, and no more."""
    reset_cost: int = 16
    """What a stream counts as that the peer opens and resets: stops rapid resets, each of which made work."""

    def __post_init__(self) -> None:
        check_settings(self, "network.yamux.", zero=("streams_inbound_max", "idle_frames_per_s"))


class YamuxSession:
    """One side of a Yamux connection; implements `warren.network.mux.MuxedConnection`."""

    __slots__ = (
        "_accept",
        "_allowance",
        "_allowance_at",
        "_body_left",
        "_body_stream",
        "_fin_after_body",
        "_head",
        "_limits",
        "_next_id",
        "_ping_sent_at",
        "_ping_value",
        "_pumping",
        "_random_bytes",
        "_remote_went_away",
        "_stray_left",
        "_went_away",
        "activity",
        "budget",
        "clock",
        "closed",
        "ring",
        "rtt_at",
        "rtt_s",
        "sender",
        "sent_bytes",
        "streams",
        "unacknowledged",
    )

    def __init__(
        self,
        sender: FrameSender,
        accept: StreamAcceptor,
        budget: WindowBudget,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        *,
        client: bool,
        limits: YamuxLimits,
    ) -> None:
        self.sender = sender
        self.budget = budget
        self.clock = clock
        self.streams: dict[int, YamuxStream] = {}
        self.ring = _NOTHING_QUEUED
        """Streams with something queued, in turns."""
        self.rtt_s = _RTT_UNKNOWN_S
        self.rtt_at: float | None = None
        self.closed = False
        self.activity = 0
        """Changes whenever data came or went: probes and window updates are no use of a connection."""
        self.sent_bytes = 0
        """Data sent since the allowance was reckoned: each KiB excuses one frame without data (an update)."""
        self.unacknowledged = 0
        """Our streams that the peer has not acknowledged."""
        self._accept = accept
        self._random_bytes = random_bytes
        self._limits = limits
        self._next_id = 1 if client else 2
        self._allowance = float(limits.idle_frames_burst)
        self._allowance_at = clock()
        self._head = b""
        self._body_left = 0
        self._body_stream: YamuxStream | None = None
        self._fin_after_body = False
        self._stray_left = INITIAL_WINDOW_BYTES
        self._pumping = False
        self._ping_sent_at = 0.0
        self._ping_value = 0
        self._went_away = self._remote_went_away = False

    @property
    def stream_count(self) -> int:
        """Streams open in either direction."""
        return len(self.streams)

    @property
    def accepts_streams(self) -> bool:
        """Whether this side may open streams: not once either said GoAway."""
        return not (self.closed or self._went_away or self._remote_went_away)

    def sinks(self) -> list[StreamSink]:
        """The receiving ends of the open streams."""
        return [stream.sink for stream in self.streams.values() if stream.sink is not None]

    def open_stream(self, sink: StreamSink) -> YamuxStream:
        """Open a stream; its first frame carries the SYN. Raises `LimitReached`, `ConnectionClosed`."""
        if not self.accepts_streams:
            raise ConnectionClosed("the connection takes no new streams")
        if len(self.streams) - self.budget.streams >= self._limits.streams_outbound_max:
            raise LimitReached("streams_outbound_max")
        if self.unacknowledged >= self._limits.ack_backlog_max:
            raise LimitReached("ack_backlog_max")
        if self._next_id > _STREAM_ID_MAX:
            raise LimitReached("stream ids of this connection")
        stream = YamuxStream(self, self._next_id, inbound=False)
        stream.sink = sink
        self._next_id += 2
        self.unacknowledged += 1
        self.streams[stream.id] = stream
        return stream

    def ping(self) -> None:
        """Send a probe; the answer updates `rtt_s`. No peer can answer it before it came."""
        self._ping_sent_at = self.clock()
        self._ping_value = int.from_bytes(self._random_bytes(4), "big")
        self.put_control(_PACK(0, PING, SYN, 0, self._ping_value))

    def go_away(self, code: int) -> None:
        """Open no more streams, and ask the peer for none; those that crossed this frame are still served."""
        if not self._went_away and not self.closed:
            self._went_away = True
            self.put_control(_PACK(0, GO_AWAY, 0, 0, code))

    def close(self, error: Exception) -> None:
        """The link is gone: every stream ends with `error`."""
        self.closed = True
        streams = list(self.streams.values())
        self.streams.clear()
        self.ring.clear()
        for stream in streams:
            stream.end(error)
        self.budget.close()

    # --- sending --------------------------------------------------------------------------------------------

    def put_control(self, header: bytes) -> None:
        """Send a frame without data; it does not wait for its turn."""
        if not self.closed:
            self.sender.put(header, b"")

    def enqueue(self, stream: YamuxStream) -> None:
        """Give `stream` its place in the round when it has something to send."""
        if not stream.in_ring and stream.sendable:
            stream.in_ring = True
            if self.ring is _NOTHING_QUEUED:
                self.ring = deque()
            self.ring.append(stream)

    def pump(self) -> None:
        """Send what is queued, one frame a stream in turns, while the link takes it."""
        if self._pumping:
            return
        self._pumping = True
        ring, sender, left = self.ring, self.sender, self._limits.burst_bytes
        try:
            while ring and sender.writable and left > 0:
                stream = ring.popleft()
                left -= stream.take_turn()
                if stream.sendable:
                    ring.append(stream)
                else:
                    stream.in_ring = False
                if stream.queued <= stream.wake_at:
                    stream.wake_at = -1
                    if stream.sink is not None:
                        stream.sink.on_writable()
        finally:
            self._pumping = False
        sender.flush_bulk()
        if ring and sender.writable:
            sender.schedule_pump()

    def forget(self, stream: YamuxStream) -> None:
        """The stream is over; what the peer may still have under way is let pass."""
        if self.streams.pop(stream.id, None) is None:
            return
        if stream.inbound:
            self.budget.close_stream()
        elif stream.unacknowledged:
            self.unacknowledged -= 1
        if not stream.fin_received:
            under_way = self._body_left if stream is self._body_stream else 0
            self._stray_left += stream.receive_window - under_way

    # --- receiving ------------------------------------------------------------------------------------------

    def receive(self, data: memoryview) -> None:
        """Take plaintext in any chunking. Raises `ProtocolViolation`."""
        pos, end = 0, len(data)
        while pos < end:
            if self._body_left:
                pos = self._receive_body(data, pos, end)
                continue
            if self._head or end - pos < HEADER_BYTES:
                missing = HEADER_BYTES - len(self._head)
                self._head += bytes(data[pos : pos + missing])
                pos += missing
                if len(self._head) < HEADER_BYTES:
                    return
                head, self._head = self._head, b""
                version, kind, flags, stream_id, length = _UNPACK(head)
            else:
                version, kind, flags, stream_id, length = _UNPACK(data, pos)
                pos += HEADER_BYTES
            if version:
                raise ProtocolViolation(f"yamux: version {version} is unknown")
            if kind == DATA:
                self._on_data_frame(flags, stream_id, length)
            elif kind == WINDOW_UPDATE:
                self._on_window_update(flags, stream_id, length)
            elif kind == PING:
                self._on_ping(flags, length)
            elif kind == GO_AWAY:
                self._on_go_away(length)
            else:
                raise ProtocolViolation(f"yamux: frame type {kind} is unknown")

    def body_target(self) -> memoryview | None:
        """See `MuxedConnection`."""
        stream, left = self._body_stream, self._body_left
        if not left or stream is None or stream.sink is None:
            return None
        target = stream.sink.body_target()
        return target[:left] if target is not None and len(target) > left else target

    def on_filled(self, count: int) -> None:
        """See `MuxedConnection`."""
        self._body_left -= count
        stream = self._body_stream
        if stream is not None:
            stream.on_filled(count)
        self._end_body(stream)

    def _receive_body(self, data: memoryview, pos: int, end: int) -> int:
        take = min(self._body_left, end - pos)
        self._body_left -= take
        stream = self._body_stream
        if stream is not None and stream.sink is not None:
            stream.on_body(data[pos : pos + take])
        self._end_body(stream)
        return pos + take

    def _end_body(self, stream: YamuxStream | None) -> None:
        if not self._body_left:
            self._body_stream = None
            if self._fin_after_body and stream is not None:
                stream.on_fin()

    def _on_data_frame(self, flags: int, stream_id: int, length: int) -> None:
        stream = self.streams.get(stream_id)
        if flags & _OPENS:
            stream = self._on_opening(flags, stream, stream_id)
        if not length:
            self.charge()
        if stream is None:
            self._stray_left -= length
            if self._stray_left < 0:
                raise ProtocolViolation("yamux: data for streams that are not open")
        elif length > stream.receive_window or (length and stream.fin_received):
            raise ProtocolViolation(f"yamux: {length} bytes on stream {stream_id} overflow its window")
        if flags & RST:
            self._on_rst(stream)
            stream = None
        if length:
            self.activity += 1
            self._body_left = length
            self._body_stream = stream
            self._fin_after_body = bool(flags & FIN)
        elif flags & FIN and stream is not None:
            stream.on_fin()

    def _on_window_update(self, flags: int, stream_id: int, delta: int) -> None:
        self.charge()
        stream = self.streams.get(stream_id)
        if flags & _OPENS:
            stream = self._on_opening(flags, stream, stream_id)
        if stream is None:
            return
        if flags & RST:
            self._on_rst(stream)
            return
        if delta:
            stream.on_window_update(delta)
        if flags & FIN:
            stream.on_fin()

    def _on_opening(self, flags: int, stream: YamuxStream | None, stream_id: int) -> YamuxStream | None:
        if flags & SYN:
            return self._on_syn(stream, stream_id)
        if stream is not None and stream.unacknowledged:
            stream.unacknowledged = False
            self.unacknowledged -= 1
        return stream

    def _on_syn(self, stream: YamuxStream | None, stream_id: int) -> YamuxStream | None:
        # Not in order: who opens from many threads (go-yamux) draws the numbers before the frames are queued.
        if stream is not None or not stream_id or stream_id % 2 == self._next_id % 2:
            raise ProtocolViolation(f"yamux: the peer may not open stream {stream_id}")
        self.charge()
        if self.closed or not self.budget.open_stream(self._limits.streams_inbound_max):
            self._refuse(stream_id)
            return None
        stream = YamuxStream(self, stream_id, inbound=True)
        self.streams[stream_id] = stream
        sink = self._accept(stream)
        if sink is None:
            stream.reset()
            return None
        stream.sink = sink
        return stream

    def _on_rst(self, stream: YamuxStream | None) -> None:
        if stream is None:
            return
        if stream.inbound:
            self.charge(self._limits.reset_cost)
        stream.on_reset()

    def _refuse(self, stream_id: int) -> None:
        self._stray_left += INITIAL_WINDOW_BYTES
        self.put_control(_PACK(0, WINDOW_UPDATE, RST, stream_id, 0))

    def _on_ping(self, flags: int, value: int) -> None:
        self.charge()
        if flags & SYN:
            self.put_control(_PACK(0, PING, ACK, 0, value))
        elif self._ping_sent_at and value == self._ping_value:
            self.rtt_at = self.clock()
            self.rtt_s = max(self.rtt_at - self._ping_sent_at, 1e-6)
            self._ping_sent_at = 0.0

    def _on_go_away(self, code: int) -> None:
        self.charge()
        if code:
            raise ConnectionClosed(f"the peer said goodbye with code {code}")
        self._remote_went_away = True

    def charge(self, cost: int = 1) -> None:
        """The peer made work that moves no data. Raises `ProtocolViolation` when that becomes a flood."""
        self._allowance -= cost
        if self._allowance >= 0:
            return
        now = self.clock()
        limits = self._limits
        earned = (now - self._allowance_at) * limits.idle_frames_per_s
        earned += self.sent_bytes / _SENT_BYTES_PER_FRAME
        self.sent_bytes = 0
        self._allowance = min(self._allowance + earned, float(limits.idle_frames_burst))
        self._allowance_at = now
        if self._allowance < 0:
            raise ProtocolViolation("yamux: a flood of frames that carry no data")


def open_session(
    sender: FrameSender, accept: StreamAcceptor, host: MuxHost, /, *, client: bool
) -> YamuxSession:
    """Yamux with the limits and the budget of its network: a `MuxerFactory`."""
    return YamuxSession(
        sender,
        accept,
        WindowBudget(host.window_total),
        host.clock,
        host.random_bytes,
        client=client,
        limits=host.config.yamux,
    )
