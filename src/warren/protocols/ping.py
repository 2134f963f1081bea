"""ping: round trips measured with 32 random bytes, and the keep-alive that notices a dead peer.

In: a peer.  Out: round trips in seconds.  One ping stream per socket is kept and reused; the answering side
echoes in the callback, without a task.  The keep-alive probes sockets that were silent at the muxer's level,
so that thousands of idle peers cost no stream.
Spec: https://github.com/libp2p/specs/blob/master/ping/ping.md
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from warren.core.errors import ConnectionClosed, ProtocolViolation, RequestTimeout, WarrenError
from warren.network.socket import Socket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream

PROTOCOL_ID: Final = "/ipfs/ping/1.0.0"
PAYLOAD_BYTES: Final = 32
UNSENT_BYTES_MAX: Final = 64 * PAYLOAD_BYTES
"""Echoes that wait: an honest peer has one ping under way; stops peers that ask and do not read."""
TIMEOUT_S: Final = 10.0


class _Pinger:
    """Our pings on one socket: one at a time is under way, on a stream that is kept for the next."""

    __slots__ = (
        "_clock",
        "_doubt",
        "_expected",
        "_forget",
        "_lock",
        "_received",
        "_sent_at",
        "_socket",
        "_stream",
        "_users",
        "_waiter",
    )

    def __init__(self, socket: Socket, network: Network, forget: Callable[[Socket], object]) -> None:
        self._socket = socket
        self._clock = network.clock
        self._doubt = network.doubt
        self._forget = forget
        self._lock = asyncio.Lock()
        self._users = 0
        self._stream: Stream | None = None
        self._expected = self._received = b""
        self._sent_at = 0.0
        self._waiter: asyncio.Future[float] | None = None

    async def ping(self, payload: bytes, timeout_s: float) -> float:
        deadline = asyncio.get_running_loop().time() + timeout_s
        self._users += 1
        try:
            await self._take_turn(deadline)
            try:
                return await self._round_trip(payload, deadline)
            finally:
                self._lock.release()
        except TimeoutError as error:
            self._doubt(self._socket.peer_id)
            raise RequestTimeout(f"no pong from {self._socket.peer_id} within {timeout_s:g} s") from error
        finally:
            self._users -= 1
            self._forget_if_over()

    async def _take_turn(self, deadline: float) -> None:
        if self._users == 1:
            await self._lock.acquire()  # at once, without the cost of a timeout
            return
        async with asyncio.timeout_at(deadline):
            await self._lock.acquire()

    async def _round_trip(self, payload: bytes, deadline: float) -> float:
        stream = self._stream
        if stream is None or stream.ended:
            stream = self._open()
        loop = asyncio.get_running_loop()
        self._expected, self._received = payload, b""
        waiter: asyncio.Future[float] = loop.create_future()
        self._waiter = waiter  # gone again after the write where the stream ends in it
        timer = loop.call_at(deadline, self._fail, TimeoutError())
        self._sent_at = self._clock()
        try:
            stream.write_through(payload)
            return await waiter
        except asyncio.CancelledError:
            stream.reset()  # an echo that still comes must not be taken for that of the next ping
            raise
        finally:
            timer.cancel()
            self._waiter = None
            if self._socket.draining:
                self._close_if_idle()

    def _open(self) -> Stream:
        stream = self._stream = self._socket.open_stream((PROTOCOL_ID,))
        stream.set_receiver(self._on_data, self._on_end)
        stream.on_drain = self._close_if_idle
        return stream

    def _close_if_idle(self) -> None:
        """The socket drains: a stream that is kept for the next ping must not hold it open."""
        if self._waiter is None and self._stream is not None:
            self._stream.reset()

    def _on_data(self, data: memoryview) -> None:
        self._received += bytes(data)
        if len(self._received) < PAYLOAD_BYTES:
            return
        if self._received == self._expected:
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(self._clock() - self._sent_at)
        else:
            self._fail(ProtocolViolation("ping: the peer echoed other bytes"))

    def _on_end(self, error: Exception | None) -> None:
        self._fail(error or ConnectionClosed("ping: the peer closed the stream"))
        self._forget_if_over()

    def _fail(self, error: Exception) -> None:
        """A stream that missed one echo cannot tell the next ones apart: it ends."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        if self._stream is not None:
            self._stream.reset()

    def _forget_if_over(self) -> None:
        if not self._users and (self._stream is None or self._stream.ended):
            self._forget(self._socket)


