"""The sending half of a stream: writes, and the backpressure that makes the writer wait.

In: bytes of the application.  Out: bytes to the muxed half, at once or queued.  Memory: a fast writer holds
at most `queue_bytes_max` of the muxer and one write.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warren.core.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.network.mux import MuxedStream
    from warren.network.socket import Socket


class Sending:
    """What `Stream` is for those who write."""

    __slots__ = ("_drain_waiter", "_error", "_muxed", "_on_writable", "socket")

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self._muxed: MuxedStream | None = None
        self._error: Exception | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self._on_writable: Callable[[], None] | None = None

    def attach(self, muxed: MuxedStream) -> None:
        """Tie the stream to its muxed half; called once, by the socket."""
        self._muxed = muxed

    @property
    def ended(self) -> bool:
        """True once the stream was reset or its connection went."""
        return self._error is not None

    @property
    def unsent_bytes(self) -> int:
        """Written, and not yet on their way."""
        return self._muxed.queued if self._muxed is not None else 0

    def write_nowait(self, data: bytes | bytearray | memoryview) -> bool:
        """Send or queue `data`; False when the writer should now wait for `drain`."""
        muxed = self._writer()
        muxed.send(data)
        if not muxed.queued:
            return True
        return self._below_bound(muxed)

    def write_through(self, data: bytes | bytearray | memoryview) -> bool:
        """Like `write_nowait`, but on its way before this returns: for questions that are waited for."""
        socket = self.socket
        if socket.in_turn:
            return self.write_nowait(data)
        socket.in_turn = True
        try:
            return self.write_nowait(data)
        finally:
            socket.in_turn = False
            socket.flush()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`; returns when the unsent bytes are below the bound."""
        if not self.write_nowait(data):
            await self.drain()

    async def drain(self) -> None:
        """Wait until the unsent bytes fell below the low mark. Raises when the stream ended."""
        muxed = self._writer()
        while not self._below_bound(muxed):
            await self._wait_for_room()
            if self._error is not None:
                raise self._error

    @property
    def finishing(self) -> bool:
        """True from `close_write` until what was written before it is on its way."""
        return self._muxed is not None and self._muxed.finishing

    async def finish(self) -> None:
        """Wait until nothing is `finishing`, because it was sent or the stream ended."""
        muxed = self._muxed
        while muxed is not None and muxed.finishing:
            muxed.wake_at = 0
            await self._wait_for_room()

    def set_writable_callback(self, on_writable: Callable[[], None] | None) -> None:
        """Call `on_writable` each time the queue falls below the low mark (for senders without a task)."""
        self._on_writable = on_writable

    def close_write(self) -> None:
        """Half-close: the peer sees the end after what was written."""
        if self._error is None and self._muxed is not None:
            self._muxed.send_fin()

    def on_writable(self) -> None:
        """The queue fell below the low mark."""
        self._wake_writer()
        if self._on_writable is not None:
            try:
                self._on_writable()
            except Exception as error:  # noqa: BLE001 - supervision boundary, see _fail
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """A callback of the application failed with `error`."""
        raise NotImplementedError

    async def _wait_for_room(self) -> None:
        if self._drain_waiter is None:
            self._drain_waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._drain_waiter)

    def _wake_writer(self) -> None:
        waiter, self._drain_waiter = self._drain_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _writer(self) -> MuxedStream:
        if self._error is not None:
            raise self._error
        if self._muxed is None:
            raise MisuseError("this stream is not open yet")
        return self._muxed

    @staticmethod
    def _below_bound(muxed: MuxedStream) -> bool:
        bound = muxed.queue_bytes_max
        if muxed.queued <= bound:
            return True
        muxed.wake_at = bound // 2
        return False
