"""`LinkEnd`: one end of a connection over the simulated network.

In:  what a protocol writes on one end. Out: the same bytes at the other end, when the path lets them
through. A `LinkEnd` obeys `asyncio.Transport`, and calls its protocol as asyncio's socket transport does:
connection_made, get_buffer and buffer_updated, pause_writing and resume_writing, eof_received,
connection_lost once and last.

Written bytes wait in the outbox while the path's window is full or its bandwidth is taken; then they are in
transit; then, while reading is paused, in the inbox. The outbox is what `get_write_buffer_size` counts.
Acknowledgements cost neither time nor bandwidth.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.runtime.simulated.loop import VirtualLoop
    from warren.runtime.simulated.network import Path, SimulatedNetwork

# Under a limited bandwidth, links take turns with pieces of this size.
SEGMENT_BYTES = 16 * 1024
# asyncio's own default.
_HIGH_WATER_BYTES = 64 * 1024


class Signal(Enum):
    """What travels in order with the bytes."""

    OPEN = "the dialling end is connected"
    EOF = "no more bytes follow"
    RESET = "the connection is void"


class LinkEnd(asyncio.Transport):
    """One end of a connection."""

    __slots__ = (
        "_buffer_updated",
        "_closing",
        "_eof_sent",
        "_eof_written",
        "_get_buffer",
        "_high",
        "_inbox",
        "_last_arrival",
        "_loop",
        "_low",
        "_network",
        "_on_open",
        "_other",
        "_outbox_bytes",
        "_own",
        "_peer",
        "_protocol",
        "_read_paused",
        "_reset_sent",
        "_sending",
        "_started",
        "_window_bytes",
        "_write_paused",
        "flight_bytes",
        "lost",
        "outbox",
        "path",
        "transit",
    )

    def __init__(
        self, network: SimulatedNetwork, path: Path, own: tuple[Any, ...], other: tuple[Any, ...]
    ) -> None:
        # The parent's dict of facts stays away, like every queue until something waits in it: there are a
        # hundred thousand ends, and most are idle.
        self._own = own
        self._other = other
        self._network = network
        self._loop: VirtualLoop = path.loop
        self.path = path
        self._window_bytes = path.quality.window_bytes
        self.outbox: deque[bytes] | None = None
        self._outbox_bytes = 0
        self.transit: deque[bytes | Signal] | None = None
        self.flight_bytes = 0
        self._last_arrival = 0.0
        self._inbox: deque[bytes | Signal] | None = None
        self._started = self._sending = self._read_paused = self._write_paused = False
        self._eof_written = self._eof_sent = self._reset_sent = self._closing = self.lost = False
        self._high = _HIGH_WATER_BYTES
        self._low = _HIGH_WATER_BYTES // 4
        self._peer: LinkEnd = self

    def attach(self, peer: LinkEnd, on_open: Callable[[LinkEnd], None] | None = None) -> None:
        """Make `peer` the other end; an accepted end calls `on_open` once the dialler's first packet is
        there.
        """
        self._peer = peer
        self._on_open = on_open
        self.path.ends.append(self)

    def start(self, protocol: asyncio.BufferedProtocol) -> None:
        """Hand the open connection to its protocol."""
        self.set_protocol(protocol)
        self._started = True
        protocol.connection_made(self)

    def announce(self) -> None:
        """Tell the other end that this one is connected."""
        self._send(Signal.OPEN, 0, self._loop.now)

    def refuse(self) -> None:
        """Reset a connection that nobody accepts."""
        self.lost = self._closing = True
        self._forget()
        self._send_reset()

    def cut(self, _: None = None) -> bool:
        """Break the connection at once on both sides; False if it was gone already."""
        if self.lost:
            return False
        for end in (self, self._peer):
            end.transit = None
            end.lose(_reset_error())
        return True

    # ------------------------------------------------------------ asyncio.Transport: protocol and limits

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": self._own, "peername": self._other}.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        if not isinstance(protocol, asyncio.BufferedProtocol):
            raise TypeError("a link needs an asyncio.BufferedProtocol")
        self._protocol = protocol
        self._get_buffer = protocol.get_buffer
        self._buffer_updated = protocol.buffer_updated

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def get_write_buffer_size(self) -> int:
        return self._outbox_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = _HIGH_WATER_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._high, self._low = high, low
        self._pause_writing_if_full()

    def is_closing(self) -> bool:
        return self._closing

    # ------------------------------------------------------------ asyncio.Transport: writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._eof_written:
            raise RuntimeError("cannot write after write_eof()")
        piece = bytes(data)
        if self.lost or not piece:
            return
        size = len(piece)
        if self.outbox or self.path.pipes or self.flight_bytes + size > self._window_bytes:
            if self.outbox is None:
                self.outbox = deque()
            self.outbox.append(piece)
            self._outbox_bytes += size
            self._flush()
            self._pause_writing_if_full()
        else:
            self._send(piece, size, self._loop.now)

    def write_eof(self) -> None:
        if not (self._closing or self._eof_written):
            self._eof_written = True
            self._finish_writing()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._finish_writing()

    def abort(self) -> None:
        self.lose(None)

    def _send(self, piece: bytes | Signal, size: int, ready_at: float) -> None:
        """Put a piece on its way; it arrives after those before it."""
        path = self.path
        when = ready_at + (path.delay_s() if path.jitter_s else path.latency_s)
        if when < self._last_arrival:
            when = self._last_arrival
        else:
            self._last_arrival = when
        self.flight_bytes += size
        if self.transit is None:
            self.transit = deque()
        self.transit.append(piece)
        self._loop.at(when, self._peer.arrive, None)

    def _flush(self) -> None:
        """Send from the outbox as far as window and bandwidth allow."""
        while self.outbox and not self._sending:
            room = self._window_bytes - self.flight_bytes
            if room <= 0:
                return
            pipes = self.path.pipes
            piece = _take(self.outbox, min(room, SEGMENT_BYTES) if pipes else room)
            ready_at = self._loop.now
            for pipe in pipes:
                ready_at = pipe.pass_through(ready_at, len(piece))
            self._send(piece, len(piece), ready_at)
            if pipes:
                self._sending = True
                self._loop.at(ready_at, self._sent, len(piece))
            else:
                self._outbox_bytes -= len(piece)

    def _sent(self, size: int) -> None:
        if not self.lost:
            self._sending = False
            self._outbox_bytes -= size
            self.go_on_writing()

    def go_on_writing(self) -> None:
        self._flush()
        if self._write_paused and self._outbox_bytes <= self._low:
            self._write_paused = False
            self._protocol.resume_writing()
        self._finish_writing()

    def _finish_writing(self) -> None:
        """Close or end the stream, if that was asked for and nothing is left to send."""
        if self.outbox or self._sending or self.lost:
            return
        if self._closing:
            self.lose(None)
        elif self._eof_written:
            self._send_eof()

    def _send_eof(self) -> None:
        if not self._eof_sent:
            self._eof_sent = True
            self._send(Signal.EOF, 0, self._loop.now)

    def _send_reset(self) -> None:
        if not self._reset_sent:
            self._reset_sent = True
            self._send(Signal.RESET, 0, self._loop.now)

    def _pause_writing_if_full(self) -> None:
        if self._outbox_bytes > self._high and not self._write_paused:
            self._write_paused = True
            self._protocol.pause_writing()

    # ------------------------------------------------------------ asyncio.Transport: reading

    def pause_reading(self) -> None:
        self._read_paused = True

    def resume_reading(self) -> None:
        if self._read_paused and not self._closing:
            self._read_paused = False
            if self._inbox:
                self._loop.call_soon(self._read_inbox)

    def is_reading(self) -> bool:
        return not (self._read_paused or self._closing)

    def arrive(self, _: None) -> None:
        """Take the next piece in transit; what a partition swallowed comes again, in its old order."""
        peer = self._peer
        path = peer.path
        if path.blocked:
            path.stalled.append((self.arrive, None))
            return
        transit = peer.transit
        if transit is None:
            return  # the connection was cut meanwhile
        piece = transit.popleft()
        if not transit:
            peer.transit = None
        if path.void:
            return
        if isinstance(piece, bytes):
            self._network.record(path.src, path.dst, piece)
        if self.lost:
            self._answer_the_late(piece)
        elif piece is Signal.RESET:
            self.lose(_reset_error())
        elif self._read_paused or self._inbox or self._closing:
            self._keep(piece)
        elif isinstance(piece, bytes):
            self._read(piece)
        else:
            self._read_signal(piece)

    def _keep(self, piece: bytes | Signal) -> None:
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(piece)

    def _read(self, piece: bytes) -> None:
        """Hand a piece to the protocol through the protocol's own buffer."""
        size = len(piece)
        try:
            buffer: Any = self._get_buffer(-1)
            if size > len(buffer):
                self._read_in_parts(piece)
            else:
                buffer[:size] = piece
                self._buffer_updated(size)
                self._credit(size)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:  # noqa: BLE001 - asyncio's socket transport does the same
            self._fail(exc)

    def _read_in_parts(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            buffer: Any = self._get_buffer(-1)
            size = min(len(buffer), len(rest))
            if not size:
                raise RuntimeError("get_buffer() returned an empty buffer")
            buffer[:size] = rest[:size]
            rest = rest[size:]
            self._buffer_updated(size)
            self._credit(size)
            if rest and not self.is_reading():
                self._inbox = deque([bytes(rest), *(self._inbox or ())])
                return

    def _read_inbox(self) -> None:
        while self._inbox and self.is_reading():
            piece = self._inbox.popleft()
            if isinstance(piece, bytes):
                self._read(piece)
            else:
                self._read_signal(piece)

    def _read_signal(self, signal: Signal) -> None:
        try:
            if signal is Signal.OPEN and self._on_open is not None:
                self._on_open(self)
            elif signal is Signal.EOF and not self._protocol.eof_received():
                self.close()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:  # noqa: BLE001 - asyncio's socket transport does the same
            self._fail(exc)

    def _credit(self, size: int) -> None:
        """Give the window back to the sender."""
        peer = self._peer
        peer.flight_bytes -= size
        if peer.outbox and not peer.lost:
            peer.go_on_writing()

    # ------------------------------------------------------------ the end

    def lose(self, error: Exception | None) -> None:
        """Close this end, for good; the other learns of it unless it is what broke."""
        if self.lost:
            return
        self.lost = self._closing = True
        if error is None:
            unread = any(isinstance(piece, bytes) for piece in self._inbox or ())
            # TCP throws away what was never read, and says so.
            (self._send_reset if unread else self._send_eof)()
        self._forget()
        if self._started:
            self._loop.call_soon(self._protocol.connection_lost, error)

    def _forget(self) -> None:
        self.outbox = self._inbox = None
        self._outbox_bytes = 0
        if self in self.path.ends:
            self.path.ends.remove(self)
            self._network.release(self.path)

    def _answer_the_late(self, piece: bytes | Signal) -> None:
        """Reset a peer that goes on sending to a closed end."""
        if isinstance(piece, bytes) and not self._peer.lost:
            self._send_reset()

    def _fail(self, error: BaseException) -> None:
        self._loop.call_exception_handler(
            {
                "message": "a protocol failed",
                "exception": error,
                "transport": self,
                "protocol": self._protocol,
            }
        )
        self.lose(error if isinstance(error, Exception) else None)


def _take(outbox: deque[bytes], size_max: int) -> bytes:
    piece = outbox.popleft()
    if len(piece) > size_max:
        outbox.appendleft(piece[size_max:])
        piece = piece[:size_max]
    return piece


def _reset_error() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
