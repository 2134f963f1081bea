"""The sending half of a socket: frames in, sealed messages out to the link.

Small frames of one turn of the loop are put into one message and one write; a large frame fills as many
messages as the link took in one write the last time, at most four.  Its data is sealed from where it lies,
but for what shares a message with the header.  When the link keeps bytes back, `writable` falls and the
muxer stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.network.scratch import SEALED_BYTES
from warren.network.security import MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from warren.network.scratch import Scratch
    from warren.network.security import Sealer
    from warren.network.socket import Socket

SMALL_BYTES_MAX: Final = 4096
"""Frames up to this size wait for the end of the turn to share a message."""
COPIED_BYTES_MAX: Final = 16 * 1024
"""Written as a copy: a link that is behind keeps what it is given (from Python 3.12 on), and would keep a
whole buffer for each echo of a few bytes."""
BACKLOG_BYTES_MAX: Final = 1024 * 1024
"""When so much waits in the link, the peer is not read: it asks for answers and does not take them."""


class SealedWriter:
    """Implements `warren.network.mux.FrameSender` over an asyncio transport."""

    __slots__ = (
        "_batch_bytes",
        "_behind",
        "_flush_handle",
        "_loop",
        "_outbox",
        "_overhead_bytes",
        "_plaintext_bytes_max",
        "_pump",
        "_pump_handle",
        "_read_pauses",
        "_rest_handle",
        "_scratch",
        "_sealer",
        "_socket",
        "_transport",
        "bytes_out",
        "frame_bytes_max",
        "writable",
    )

    def __init__(
        self,
        socket: Socket,
        transport: asyncio.Transport,
        scratch: Scratch,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._scratch = scratch
        self._loop = loop
        self._sealer: Sealer | None = None
        self._overhead_bytes = self._plaintext_bytes_max = 0
        self._pump: Callable[[], None] | None = None
        self._outbox: bytearray | None = None
        self._flush_handle: asyncio.Handle | None = None
        self._pump_handle: asyncio.Handle | None = None
        self._read_pauses = 0
        self._behind = False
        self._rest_handle: asyncio.TimerHandle | None = None
        self._batch_bytes = SEALED_BYTES
        self.frame_bytes_max = 0
        self.writable = True
        self.bytes_out = 0

    def secure(self, sealer: Sealer) -> None:
        """From now on everything is sealed."""
        self._sealer = sealer
        self._overhead_bytes = sealer.overhead_bytes
        self._plaintext_bytes_max = sealer.plaintext_bytes_max
        self._give_at_once(SEALED_BYTES)

    def on_pump(self, pump: Callable[[], None]) -> None:
        """What to call when the link takes more again."""
        self._pump = pump

    # --- FrameSender ----------------------------------------------------------------------------------------

    def put(self, header: bytes, payload: bytes | bytearray | memoryview) -> None:
        """Take one frame; a large one is sealed at once, a small one at the end of the turn."""
        size = len(payload)
        if size > SMALL_BYTES_MAX:
            self._put_large(header, memoryview(payload))
            return
        outbox = self._outbox
        if outbox is None:
            outbox = self._outbox = bytearray()
            if self._flush_handle is None and not self._socket.in_turn:
                self._flush_handle = self._loop.call_soon(self.flush)
        elif len(outbox) + len(header) + size > self._plaintext_bytes_max:
            self._seal_outbox()
            outbox = self._outbox = bytearray()
        outbox += header
        outbox += payload

    def flush_bulk(self) -> None:
        """Write the sealed messages that were collected; within a turn they wait for its end."""
        scratch = self._scratch
        if scratch.used and scratch.owner is self._socket and not self._socket.in_turn:
            self.write_sealed()

    def schedule_pump(self) -> None:
        """Go on in the next turn of the loop."""
        if self._pump_handle is None:
            self._pump_handle = self._loop.call_soon(self._run_pump)

    # --- the socket's side ----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Seal and write everything that was put."""
        handle, self._flush_handle = self._flush_handle, None
        if handle is not None:
            handle.cancel()
        if self._outbox is not None:
            self._seal_outbox()
        self.flush_bulk()

    def put_raw(self, data: bytes) -> None:
        """Handshake bytes, before there is a sealer; they share a write with what follows."""
        self._claim(len(data))
        scratch = self._scratch
        scratch.sealed[scratch.used : scratch.used + len(data)] = data
        scratch.used += len(data)

    def pause(self) -> None:
        """The link holds too much."""
        self.writable = False

    def resume(self) -> None:
        """The link takes more."""
        self.writable = True
        if self._behind:
            self._behind = False
            self._resume_reading()
        if self._pump is not None:
            self._pump()

    def drop(self) -> None:
        """The link is gone: nothing will be sent any more."""
        self.writable = False
        self._outbox = None
        self._pump = None
        for handle in (self._flush_handle, self._pump_handle, self._rest_handle):
            if handle is not None:
                handle.cancel()
        self._flush_handle = self._pump_handle = self._rest_handle = None
        if self._scratch.owner is self._socket:
            self._scratch.used = 0
            self._scratch.owner = None

    def write_sealed(self) -> None:
        """Give the collected messages to the link."""
        scratch = self._scratch
        used, scratch.used = scratch.used, 0
        self.bytes_out += used
        small = used <= COPIED_BYTES_MAX
        self._transport.write(bytes(scratch.sealed[:used]) if small else scratch.sealed[:used])
        waiting = self._transport.get_write_buffer_size()
        if not waiting:
            self._give_at_once(SEALED_BYTES)
        else:
            # The link is behind: what is given to it beyond that delays whoever else has a turn.
            self._give_at_once(used - waiting)
            if not small:
                scratch.renew_sealed()
            if waiting > BACKLOG_BYTES_MAX and not self._behind:
                self._behind = True
                self._pause_reading()

    def rest(self, seconds: float) -> None:
        """Read nothing for a while: this peer had more than its share of the loop."""
        if self._rest_handle is None:
            self._pause_reading()
            self._rest_handle = self._loop.call_later(seconds, self._end_rest)

    # --- inside ---------------------------------------------------------------------------------------------

    def _claim(self, size: int) -> None:
        """Make the shared buffer ours, with room for `size` bytes."""
        scratch = self._scratch
        if scratch.owner is not self._socket:
            if scratch.used and scratch.owner is not None:
                scratch.owner.writer.write_sealed()
            scratch.owner = self._socket
        if scratch.used + size > self._batch_bytes:
            self.write_sealed()

    def _give_at_once(self, count: int) -> None:
        """From now on collect as many messages as fit into `count` bytes, at least one, for one write."""
        messages = max(1, count // MESSAGE_BYTES_MAX)
        self._batch_bytes = messages * MESSAGE_BYTES_MAX
        self.frame_bytes_max = messages * self._plaintext_bytes_max

    def _put_large(self, header: bytes, payload: memoryview) -> None:
        if self._outbox is not None:
            self._seal_outbox()
        outgoing, most = self._scratch.outgoing, self._plaintext_bytes_max
        start = len(header)
        end = min(start + len(payload), most)
        outgoing[:start] = header
        outgoing[start:end] = payload[: end - start]
        self._seal(outgoing[:end])
        if rest := payload[end - start :]:
            self._seal(rest)

    def _seal(self, plaintext: memoryview | bytearray) -> None:
        size = len(plaintext)
        if size > self._plaintext_bytes_max:
            most = self._plaintext_bytes_max
            for pos in range(0, size, most) if most else ():
                self._seal(plaintext[pos : pos + most])
        elif self._sealer is not None:
            size += self._overhead_bytes
            self._claim(size)
            scratch = self._scratch
            start = scratch.used
            end = scratch.used = start + size
            self._sealer.seal_into(plaintext, scratch.sealed[start:end])

    def _seal_outbox(self) -> None:
        outbox, self._outbox = self._outbox, None
        if outbox:
            self._seal(outbox)

    def _end_rest(self) -> None:
        self._rest_handle = None
        self._resume_reading()

    def _pause_reading(self) -> None:
        self._read_pauses += 1
        self._transport.pause_reading()

    def _resume_reading(self) -> None:
        self._read_pauses -= 1
        if not self._read_pauses:
            self._transport.resume_reading()

    def _run_pump(self) -> None:
        self._pump_handle = None
        if self._pump is not None:
            self._pump()
