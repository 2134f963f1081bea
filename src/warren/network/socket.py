"""One connection to one peer: a link, its handshake, its muxer, and the life that `states` lays down.

In: bytes of an asyncio transport (a TCP connection, or anything that behaves like one).  Out: streams.
The path of a byte: `buffer_updated` -> Noise -> Yamux -> `Stream`.  All of it runs in the callback of the
link: no task, lock or timer per frame.  Whatever goes wrong here ends this socket and no other.
Refuses: what the handshake, the muxer and the limits refuse; after tampering only a GoAway is sent.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol, cast

from warren.core.errors import (
    Closed,
    ConnectionClosed,
    HandshakeFailed,
    LimitReached,
    ProtocolViolation,
    WarrenError,
)
from warren.core.multiaddr import Multiaddr
from warren.network.link import SealedWriter
from warren.network.multistream import Proposer, Responder
from warren.network.noise import TAG_BYTES
from warren.network.states import USABLE, SocketState, move
from warren.network.stream import Stream
from warren.network.upgrade import MUXERS, SEED_BYTES, Upgrade
from warren.network.yamux.budget import WindowBudget
from warren.network.yamux.frames import (
    GO_AWAY_INTERNAL_ERROR,
    GO_AWAY_NORMAL,
    GO_AWAY_PROTOCOL_ERROR,
)
from warren.network.yamux.session import YamuxSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.network.mux import MuxedStream
    from warren.network.noise import Opener, StaticKey
    from warren.network.scratch import Scratch
    from warren.network.yamux.budget import TotalBudget
    from warren.network.yamux.session import YamuxLimits

logger = logging.getLogger(__name__)

READ_BYTES_MIN: Final = 1024
TURN_LONG_S: Final = 0.0005
"""A read that took longer to handle makes the next smaller: a flood of tiny frames cannot hog the loop."""
TURN_SHORT_S: Final = 0.0002
HOG_TURN_S: Final = 0.002
HOG_TURN_BYTES: Final = 4096
HOG_S_PER_BYTE: Final = 50e-9
"""A turn as long as this over so many bytes, each of which cost so much: a message stuffed with tiny frames,
which cannot be cut into several turns."""
REST_TURNS: Final = 3
"""Such a peer is then not read for as many times the length of its turn: most of the loop is for others."""
WRITE_HIGH_BYTES: Final = 64 * 1024
"""The link asks for a pause when it holds more than this."""
WRITE_LOW_BYTES: Final = 16 * 1024

_OPEN: Final = frozenset({SocketState.OPEN})
_OVER: Final = frozenset({SocketState.CLOSING, SocketState.CLOSED})


class SocketHost(Protocol):
    """What a socket needs of the network that owns it."""

    config: NetworkConfig
    scratch: Scratch
    static_key: StaticKey
    yamux_limits: YamuxLimits
    window_total: TotalBudget
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]

    def supports(self, protocol: str) -> bool:
        """Whether a handler serves `protocol`."""

    def dispatch(self, stream: Stream) -> None:
        """Hand an inbound stream, its protocol agreed, to its handler."""

    def on_link(self, socket: Socket, remote: Multiaddr | None) -> None:
        """An inbound link exists; raises `LimitReached` when there is no room for it."""

    def on_partial_excess(self, bytes_over: int) -> None:
        """Too much is held of messages that have not arrived whole: close whose waits longest."""

    def on_socket_moved(self, socket: Socket, old: SocketState, new: SocketState) -> None:
        """Every change of state, right after it happened."""


class Socket(asyncio.BufferedProtocol):
    """A connection. `direction` tells who dialled, `initiator` who began the handshake."""

    __slots__ = (
        "_expected",
        "_host",
        "_loop",
        "_muxer_negotiator",
        "_opener",
        "_read_bytes",
        "_state_waiters",
        "_tail",
        "_transport",
        "_upgrade",
        "_upgrade_started_at",
        "bytes_in",
        "draining",
        "error",
        "identity",
        "in_turn",
        "initiator",
        "last_read_at",
        "local_addr",
        "mux",
        "opened_at",
        "outbound",
        "partial_since",
        "peer_id",
        "proven",
        "remote_addr",
        "state",
        "writer",
    )

    peer_id: PeerId
    """The peer at the other end; set once the state is `authenticated`."""
    writer: SealedWriter

    def __init__(
        self,
        host: SocketHost,
        *,
        outbound: bool,
        remote_addr: Multiaddr | None,
        expected: PeerId | None = None,
        initiator: bool | None = None,
    ) -> None:
        self._host = host
        self._expected = expected
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._upgrade: Upgrade | None = None
        self._upgrade_started_at = 0.0
        self._muxer_negotiator: Proposer | Responder | None = None
        self._opener: Opener | None = None
        self._tail = b""
        self._read_bytes = host.scratch.read_bytes
        self._state_waiters: list[asyncio.Future[None]] | None = None
        self.outbound = outbound
        self.initiator = outbound if initiator is None else initiator
        self.remote_addr = remote_addr
        self.local_addr: Multiaddr | None = None
        self.proven = not outbound or expected is not None
        self.state = SocketState.OPENING
        self.mux: YamuxSession | None = None
        self.identity: object | None = None
        self.error: Exception | None = None
        self.draining = False
        self.in_turn = False
        self.bytes_in = 0
        self.partial_since = 0.0
        """Since when the message that has not arrived whole is under way."""
        self.opened_at = self.last_read_at = host.clock()

    def __repr__(self) -> str:
        peer = getattr(self, "peer_id", "unproven peer")
        return f"<Socket {self.direction} {peer} {self.remote_addr} {self.state.value}>"

    # --- facts ----------------------------------------------------------------------------------------------

    @property
    def direction(self) -> str:
        """`outbound` when this node dialled, else `inbound`."""
        return "outbound" if self.outbound else "inbound"

    @property
    def authenticated(self) -> bool:
        """True once the remote key was verified, also after the socket closed."""
        return self._opener is not None

    @property
    def usable(self) -> bool:
        """True while new streams may be opened."""
        return (
            self.state in USABLE and not self.draining and self.mux is not None and self.mux.accepts_streams
        )

    @property
    def streams(self) -> int:
        """Streams open in either direction."""
        return self.mux.stream_count if self.mux is not None else 0

    @property
    def activity(self) -> int:
        """Changes whenever data came or went on a stream."""
        return self.mux.activity if self.mux is not None else 0

    @property
    def config(self) -> NetworkConfig:
        """Its timeouts and buffer sizes, those of the network that owns it."""
        return self._host.config

    @property
    def rtt_s(self) -> float | None:
        """Round trip in seconds: of the handshake, then of the newest probe; None before."""
        return self.mux.rtt_s if self.mux is not None else None

    @property
    def partial_bytes(self) -> int:
        """Held of a sealed message that has not arrived whole."""
        return len(self._tail)

    @property
    def bytes_out(self) -> int:
        """Bytes given to the link."""
        return self.writer.bytes_out if self._transport is not None else 0

    # --- the beginning --------------------------------------------------------------------------------------

    def start_connecting(self) -> None:
        """The dial begins."""
        self._move(SocketState.CONNECTING)

    async def wait_connected(self) -> None:
        """Wait until streams may be opened. Raises what ended the socket before."""
        await self._wait_for(USABLE)

    async def wait_open(self) -> None:
        """Wait until identify is done, was refused or timed out. Raises what ended the socket before."""
        await self._wait_for(_OPEN)

    # --- streams --------------------------------------------------------------------------------------------

    def open_stream(self, protocols: Sequence[str]) -> Stream:
        """Open a stream and propose `protocols`; with a single one the caller may write at once.

        Raises `ConnectionClosed` when the socket takes no streams, `LimitReached` when it has too many.
        """
        if not self.usable or self.mux is None:
            raise ConnectionClosed(
                f"the connection to {getattr(self, 'peer_id', self.remote_addr)} is {self.state.value}"
            )
        stream = Stream(self, inbound=False, negotiator=Proposer(protocols))
        if len(protocols) == 1:
            stream.protocol = protocols[0]
        stream.attach(self.mux.open_stream(stream))
        stream.begin()
        return stream

    def flush(self) -> None:
        """Send what waits for the end of the turn; a reader that is about to wait calls it."""
        if self.state is not SocketState.CLOSED and not self.in_turn and self._transport is not None:
            self.writer.flush()

    def waiting_streams(self) -> list[Stream]:
        """Streams that only the peer can bring on."""
        muxed = self.mux.streams.values() if self.mux is not None else ()
        sinks = [stream.sink for stream in muxed]
        return [sink for sink in sinks if isinstance(sink, Stream) and sink.waits_for_peer]

    def probe(self) -> None:
        """Ask the peer's muxer for a sign of life; the answer sets `last_read_at` and `rtt_s`."""
        if self.mux is not None and self.state in USABLE:
            self.mux.ping()
            self.flush()

    def on_stream_negotiated(self, stream: Stream) -> None:
        """A protocol was agreed; an inbound stream now gets its handler."""
        if stream.inbound:
            self._host.dispatch(stream)

    def _accept_stream(self, muxed: MuxedStream) -> Stream:
        stream = Stream(self, inbound=True, negotiator=Responder(self._host.supports))
        stream.attach(muxed)
        return stream

    # --- the end --------------------------------------------------------------------------------------------

    def identified(self, error: Exception | None = None) -> None:
        """Identify is done; or it failed with `error`, from which the socket recovers."""
        if self.state is SocketState.CONNECTED:
            if error is not None:
                self._move(SocketState.ERRORED)
            self._move(SocketState.OPEN)

    async def close(self) -> None:
        """Say goodbye, end all streams, and wait until the link is gone."""
        self.shut(Closed("the connection was closed here"), GO_AWAY_NORMAL)
        while self.state is not SocketState.CLOSED:
            await self._next_move()

    def abort(self, error: Exception | None = None) -> None:
        """Drop the link at once."""
        self.shut(error or Closed("the connection was dropped here"), None)
        # On Python 3.11 a transport whose connection is lost must not be aborted once more.
        if self._transport is not None and self.state is not SocketState.CLOSED:
            self._transport.abort()

    def drain(self) -> None:
        """Open no new streams; the host closes the socket when the last stream has ended.

        What the peer opened before our goodbye reached it is still served.
        """
        if not self.draining:
            self.draining = True
            if self.mux is not None:
                self.mux.go_away(GO_AWAY_NORMAL)
                for stream in [muxed.sink for muxed in self.mux.streams.values()]:
                    if isinstance(stream, Stream) and stream.on_drain is not None:
                        stream.on_drain()

    def shut(self, error: Exception, code: int | None) -> None:
        """Begin to close, with a GoAway unless `code` is None. Does nothing when that was done already."""
        if self.state in _OVER:
            return
        self.error = self.error or error
        self._keep_partial(b"")
        self._move(SocketState.CLOSING)
        if self._transport is None:
            self._gone(error)
            return
        if self.mux is not None:
            if code is not None:
                self.mux.go_away(code)
            self.mux.close(ConnectionClosed(f"the connection was closed: {error}"))
        self.in_turn = False  # what this turn said so far and the goodbye go out before the link closes
        self.writer.flush()
        self._transport.close()

    def fail(self, error: Exception, code: int = GO_AWAY_PROTOCOL_ERROR) -> None:
        """Something went wrong for good: errored, then closing."""
        if self.state in _OVER:
            return
        self.error = error
        if self.state is not SocketState.ERRORED:
            self._move(SocketState.ERRORED)
        self.shut(error, code)

    # --- asyncio.BufferedProtocol ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The link is there: the handshake begins."""
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)
        self.writer = SealedWriter(self, transport, self._host.scratch, self._loop)
        if self.state in _OVER:
            transport.abort()
            return
        self.local_addr = _endpoint(transport.get_extra_info("sockname"))
        if not self.outbound and not self._admitted(transport):
            return
        self._move(SocketState.AUTHENTICATING)
        if self.initiator:
            self.writer.put_raw(self._begin_upgrade().take_output())
            self.writer.flush_bulk()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the link reads to: the shared buffer, behind the incomplete message that was kept."""
        receive, tail = self._host.scratch.receive, self._tail
        start = len(tail)
        if start:
            receive[:start] = tail
        return receive[start : start + self._read_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes arrived: open them, hand them up, and send what that led to."""
        total = len(self._tail) + nbytes
        data = self._host.scratch.receive[:total]
        clock = self._host.clock
        self.bytes_in += nbytes
        self.last_read_at = began = clock()
        self.in_turn = True
        try:
            used = self._receive(data, total)
        except WarrenError as error:
            self.in_turn = False
            self._refuse(error)
            return
        except Exception as error:  # supervision boundary: a fault of ours must not reach other sockets
            self.in_turn = False
            logger.exception("a fault while reading from %s", self.remote_addr)
            self.fail(error, GO_AWAY_INTERNAL_ERROR)
            return
        if used < total or self._tail:
            if used or not self._tail:
                self.partial_since = began
            self._keep_partial(bytes(data[used:]))
        self.in_turn = False
        if self.mux is not None and self.mux.ring:
            self.mux.pump()
        self.writer.flush()
        self._share_the_loop(clock() - began, used)

    def eof_received(self) -> bool:
        """The peer closed its half of the link: there are no half-open links in libp2p."""
        return False

    def pause_writing(self) -> None:
        """The link holds too much."""
        self.writer.pause()

    def resume_writing(self) -> None:
        """The link takes more."""
        self.writer.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The link is gone."""
        if self.state not in _OVER:
            reason = f": {exc}" if exc else ""
            secured = self._opener is not None
            kind = ConnectionClosed if secured else HandshakeFailed
            self.error = self.error or kind(f"the peer closed the connection{reason}")
            if exc is not None or not secured:
                self._move(SocketState.ERRORED)
            self._move(SocketState.CLOSING)
        self._gone(self.error or ConnectionClosed("the peer closed the connection"))

    # --- inside ---------------------------------------------------------------------------------------------

    def _admitted(self, transport: asyncio.Transport) -> bool:
        self._move(SocketState.CONNECTING)
        self.remote_addr = _endpoint(transport.get_extra_info("peername"))
        try:
            self._host.on_link(self, self.remote_addr)
        except LimitReached as error:
            self.fail(error)
            transport.abort()
            return False
        return True

    def _receive(self, data: memoryview, total: int) -> int:
        pos = 0
        if self._opener is None:
            pos = self._receive_handshake(self._upgrade or self._begin_upgrade(), data)
        opener = self._opener
        if opener is None:
            return pos
        opened = self._host.scratch.opened
        while total - pos >= 2:
            body = pos + 2
            end = body + (data[pos] << 8 | data[pos + 1])
            if end > total:
                break
            size = end - body - TAG_BYTES
            if size < 0:
                raise ProtocolViolation("noise: a message shorter than its tag")
            plaintext = opened[:size]
            opener.open_into(data[body:end], plaintext)
            pos = end
            if self.mux is not None:
                self.mux.receive(plaintext)
            elif self._muxer_negotiator is not None:
                self._receive_muxer_negotiation(self._muxer_negotiator, plaintext)
            if self.state is SocketState.CLOSING:
                return total
        return pos

    def _begin_upgrade(self) -> Upgrade:
        """The responder does this at the first byte: a link that stays silent costs no key."""
        host = self._host
        self._upgrade_started_at = host.clock()
        self._upgrade = Upgrade(
            host.static_key, host.random_bytes(SEED_BYTES), initiator=self.initiator, expected=self._expected
        )
        return self._upgrade

    def _receive_handshake(self, upgrade: Upgrade, data: memoryview) -> int:
        used = upgrade.receive(data)
        output = upgrade.take_output()
        if output:
            self.writer.put_raw(output)
        secured = upgrade.secured
        if secured is None:
            return used
        self._upgrade = None
        self._opener = secured.opener
        self.writer.secure(secured.sealer)
        self.peer_id = secured.remote_key.peer_id
        self._move(SocketState.AUTHENTICATED)
        if secured.muxer is not None:
            self._start_mux()
        elif self.initiator:
            self._muxer_negotiator = Proposer(MUXERS)
            self.writer.put_plaintext(self._muxer_negotiator.take_output())
        else:
            self._muxer_negotiator = Responder(MUXERS.__contains__)
        return used

    def _receive_muxer_negotiation(self, negotiator: Proposer | Responder, plaintext: memoryview) -> None:
        used = negotiator.receive(plaintext)
        output = negotiator.take_output()
        if output:
            self.writer.put_plaintext(output)
        if negotiator.selected is not None:
            self._muxer_negotiator = None
            mux = self._start_mux()
            if used < len(plaintext):
                mux.receive(plaintext[used:])
        elif isinstance(negotiator, Proposer) and negotiator.refused:
            raise HandshakeFailed("the peer does not speak yamux")

    def _start_mux(self) -> YamuxSession:
        host = self._host
        self.mux = mux = YamuxSession(
            self.writer,
            self._accept_stream,
            WindowBudget(host.window_total),
            host.clock,
            host.random_bytes,
            client=self.initiator,
            limits=host.yamux_limits,
        )
        mux.rtt_s = max(host.clock() - self._upgrade_started_at, 1e-6)
        self.writer.on_pump(mux.pump)
        self._move(SocketState.CONNECTED)
        return mux

    def _refuse(self, error: WarrenError) -> None:
        """The peer broke a rule: say so when there is a muxer to say it with, and close."""
        if isinstance(error, ConnectionClosed):
            self.shut(error, GO_AWAY_NORMAL)
        elif isinstance(error, (ProtocolViolation, HandshakeFailed, LimitReached)):
            self.fail(error, GO_AWAY_PROTOCOL_ERROR)
        else:
            self.fail(error, GO_AWAY_INTERNAL_ERROR)

    def _share_the_loop(self, turn_s: float, used: int) -> None:
        if turn_s > TURN_LONG_S:
            if turn_s > HOG_TURN_S and used >= HOG_TURN_BYTES and turn_s > used * HOG_S_PER_BYTE:
                self.writer.rest(turn_s * REST_TURNS)
            self._read_bytes = max(self._read_bytes // 2, READ_BYTES_MIN)
        elif turn_s < TURN_SHORT_S and self._read_bytes < self._host.scratch.read_bytes:
            self._read_bytes *= 2

    def _keep_partial(self, tail: bytes) -> None:
        """Keep the beginning of a message until the rest comes; all sockets together keep only so much."""
        total = self._host.window_total
        total.partial += len(tail) - len(self._tail)
        self._tail = tail
        over = total.partial - total.limits.partial_total_bytes_max
        if over > 0:
            self._host.on_partial_excess(over)

    def _gone(self, error: Exception) -> None:
        if self.state is SocketState.CLOSED:
            return
        if self.mux is not None:
            self.mux.close(ConnectionClosed(f"the connection was lost: {error}"))
        if self._transport is not None:
            self.writer.drop()
        self._upgrade = None
        self._keep_partial(b"")
        self._move(SocketState.CLOSED)

    async def _wait_for(self, states: frozenset[SocketState]) -> None:
        while self.state not in states:
            if self.state in _OVER:
                raise self.error or ConnectionClosed("the connection was closed")
            await self._next_move()

    async def _next_move(self) -> None:
        waiter = self._loop.create_future()
        if self._state_waiters is None:
            self._state_waiters = []
        self._state_waiters.append(waiter)
        await waiter

    def _move(self, new: SocketState) -> None:
        old, self.state = self.state, move(self.state, new)
        self._host.on_socket_moved(self, old, new)
        waiters, self._state_waiters = self._state_waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)


def _endpoint(name: object) -> Multiaddr | None:
    """The multiaddr of what `getpeername` or `getsockname` said."""
    if isinstance(name, tuple) and len(name) >= 2:
        return Multiaddr.tcp(name[0], name[1])
    return None
