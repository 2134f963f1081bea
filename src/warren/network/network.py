"""The network of one node: listens, dials, keeps the map of sockets, and routes what arrives.

In: a runtime, an identity, a `NetworkConfig`, handlers.  Out: sockets, streams, answers, events.
One `Network` has one key; every socket is authenticated and encrypted.  Nothing is dialled unless asked.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from warren.core.errors import (
    Blocked,
    Closed,
    DialFailed,
    InvalidMultiaddr,
    LimitReached,
    RequestTimeout,
)
from warren.core.multiaddr import Multiaddr
from warren.network.addresses import AddressBook
from warren.network.config import NetworkConfig
from warren.network.counts import Sort, counts_of
from warren.network.dialer import Dialer
from warren.network.ending import drop, end
from warren.network.events import EventBus, ListenStarted, ListenStopped, PeerDoubted
from warren.network.hearsay import Hearsay
from warren.network.messages import BroadcastReport, Messenger
from warren.network.partial import longest_incomplete
from warren.network.registry import SocketRegistry
from warren.network.router import Router
from warren.network.scratch import shared_scratch
from warren.network.security import SEED_BYTES
from warren.network.socket import Socket
from warren.network.stack import Stack
from warren.network.states import SocketState
from warren.network.transports.several import Transports
from warren.network.within import within
from warren.network.yamux.budget import TotalBudget
from warren.network.yamux.frames import GO_AWAY_NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.network.answering import RequestHandler
    from warren.network.counts import Counts
    from warren.network.router import InlineHandler, StreamHandler
    from warren.network.scratch import Scratch
    from warren.network.stream import Stream
    from warren.network.transports.base import LinkListener
    from warren.runtime.seam import Runtime

TICK_S = 1.0
ADDRESS_TTL_S = 3600.0


class Network:
    """See the module's header. Start with `listen` or the first `connect`; end with `stop`."""

    def __init__(
        self,
        runtime: Runtime,
        key: PrivateKey,
        config: NetworkConfig | None = None,
        stack: Stack | None = None,
    ) -> None:
        self.runtime = runtime
        self.key = key
        self.peer_id: PeerId = key.peer_id
        self.config = config or NetworkConfig()
        self.events = EventBus()
        self.clock = runtime.clock.now
        self.random_bytes: Callable[[int], bytes] = runtime.entropy.bytes
        stack = stack or Stack()
        self.muxers = stack.muxers
        muxers = tuple(stack.muxers)
        self.securities = tuple(
            make(key, self.random_bytes(SEED_BYTES), muxers, fast_aes=runtime.fast_aes)
            for make in stack.security
        )
        self.window_total = TotalBudget(self.config.windows)
        self.router = Router()
        self.on_connected: Callable[[Socket], None] | None = None
        """Called with each socket that reaches `connected`; identify hangs itself in here."""
        self._registry = SocketRegistry(self.peer_id, self.config, self.events, self.clock)
        self._messenger = Messenger(self.router, self.config)
        self._transport = Transports([make(runtime.transport) for make in stack.transports])
        self._addresses = AddressBook(self.config.addresses_per_peer_max, self.config.address_peers_max)
        self.hearsay = Hearsay(self.config.hearsay_per_host_max, self.config.hearsay_per_host_every_s)
        """How often hosts are tried on the word of others, whoever dials."""
        self._dialer = Dialer(self, self.config)
        self._listeners: list[LinkListener] = []
        self._tick_handle: asyncio.TimerHandle | None = None
        self._end: asyncio.Task[None] | None = None

    # --- listening ------------------------------------------------------------------------------------------

    @property
    def listen_addrs(self) -> list[Multiaddr]:
        """The addresses that are listened on, with their actual ports."""
        return [listener.address for listener in self._listeners]

    async def listen(self, addresses: Sequence[Multiaddr]) -> None:
        """Accept connections at all `addresses`, or at none. Raises `OSError`, `InvalidMultiaddr`.

        A DNS name stands for all its addresses. Where several ask for port 0 they share the port that the
        first one was given: one port per node.
        """
        self._check_running()
        started: list[LinkListener] = []
        port = 0
        try:
            resolved = [found for wanted in addresses for found in await self.resolve(wanted)]
            for wanted in resolved:
                address = wanted
                if port and wanted.port == 0 and wanted.host is not None:
                    address = Multiaddr.tcp(wanted.host, port)
                started.append(
                    await self._transport.listen(address, self._make_inbound, self._registry.welcomes)
                )
                port = port or started[-1].address.port or 0
            self._check_running()
        except BaseException:
            for listener in started:
                listener.close()
            raise
        self._listeners += started
        for listener in started:
            self.events.emit(ListenStarted(listener.address))

    def stop_listening(self) -> None:
        """Accept nobody any more; sockets that exist stay."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
            self.events.emit(ListenStopped(listener.address))

    # --- dialling -------------------------------------------------------------------------------------------

    async def connect(
        self,
        peer: PeerId,
        addresses: Sequence[Multiaddr] = (),
        *,
        timeout_s: float | None = None,
        hearsay: Sequence[Multiaddr] | None = None,
        forced: bool = False,
        passing: bool = False,
    ) -> Socket:
        """The open socket with `peer`, or a new one: dials `addresses` and those that are known.

        Raises `DialFailed` (each address with its reason), `PeerIdMismatch`, `LimitReached`, `Blocked`,
        `RequestTimeout`. `forced` dials addresses that failed a moment ago, too. `passing`: for an errand,
        after which the caller may close what it opened unless somebody else has asked for the connection.
        hearsay: for a caller that nobody asked to connect. It stands for `addresses` alone (the user gave
        them, or the peer was met there); these, of which only others told, and those that are known by
        hearsay are tried as `hearsay_per_host_max` allows.
        """
        try:
            socket = await self._connect(peer, addresses, timeout_s, hearsay=hearsay, forced=forced)
        except (DialFailed, RequestTimeout):
            self.doubt(peer)
            raise
        socket.kept = socket.kept or not passing
        return socket

    async def _connect(
        self,
        peer: PeerId,
        addresses: Sequence[Multiaddr],
        timeout_s: float | None,
        *,
        hearsay: Sequence[Multiaddr] | None,
        forced: bool,
    ) -> Socket:
        self._check_running()
        self._registry.refuse_blocked(peer)
        socket = self._registry.best(peer)
        if socket is not None:
            return socket
        if peer == self.peer_id:
            raise InvalidMultiaddr("that is this node itself", hint="name another peer")
        now, book = self.clock(), self._addresses
        told = [*(hearsay or ()), *book.get(peer, now)]
        wanted = [a for a in dict.fromkeys([*addresses, *told]) if self._transport.can_dial(a)]
        doubtful = set(told).difference(addresses, book.met_at(peer, now)) if hearsay is not None else ()
        dial = self._dialer.dial(peer, wanted, forced=forced, hearsay=doubtful)
        dialled = await within(timeout_s, dial, "connecting to", peer)
        # The peer may have dialled as well, and the two nodes have settled on its socket since.
        return self._registry.best(peer) or dialled

    async def connect_unproven(
        self,
        address: Multiaddr,
        *,
        timeout_s: float | None = None,
        hearsay: bool = False,
        passing: bool = False,
    ) -> Socket:
        """Dial an address of which nobody knows the peer; the key met there counts as unproven.

        An address that names its peer is dialled as `connect` does. passing: see there. hearsay: others told
        of it, not the user.
        """
        self._check_running()
        if address.peer_id is not None:
            given, told = ((), [address]) if hearsay else ([address], None)
            return await self.connect(
                address.peer_id, given, timeout_s=timeout_s, hearsay=told, passing=passing
            )
        dial = self._dialer.dial_unproven(address, hearsay=hearsay)
        socket = await within(timeout_s, dial, "connecting to", address)
        socket.kept = not passing
        return socket

    def can_dial(self, address: Multiaddr) -> bool:
        """Whether one of the transports knows what to do with `address`."""
        return self._transport.can_dial(address)

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        """Numeric addresses behind an address (see `Dialer`)."""
        return await self._transport.resolve(address)

    async def dial_address(self, address: Multiaddr, expected: PeerId | None) -> Socket:
        """One attempt at a numeric address, up to the muxer.

        Raises `OSError`, `HandshakeFailed`, `LimitReached`, `Closed`.
        """
        self._check_running()  # a look-up may have taken long
        self._registry.limits.admit_outbound()
        socket = Socket(self, outbound=True, remote_addr=address, expected=expected)
        self._registry.add(socket)
        self._look_soon()
        socket.start_connecting()
        try:
            await self._transport.dial(address, lambda: socket, self.config.dial_timeout_s)
            await socket.wait_connected()
        except BaseException as error:
            reason = error if isinstance(error, Exception) else Closed("the dial was given up")
            socket.abort(reason)
            raise
        return socket

    def add_addresses(
        self, peer: PeerId, addresses: Sequence[Multiaddr], ttl_s: float = ADDRESS_TTL_S
    ) -> None:
        """Remember where `peer` may be reached, for `ttl_s` seconds in which it is not connected."""
        self._addresses.add(peer, addresses, self.clock(), ttl_s)

    def addresses(self, peer: PeerId) -> list[Multiaddr]:
        """Where `peer` may be reached, as far as this node knows."""
        return self._addresses.get(peer, self.clock())

    # --- sockets and peers ----------------------------------------------------------------------------------

    def sockets(self, peer: PeerId | None = None) -> list[Socket]:
        """The authenticated sockets, of one peer or of all."""
        return self._registry.sockets(peer)

    def peers(self) -> list[PeerId]:
        """The connected peers, sorted."""
        return self._registry.peers()

    def is_connected(self, peer: PeerId) -> bool:
        """Whether a socket with `peer` carries streams."""
        return self._registry.best(peer) is not None

    def doubt(self, peer: PeerId) -> None:
        """Whoever asked a peer for something in vain says so to who wants to know (`PeerDoubted`)."""
        self.events.emit(PeerDoubted(peer))

    def counts(self) -> Counts:
        """How much there is now, and how much there was since the start; a look at every socket."""
        return counts_of(
            self._registry.all(), self._registry.peers(), self._registry.limits, self._registry.tally
        )

    def count_message(self, protocol: str, kind: str, direction: Literal["in", "out"]) -> None:
        """A message of a protocol was sent or came; see `counts`."""
        self._registry.tally.messages[Sort(protocol, kind, direction)] += 1

    @property
    def load(self) -> float:
        """The share of the inbound sockets that are taken, 0 to 1."""
        return self._registry.limits.load

    def protect(self, peer: PeerId, tag: str) -> None:
        """Never close the sockets of `peer` to make room, as long as one tag holds."""
        self._registry.protect(peer, tag)

    def unprotect(self, peer: PeerId, tag: str) -> None:
        """Take one tag back."""
        self._registry.unprotect(peer, tag)

    def is_protected(self, peer: PeerId) -> bool:
        """Whether any tag holds for `peer`."""
        return self._registry.is_protected(peer)

    def is_wanted(self, socket: Socket) -> bool:
        """Whether somebody asked for this connection, or protects its peer. If not, who made it in passing
        closes it as soon as it rests: no stream of others is open, and no data came or went for a while.
        """
        return socket.kept or self._registry.is_protected(socket.peer_id)

    def settle(self, peer: PeerId) -> None:
        """Both sides speak Warren: of several sockets with `peer` keep the one that the rule names."""
        self._registry.settle(peer)
        self._look_soon()

    def set_blocked(self, is_blocked: Callable[[PeerId], bool]) -> None:
        """From now on `is_blocked` says with whom there shall be no socket.

        It is asked before each dial, and of each socket once its peer's key is proven.
        """
        self._registry.is_blocked = is_blocked

    def expel(self, peer: PeerId) -> None:
        """End every socket with a peer that was just blocked."""
        for socket in self._registry.sockets(peer):
            socket.shut(Blocked(f"{peer} was blocked here"), GO_AWAY_NORMAL)

    # --- streams and handlers -------------------------------------------------------------------------------

    async def open_stream(
        self, peer: PeerId | Socket, protocols: str | Sequence[str], *, timeout_s: float | None = None
    ) -> Stream:
        """A stream to `peer` (dialled if need be) on the first of `protocols` that it speaks.

        `timeout_s` is for all of it; without, agreeing on a protocol takes `negotiation_timeout_s` at most.
        Raises what `connect` raises, and `ProtocolNotSupported`.
        """
        offers = (protocols,) if isinstance(protocols, str) else tuple(protocols)
        negotiating_s = self.config.negotiation_timeout_s if timeout_s is None else None
        whom = getattr(peer, "peer_id", peer)
        opening = self._open_stream(peer, offers, negotiating_s)
        return await within(timeout_s, opening, "opening a stream to", whom)

    def handle_stream(self, protocol: str, handler: StreamHandler) -> None:
        """Serve inbound streams of `protocol` with a coroutine, which fails alone. `MisuseError`: taken."""
        self.router.add(protocol, handler)

    def handle_stream_inline(self, protocol: str, handler: InlineHandler) -> None:
        """Serve inbound streams of `protocol` with a function that must not block: no task is made."""
        self.router.add_inline(protocol, handler)

    def set_default_handler(self, handler: StreamHandler | None) -> None:
        """Serve streams of protocols that nobody claims."""
        self.router.set_default(handler)

    def remove_handler(self, protocol: str) -> None:
        """Stop serving `protocol`."""
        self.router.remove(protocol)

    # --- requests and broadcasts ----------------------------------------------------------------------------

    def handle_request(self, protocol: str, handler: RequestHandler) -> None:
        """Answer requests, take messages of `protocol`: `await handler(peer, payload) -> bytes | None`."""
        self._messenger.handle(protocol, handler)

    async def request(self, peer: PeerId, protocol: str, payload: bytes, *, timeout_s: float = 10.0) -> bytes:
        """Ask `peer` and wait for the answer; dials if need be.

        Raises `RequestTimeout`, `Refused`, `ProtocolNotSupported`, `LimitReached`, and what `connect` raises.
        """
        socket, left_s = await self._reach(peer, timeout_s)
        try:
            return await self._messenger.request(socket, protocol, payload, left_s)
        except RequestTimeout:
            self.doubt(peer)
            raise

    async def send(self, peer: PeerId, protocol: str, payload: bytes, *, timeout_s: float = 10.0) -> None:
        """A broadcast to one: returns when the handler of `peer` has it; dials if need be.

        Raises what `request` raises.
        """
        socket, left_s = await self._reach(peer, timeout_s)
        await self._messenger.send(socket, protocol, payload, left_s)

    async def broadcast(self, protocol: str, payload: bytes, *, timeout_s: float = 10.0) -> BroadcastReport:
        """Send to every connected peer at once; the report says whose handler has it, who not, and why."""
        self._check_running()
        sockets, unusable = self._registry.best_of_all()
        report = await self._messenger.broadcast(sockets, protocol, payload, timeout_s)
        return BroadcastReport(report.reached, report.failed | unusable)

    # --- the end --------------------------------------------------------------------------------------------

    async def stop(self, grace_s: float = 2.0) -> None:
        """Stop listening and dialling, cancel handlers, let streams that were closed for writing send what is
        queued, say goodbye on every socket; what is left after `grace_s` seconds in all is dropped.

        Whoever calls again waits for the same end. Being cancelled drops every connection at once.
        """
        if self._end is None:
            self.stop_listening()
            self._end = asyncio.ensure_future(self._stop(grace_s))
        try:
            await asyncio.shield(self._end)
        except asyncio.CancelledError:
            drop(self._registry.all())
            raise

    # --- SocketHost -----------------------------------------------------------------------------------------

    @cached_property
    def scratch(self) -> Scratch:
        """The buffers that its sockets share with those of all networks of this event loop."""
        return shared_scratch(self.config.read_bytes)

    def supports(self, protocol: str) -> bool:
        """Whether a handler serves `protocol`."""
        return self.router.supports(protocol)

    def dispatch(self, stream: Stream) -> None:
        """Hand an inbound stream to its handler."""
        self.router.dispatch(stream)

    def on_link(self, socket: Socket, remote: Multiaddr | None) -> None:
        """An inbound link exists. Raises `LimitReached` when there is no room for it."""
        if self._stopped:
            raise LimitReached("stop", "this network was stopped")
        self._registry.admit(socket, remote)
        self._look_soon()

    def on_partial_excess(self, bytes_over: int) -> None:
        """Too much is held of messages that have not arrived whole."""
        for socket in longest_incomplete(self._registry.all(), bytes_over):
            socket.abort(LimitReached("partial_total_bytes_max"))

    def on_socket_moved(self, socket: Socket, old: SocketState, new: SocketState) -> None:
        """Every change of state of a socket."""
        self._registry.on_moved(socket, old, new)
        if new is SocketState.CONNECTED:
            self._addresses.on_connected(socket.peer_id, self.clock())
            if socket.outbound and socket.remote_addr is not None:
                met_at = [socket.remote_addr]
                self._addresses.add(socket.peer_id, met_at, self.clock(), ADDRESS_TTL_S, met=True)
            if self.on_connected is not None:
                self.on_connected(socket)
            else:
                socket.identified()
        elif new is SocketState.CLOSING:
            self._look_soon()
        elif new is SocketState.CLOSED:
            self._messenger.drop(socket)
            if socket.authenticated and not self._registry.sockets(socket.peer_id):
                self._addresses.on_disconnected(socket.peer_id, self.clock())

    # --- inside ---------------------------------------------------------------------------------------------

    async def _open_stream(
        self, peer: PeerId | Socket, offers: tuple[str, ...], negotiating_s: float | None
    ) -> Stream:
        if not isinstance(peer, Socket):
            # A stream on a connection that somebody made in passing does not make it one to keep.
            peer = self._registry.best(peer) or await self.connect(peer)
        stream = peer.open_stream(offers)
        agreeing = stream.wait_negotiated()
        try:
            await within(negotiating_s, agreeing, "agreeing on a protocol with", peer.peer_id)
        except BaseException:
            stream.reset()
            raise
        return stream

    async def _reach(self, peer: PeerId, timeout_s: float) -> tuple[Socket, float]:
        """The socket to use for `peer`, dialled if need be, and what is left of `timeout_s`."""
        socket = self._registry.best(peer)
        if socket is not None:
            return socket, timeout_s
        began = self.clock()
        socket = await self.connect(peer, timeout_s=timeout_s)
        return socket, max(timeout_s - (self.clock() - began), 0.0)

    async def _stop(self, grace_s: float) -> None:
        try:
            await end(self._dialer, self.router, self._registry.all, grace_s)
        finally:
            if self._tick_handle is not None:
                self._tick_handle.cancel()
            self.events.close()

    @property
    def _stopped(self) -> bool:
        return self._end is not None

    def _make_inbound(self) -> Socket:
        return Socket(self, outbound=False, remote_addr=None)

    def _check_running(self) -> None:
        if self._stopped:
            raise Closed("this network was stopped")

    def _look_soon(self) -> None:
        """Something has a deadline now: the next look must not be further away than `TICK_S`."""
        if self._stopped:
            return
        loop = asyncio.get_running_loop()
        if self._tick_handle is not None:
            if self._tick_handle.when() <= loop.time() + TICK_S:
                return
            self._tick_handle.cancel()
        self._tick_handle = loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        """Look after deadlines; rests while there is nothing to look after."""
        self._tick_handle = None
        delay_s = self._registry.sweep(self.clock())
        if delay_s is not None and not self._stopped:
            self._tick_handle = asyncio.get_running_loop().call_later(delay_s, self._tick)
