"""ping: round trips measured with 32 random bytes, and the keep-alive that notices a dead peer.

In: a peer.  Out: round trips in seconds.  One ping stream per socket is kept and reused; the answering side
echoes in the callback, without a task.  The keep-alive probes sockets that were silent at the muxer's level,
so that thousands of idle peers cost no stream.
Spec: https://github.com/libp2p/specs/blob/master/ping/ping.md
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warren.core.errors import ConnectionClosed, ProtocolViolation, RequestTimeout, WarrenError
from warren.network.socket import Socket

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream

PROTOCOL_ID: Final = "/ipfs/ping/1.0.0"
PAYLOAD_BYTES: Final = 32
UNSENT_BYTES_MAX: Final = 64 * PAYLOAD_BYTES
"""Echoes that wait: an honest peer has one ping under way; stops peers that ask and do not read."""
TIMEOUT_S: Final = 10.0


class _Pinger:
    """Our ping stream on one socket; one ping at a time is under way."""

    __slots__ = ("_clock", "_expected", "_received", "_sent_at", "_waiter", "lock", "stream")

    def __init__(self, stream: Stream, network: Network) -> None:
        self.stream = stream
        self.lock = asyncio.Lock()
        self._clock = network.clock
        self._expected = b""
        self._received = b""
        self._sent_at = 0.0
        self._waiter: asyncio.Future[float] | None = None
        stream.set_receiver(self._on_data, self._on_end)
        stream.on_drain = self._close_if_idle

    async def ping(self, payload: bytes, timeout_s: float) -> float:
        loop = asyncio.get_running_loop()
        self._expected, self._received = payload, b""
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout_s, self._on_timeout, timeout_s)
        self._sent_at = self._clock()
        try:
            self.stream.write_through(payload)
            return await self._waiter
        except asyncio.CancelledError:
            self.stream.reset()  # an echo that still comes must not be taken for that of the next ping
            raise
        finally:
            timer.cancel()
            self._waiter = None
            if self.stream.socket.draining:
                self._close_if_idle()

    def _close_if_idle(self) -> None:
        """The socket drains: a stream that is kept for the next ping must not hold it open."""
        if self._waiter is None:
            self.stream.reset()

    def _on_data(self, data: memoryview) -> None:
        self._received += bytes(data)
        if len(self._received) < PAYLOAD_BYTES:
            return
        if self._received == self._expected:
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(self._clock() - self._sent_at)
        else:
            self._fail(ProtocolViolation("ping: the peer echoed other bytes"))

    def _on_timeout(self, timeout_s: float) -> None:
        self._fail(RequestTimeout(f"no pong from {self.stream.peer_id} within {timeout_s:g} s"))

    def _on_end(self, error: Exception | None) -> None:
        self._fail(error or ConnectionClosed("ping: the peer closed the stream"))

    def _fail(self, error: Exception) -> None:
        """A stream that missed one echo cannot tell the next ones apart: it ends."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.stream.reset()


class Ping:
    """Answers pings, sends them, and keeps watch over silent sockets."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._pingers: dict[Socket, _Pinger] = {}
        network.handle_stream_inline(PROTOCOL_ID, _echo)

    async def ping(self, peer: PeerId | Socket, *, timeout_s: float = TIMEOUT_S) -> float:
        """One round trip in seconds; connects if need be.

        Raises `RequestTimeout`, `ProtocolNotSupported`, `ProtocolViolation`, what `Network.connect` raises.
        """
        socket = peer if isinstance(peer, Socket) else await self._network.connect(peer, timeout_s=timeout_s)
        pinger = self._pinger(socket)
        async with pinger.lock:
            return await pinger.ping(self._network.runtime.entropy.bytes(PAYLOAD_BYTES), timeout_s)

    def _pinger(self, socket: Socket) -> _Pinger:
        pinger = self._pingers.get(socket)
        if pinger is None or pinger.stream.ended:
            for gone in [s for s, p in self._pingers.items() if p.stream.ended]:
                del self._pingers[gone]
            pinger = _Pinger(socket.open_stream((PROTOCOL_ID,)), self._network)
            self._pingers[socket] = pinger
        return pinger


def _echo(stream: Stream) -> None:
    """Send everything back; a peer that does not take its echoes loses the stream."""

    def on_data(data: memoryview) -> None:
        stream.write_nowait(data)
        if stream.unsent_bytes > UNSENT_BYTES_MAX:
            stream.reset()

    def on_end(error: Exception | None) -> None:
        if error is None:
            stream.close_write()

    stream.set_receiver(on_data, on_end)


class KeepAlive:
    """Probes sockets silent for `interval_s`; one that stays silent for `timeout_s` more is dropped."""

    def __init__(self, network: Network, *, interval_s: float = 15.0, timeout_s: float = 20.0) -> None:
        self._network = network
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._handle = asyncio.get_running_loop().call_later(self._interval_s, self._look)

    def stop(self) -> None:
        """Watch no longer."""
        if self._handle is not None:
            self._handle.cancel()

    def _look(self) -> None:
        now = self._network.clock()
        for socket in self._network.sockets():
            silent_s = now - socket.last_read_at
            if silent_s >= self._interval_s + self._timeout_s:
                socket.abort(
                    ConnectionClosed(f"the peer was silent for {silent_s:.0f} s and answered no probe")
                )
            elif silent_s >= self._interval_s:
                try:
                    socket.probe()
                except WarrenError:
                    continue
        self._handle = asyncio.get_running_loop().call_later(self._interval_s, self._look)