class Ping:
    """Answers pings, and sends them."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._pingers: dict[Socket, _Pinger] = {}
        network.handle_stream_inline(PROTOCOL_ID, _echo)

    async def ping(self, peer: PeerId | Socket, *, timeout_s: float = TIMEOUT_S) -> float:
        """One round trip in seconds; connects if need be. Pings of one socket take turns.

        `timeout_s` counts from when the socket is there, and includes the wait for the turn. Raises
        `RequestTimeout`, `ProtocolNotSupported`, `ProtocolViolation`, what `Network.connect` raises.
        """
        socket = peer if isinstance(peer, Socket) else await self._network.connect(peer, timeout_s=timeout_s)
        pinger = self._pingers.get(socket)
        if pinger is None:
            pinger = self._pingers[socket] = _Pinger(socket, self._network, self._forget)
        return await pinger.ping(self._network.runtime.entropy.bytes(PAYLOAD_BYTES), timeout_s)

    def _forget(self, socket: Socket) -> None:
        self._pingers.pop(socket, None)


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


K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Verdict(Generic[K]):
    """What one look at all that may be silent led to."""

    probe: list[K]
    """Silent for long: to be asked for a sign of life now."""
    dead: list[K]
    """Probed `timeout_s` ago or more, and silent since."""
    quiet: list[K]
    """Probed a quarter of `timeout_s` ago or more, and silent since; each is named once."""
    look_in_s: float


class Silence(Generic[K]):
    """Who has been silent for too long, decided from times alone.

    Whoever is silent for `interval_s` is probed, and dead when silent for `timeout_s` more. Only a probe that
    had time to be answered convicts: when a look comes late it was this process that slept (or its machine),
    and all probes are sent again.

    Of two ends that watch each other one probe tells both: whoever `follows` another that probes is probed as
    late as may be, the others so much earlier that the follower hears of them first.
    """

    __slots__ = (
        "_due_at",
        "_follows",
        "_gather_s",
        "_interval_s",
        "_nap_s",
        "_probed",
        "_quiet",
        "_timeout_s",
    )

    def __init__(
        self, interval_s: float, timeout_s: float, follows: Callable[[K], bool] = lambda _: False
    ) -> None:
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._follows = follows
        self._gather_s = min(interval_s, timeout_s) / 16
        """At least so long between looks, so that thousands with times of their own cost few looks; probes
        go out as much earlier."""
        self._nap_s = timeout_s / 4
        """A look that is overdue by more tells of a sleep. While probes wait, looks are no further apart: a
        sleep of twice as long is always seen, and a shorter one leaves the answer half of its time."""
        self._due_at: float | None = None
        self._probed: dict[K, float] = {}
        self._quiet: set[K] = set()

    def look(self, now: float, last_read: Mapping[K, float]) -> Verdict[K]:
        """Judge all keys of `last_read`, each with when it was last heard of, at the time `now` (seconds)."""
        before = {} if self._slept(now) else self._probed
        self._probed, told, self._quiet = {}, self._quiet, set()
        probe, dead, quiet = [], [], []
        late_s = self._interval_s - self._gather_s
        early_s = late_s - 3 * self._gather_s
        next_at = now + early_s
        for key, read_at in last_read.items():
            probed_at = before.get(key)
            if probed_at is None or read_at >= probed_at:
                due_at = read_at + (late_s if self._follows(key) else early_s)
                if now < due_at:
                    next_at = min(next_at, due_at)
                    continue
                probe.append(key)
                probed_at = now
            elif now >= probed_at + self._timeout_s:
                dead.append(key)
                continue
            elif now >= probed_at + self._nap_s:
                self._quiet.add(key)
                if key not in told:
                    quiet.append(key)
            self._probed[key] = probed_at
            next_at = min(next_at, probed_at + self._timeout_s, now + self._nap_s)
        self._due_at = max(next_at, now + self._gather_s)
        return Verdict(probe, dead, quiet, self._due_at - now)

    def _slept(self, now: float) -> bool:
        return self._due_at is not None and now - self._due_at > self._nap_s


class KeepAlive:
    """Probes sockets silent for `interval_s`; one that stays silent for `timeout_s` more is dropped."""

    def __init__(self, network: Network, *, interval_s: float = 15.0, timeout_s: float = 20.0) -> None:
        self._network = network
        self._silence: Silence[Socket] = Silence(interval_s, timeout_s, lambda socket: not socket.outbound)
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._look()

    def stop(self) -> None:
        """Watch no longer."""
        if self._handle is not None:
            self._handle.cancel()

    def _look(self) -> None:
        now = self._network.clock()
        verdict = self._silence.look(now, {s: s.last_read_at for s in self._network.sockets()})
        for socket in verdict.probe:
            with suppress(WarrenError):
                socket.probe()
        for socket in verdict.quiet:
            self._network.doubt(socket.peer_id)
        for socket in verdict.dead:
            silent_s = now - socket.last_read_at
            socket.abort(ConnectionClosed(f"the peer was silent for {silent_s:.0f} s and answered no probe"))
        self._handle = asyncio.get_running_loop().call_later(verdict.look_in_s, self._look)
