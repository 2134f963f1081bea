"""One connection to one peer: a link, its handshake, its muxer, and the life that `states` lays down.

In: bytes of an asyncio transport (a TCP connection, or anything that behaves like one).  Out: streams.
The path of a byte: `buffer_updated` -> Noise -> Yamux -> `Stream`.  All of it runs in the callback of the
link: no task, lock or timer per frame.  Whatever goes wrong here ends this socket and no other.
Refuses: what the handshake, the muxer and the limits refuse; after tampering only a GoAway is sent.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from warren.core.errors import (
    Closed,
    ConnectionClosed,
    HandshakeFailed,
    LimitReached,
    ProtocolViolation,
    WarrenError,
)
from warren.core.multiaddr import Multiaddr
from warren.network.establishing import Establishing
from warren.network.life import OVER, Life
from warren.network.link import SealedWriter
from warren.network.multistream import Proposer, Responder
from warren.network.pace import TURN_LONG_S, next_read_bytes, rest_s
from warren.network.states import USABLE, SocketState
from warren.network.stream import Stream
from warren.network.yamux.frames import (
    GO_AWAY_INTERNAL_ERROR,
    GO_AWAY_NORMAL,
    GO_AWAY_PROTOCOL_ERROR,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.network.host import SocketHost
    from warren.network.mux import MuxedConnection, MuxedStream
    from warren.network.security import Opener
    from warren.network.upgrade import Secured

logger = logging.getLogger(__name__)

WRITE_HIGH_BYTES: Final = 64 * 1024
"""The link asks for a pause when it holds more than this."""
WRITE_LOW_BYTES: Final = 16 * 1024


class Socket(Life, asyncio.BufferedProtocol):
    """A connection. `direction` tells who dialled, `initiator` who began the handshake."""

    __slots__ = (
        "_establishing",
        "_expected",
        "_host",
        "_loop",
        "_opener",
        "_read_bytes",
        "_tail",
        "_transport",
        "bytes_in",
        "draining",
        "identity",
        "in_turn",
        "initiator",
        "kept",
        "last_read_at",
        "mux",
        "opened_at",
        "outbound",
        "partial_since",
        "peer_id",
        "proven",
        "remote_addr",
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
        super().__init__()
        self._host = host
        self._expected = expected
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._establishing: Establishing | None = None
        self._opener: Opener | None = None
        self._tail = b""
        self._read_bytes = host.scratch.read_bytes
        self.outbound = outbound
        self.initiator = outbound if initiator is None else initiator
        self.remote_addr = remote_addr
        self.proven = not outbound or expected is not None
        self.mux: MuxedConnection | None = None
        self.identity: object | None = None
        self.kept = False
        """Whether somebody asked for the connection itself; else who made it for an errand may close it."""
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

    def why_unusable(self) -> str:
        """What keeps it from being used for its peer: the end of a sentence that begins with its name."""
        if self.state not in USABLE:
            return f"is {self.state.value}"
        if self.draining:
            return "takes no new streams: another one with that peer took its place"
        if not self.usable:
            return "takes no new streams: the peer said goodbye"
        return "is unproven: it was dialled without saying whose key to expect"

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
    def rtt_at(self) -> float | None:
        """When `rtt_s` was measured by a probe; None while it is that of the handshake."""
        return self.mux.rtt_at if self.mux is not None else None

    @property
    def local_addr(self) -> Multiaddr | None:
        """This end of the link; None before there is one."""
        return _endpoint(self._transport.get_extra_info("sockname")) if self._transport is not None else None

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

    def secured(self, secured: Secured) -> None:
        """The peer proved its key: from now on everything is sealed."""
        self._opener = secured.opener
        self.writer.secure(secured.sealer)
        self.peer_id = secured.remote_key.peer_id
        self._move(SocketState.AUTHENTICATED)

    def muxed(self, mux: MuxedConnection) -> None:
        """The muxer is agreed: streams may come and go."""
        self._establishing = None
        self.mux = mux
        self.writer.on_pump(mux.pump)
        self._move(SocketState.CONNECTED)

    # --- streams --------------------------------------------------------------------------------------------

    def open_stream(self, protocols: Sequence[str]) -> Stream:
        """Open a stream and propose `protocols`; with a single one the caller may write at once.

        Raises `ConnectionClosed` when the socket takes no streams, `LimitReached` when it has too many.
        """
        if not self.usable or self.mux is None:
            whom = getattr(self, "peer_id", self.remote_addr)
            raise ConnectionClosed(f"the connection to {whom} {self.why_unusable()}")
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
        return [stream for stream in self._open_streams() if stream.waits_for_peer]

    def probe(self) -> None:
        """Ask the peer's muxer for a sign of life; the answer sets `last_read_at`, `rtt_s` and `rtt_at`."""
        if self.mux is not None and self.state in USABLE:
            self.mux.ping()
            self.flush()

    def on_stream_negotiated(self, stream: Stream) -> None:
        """A protocol was agreed; an inbound stream now gets its handler."""
        if stream.inbound:
            self._host.dispatch(stream)

    def _open_streams(self) -> list[Stream]:
        sinks = self.mux.sinks() if self.mux is not None else ()
        return [sink for sink in sinks if isinstance(sink, Stream)]

    def accept_stream(self, muxed: MuxedStream) -> Stream:
        """The peer opened a stream (the muxer calls this)."""
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
            self.let_go()

    def let_go(self) -> None:
        """Ask those who keep a stream for later to end it: nothing new goes over this socket."""
        for stream in self._open_streams():
            if stream.on_drain is not None:
                stream.on_drain()

    def shut(self, error: Exception, code: int | None) -> None:
        """Begin to close, with a GoAway unless `code` is None. Does nothing when that was done already."""
        if self.state in OVER:
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
        if self.state in OVER:
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
        if self.state in OVER:
            transport.abort()
            return
        if not self.outbound and not self._admitted(transport):
            return
        self._move(SocketState.AUTHENTICATING)
        if self.initiator:
            self._establish().begin()

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
        turn_s = clock() - began
        if turn_s > TURN_LONG_S or self._read_bytes < self._host.scratch.read_bytes:
            self._share_the_loop(turn_s, used)

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
        if self.state not in OVER:
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
            pos = (self._establishing or self._establish()).receive(data)
        opener = self._opener
        if opener is None:
            return pos
        opened = self._host.scratch.opened
        while pos < total:
            if self.mux is not None and (target := self.mux.body_target()) is not None:
                pos = self._fill(opener, data, pos, target)
                if self.state is SocketState.CLOSING:
                    return total
            end, plaintext = opener.open_next(data, pos, opened)
            if end == pos:
                break
            pos = end
            if self.mux is not None:
                self.mux.receive(plaintext)
            elif self._establishing is not None:
                self._establishing.receive_sealed(plaintext)
            if self.state is SocketState.CLOSING:
                return total
        return pos

    def _fill(self, opener: Opener, data: memoryview, pos: int, target: memoryview) -> int:
        """Open whole messages straight to where their data is wanted, while any message has room there."""
        filled, room = 0, len(target) - opener.plaintext_bytes_max
        while filled <= room:
            end, plaintext = opener.open_next(data, pos, target[filled:])
            if end == pos:
                break
            pos = end
            filled += len(plaintext)
        if filled and self.mux is not None:
            self.mux.on_filled(filled)
        return pos

    def _establish(self) -> Establishing:
        """The responder does this at the first byte: a link that stays silent costs no key."""
        self._establishing = Establishing(self, self._host, self._expected)
        return self._establishing

    def _refuse(self, error: WarrenError) -> None:
        """The peer broke a rule: say so when there is a muxer to say it with, and close."""
        if isinstance(error, ConnectionClosed):
            self.shut(error, GO_AWAY_NORMAL)
        elif isinstance(error, (ProtocolViolation, HandshakeFailed, LimitReached)):
            self.fail(error, GO_AWAY_PROTOCOL_ERROR)
        else:
            self.fail(error, GO_AWAY_INTERNAL_ERROR)

    def _share_the_loop(self, turn_s: float, used: int) -> None:
        rest = rest_s(turn_s, used)
        if rest:
            self.writer.rest(rest)
        self._read_bytes = next_read_bytes(self._read_bytes, self._host.scratch.read_bytes, turn_s)

    def _keep_partial(self, tail: bytes) -> None:
        """Keep the beginning of a message until the rest comes; all sockets together keep only so much."""
        total, grown = self._host.window_total, len(tail) - len(self._tail)
        total.partial += grown
        self._tail = tail
        over = total.partial - total.limits.partial_total_bytes_max
        if grown > 0 and over > 0:  # who gives its part up must not ask for the next victim
            self._host.on_partial_excess(over)

    def _gone(self, error: Exception) -> None:
        if self.state is SocketState.CLOSED:
            return
        if self.mux is not None:
            self.mux.close(ConnectionClosed(f"the connection was lost: {error}"))
        if self._transport is not None:
            self.writer.drop()
        self._establishing = None
        self._keep_partial(b"")
        self._move(SocketState.CLOSED)

    def _moved(self, old: SocketState, new: SocketState) -> None:
        self._host.on_socket_moved(self, old, new)


def _endpoint(name: object) -> Multiaddr | None:
    """The multiaddr of what `getpeername` or `getsockname` said."""
    if isinstance(name, tuple) and len(name) >= 2:
        return Multiaddr.tcp(name[0], name[1])
    return None
