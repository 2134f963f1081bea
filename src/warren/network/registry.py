"""The map of sockets: which exist, whose they are, which one to use, and which must go.

In: sockets and their moves.  Out: the best socket of a peer, `PeerConnected`/`PeerDisconnected`, evictions.
A peer has a set of sockets.  Between Warren nodes duplicates settle: the one that the lower peer id dialled
stays, the other drains; of two that the same side dialled that side drains the older.  A foreign peer's
duplicate is closed when no stream runs on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import Blocked, Closed, HandshakeFailed, LimitReached, ProtocolViolation
from warren.network.counts import Tally
from warren.network.events import PeerConnected, PeerDisconnected, SocketMoved, SocketRefused
from warren.network.limits import SocketLimits, choose_victim, ip_group
from warren.network.overdue import OverdueStreams
from warren.network.states import USABLE, SocketState

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.network.events import EventBus
    from warren.network.socket import Socket

SWEEP_BUSY_S: Final = 1.0
"""Between sweeps while a handshake, a goodbye or a draining socket has a deadline."""
SWEEP_IDLE_S: Final = 30.0
_EARLY: Final = frozenset(
    {SocketState.OPENING, SocketState.CONNECTING, SocketState.AUTHENTICATING, SocketState.AUTHENTICATED}
)


class SocketRegistry:
    """All sockets of one network, by peer once the peer is known."""

    def __init__(
        self, own: PeerId, config: NetworkConfig, events: EventBus, clock: Callable[[], float]
    ) -> None:
        self.limits = SocketLimits(config)
        self.tally = Tally()
        """What happened since the start."""
        self._own = own
        self._config = config
        self._events = events
        self._clock = clock
        self._peers: dict[PeerId, list[Socket]] = {}
        self._unsettled: dict[Socket, float] = {}
        """Sockets with a deadline: in their handshake, or saying goodbye."""
        self._sockets: dict[Socket, str] = {}
        """Every socket that is not closed, with the group of hosts that an inbound one counts for."""
        self._leaving: Socket | None = None
        """Whoever was closed last to make room."""
        self._used: dict[Socket, tuple[int, float]] = {}
        """What `Socket.activity` was, and since when."""
        self._overdue = OverdueStreams(config.stream_timeout_s)
        self._protected: dict[PeerId, set[str]] = {}
        self.is_blocked: Callable[[PeerId], bool] = lambda _: False

    # --- looking up -----------------------------------------------------------------------------------------

    def best(self, peer: PeerId) -> Socket | None:
        """The socket to use for `peer`: proven, taking streams, and the fastest of several."""
        usable = [socket for socket in self._peers.get(peer, ()) if socket.usable and socket.proven]
        if len(usable) <= 1:
            return usable[0] if usable else None
        return min(usable, key=lambda s: s.rtt_s or 0.0)

    def best_of_all(self) -> tuple[list[Socket], dict[PeerId, str]]:
        """The socket to use for each connected peer; and the peers that have none, with the reason."""
        sockets, unusable = [], {}
        for peer in self.peers():
            best = self.best(peer)
            if best is not None:
                sockets.append(best)
            else:
                unusable[peer] = "the connection " + self._peers[peer][-1].why_unusable()
        return sockets, unusable

    def sockets(self, peer: PeerId | None) -> list[Socket]:
        """Authenticated sockets, of one peer or of all."""
        if peer is not None:
            return list(self._peers.get(peer, ()))
        return [socket for sockets in self._peers.values() for socket in sockets]

    def peers(self) -> list[PeerId]:
        """Connected peers, sorted."""
        return sorted(self._peers)

    def all(self) -> list[Socket]:
        """Every socket that is not closed."""
        return list(self._sockets)

    # --- protection -----------------------------------------------------------------------------------------

    def protect(self, peer: PeerId, tag: str) -> None:
        """Spare the sockets of `peer`."""
        self._protected.setdefault(peer, set()).add(tag)

    def unprotect(self, peer: PeerId, tag: str) -> None:
        """Take one tag back."""
        tags = self._protected.get(peer, set())
        tags.discard(tag)
        if not tags:
            self._protected.pop(peer, None)

    def is_protected(self, peer: PeerId) -> bool:
        """Whether any tag holds."""
        return peer in self._protected

    # --- coming and going -----------------------------------------------------------------------------------

    def add(self, socket: Socket) -> None:
        """A socket exists that the limits admitted."""
        self._sockets[socket] = "" if socket.outbound else ip_group(_host(socket.remote_addr))
        self._unsettled[socket] = self._clock() + self._config.handshake_timeout_s

    def welcomes(self, host: str) -> bool:
        """Whether a newcomer from `host` gets to a handshake; a flood is turned away where it is cheap."""
        try:
            self.limits.welcome(host, self._clock())
        except LimitReached as error:
            self._note_refused(error.limit, host)
            return False
        return True

    def admit(self, socket: Socket, remote: Multiaddr | None) -> None:
        """Ask the limits about an inbound link; room is made when the node is full. Raises `LimitReached`."""
        host = _host(remote)
        try:
            self.limits.admit_inbound(host)
        except LimitReached as error:
            if not self._made_room(error.limit, host):
                self._note_refused(error.limit, str(remote))
                raise
            self.limits.count_inbound(host)
        self.add(socket)

    def _made_room(self, limit: str, host: str) -> bool:
        """Drop the oldest unproven newcomer, of the same host where that is what the limit counts."""
        if limit == "inbound_max":
            self._evict()
        if limit not in ("handshakes_max", "handshakes_per_ip_max"):
            return False
        group = ip_group(host) if limit == "handshakes_per_ip_max" else None
        for oldest in self._unsettled:
            if oldest.outbound or oldest.authenticated or oldest.state not in _EARLY:
                continue
            if group is None or self._sockets[oldest] == group:
                self._note_refused(limit, str(oldest.remote_addr))
                oldest.abort(LimitReached(limit))
                return True
        return False

    def _note_refused(self, limit: str, remote: str) -> None:
        self.tally.refused[limit] += 1
        if self._events.wants(SocketRefused):
            self._events.emit(SocketRefused(limit, remote))

    def on_moved(self, socket: Socket, old: SocketState, new: SocketState) -> None:
        """Keep the map true; called after every move of every socket."""
        if self._events.wants(SocketMoved):
            self._events.emit(SocketMoved(socket, old, new))
        if new is SocketState.CONNECTED:
            self._unsettled.pop(socket, None)
            self._join(socket)
        elif new is SocketState.AUTHENTICATED:
            if not socket.outbound:
                self.limits.end_handshake(_host(socket.remote_addr))
            self._check_peer(socket)
        elif new is SocketState.CLOSING:
            if socket in self._sockets:
                self._unsettled[socket] = self._clock() + self._config.close_timeout_s
        elif new is SocketState.CLOSED:
            self._leave(socket)

    def _check_peer(self, socket: Socket) -> None:
        if socket.peer_id == self._own:
            raise HandshakeFailed("that is this node itself")
        self._check_welcome(socket)

    def _check_welcome(self, socket: Socket) -> None:
        self.refuse_blocked(socket.peer_id)
        if len(self._peers.get(socket.peer_id, ())) >= self._config.per_peer_max:
            raise LimitReached("per_peer_max")

    def refuse_blocked(self, peer: PeerId) -> None:
        """Raises `Blocked` where there shall be no socket with `peer`."""
        if self.is_blocked(peer):
            raise Blocked(f"{peer} is blocked here", hint=f"warren peer unblock {peer}")

    def _join(self, socket: Socket) -> None:
        # Once more: many may have proved their key before one agreed on a muxer, or it was blocked since.
        self._check_welcome(socket)
        self.tally.opened[socket.direction] += 1
        sockets = self._peers.setdefault(socket.peer_id, [])
        sockets.append(socket)
        if len(sockets) == 1:
            self._events.emit(PeerConnected(socket.peer_id))

    def _leave(self, socket: Socket) -> None:
        self._unsettled.pop(socket, None)
        self._used.pop(socket, None)
        if socket not in self._sockets:
            return
        self.tally.add_closed(socket)
        del self._sockets[socket]
        if socket.outbound:
            self.limits.release_outbound()
        else:
            host = _host(socket.remote_addr)
            if isinstance(socket.error, ProtocolViolation):
                self.limits.note_violation(host, self._clock())
            self.limits.release_inbound(host)
            if not socket.authenticated:
                self.limits.end_handshake(host)
        sockets = self._peers.get(socket.peer_id) if socket.authenticated else None
        if sockets is not None and socket in sockets:
            sockets.remove(socket)
            if not sockets:
                del self._peers[socket.peer_id]
                reason, ours = str(socket.error or "closed"), isinstance(socket.error, Closed)
                self._events.emit(PeerDisconnected(socket.peer_id, reason, ours))

    # --- keeping order --------------------------------------------------------------------------------------

    def settle(self, peer: PeerId) -> None:
        """Between Warren nodes: leave one socket in use, by a rule that both sides come to."""
        live = [s for s in self._peers.get(peer, ()) if s.usable]
        if len(live) < 2:
            return
        ours_wins = self._own < peer
        wanted = [s for s in live if s.outbound == ours_wins] or live
        if wanted[0].outbound:
            # Of several that one side dialled only that side knows the order, so it alone drains: two sides
            # that saw another order would leave none.
            wanted = [max(wanted, key=lambda s: s.opened_at)]
            # The key is the same, so what one socket proved holds for the one that takes its place.
            wanted[0].proven = any(s.proven for s in live)
            wanted[0].kept = any(s.kept for s in live)
        for socket in live:
            if socket not in wanted:
                self._drain(socket)

    def sweep(self, now: float) -> float | None:
        """Close what is past its deadline; return the seconds until the next look, None when all is gone."""
        for socket, deadline in list(self._unsettled.items()):
            if deadline <= now:
                self._end_late(socket)
        if int(now / SWEEP_IDLE_S) != int((now - SWEEP_BUSY_S) / SWEEP_IDLE_S) or not self._unsettled:
            self._close_idle(now)
        if not self._sockets:
            return None
        return SWEEP_BUSY_S if self._unsettled else SWEEP_IDLE_S

    def _end_late(self, socket: Socket) -> None:
        if socket.state in _EARLY:
            socket.abort(HandshakeFailed("the handshake took too long"))
        elif socket.draining and socket.state in USABLE:
            if socket.streams:
                self._unsettled[socket] = self._clock() + self._config.close_timeout_s
                return
            socket.shut(Closed("another connection to this peer is used"), 0)
        else:
            socket.abort(Closed("the peer did not take our goodbye"))

    def _close_idle(self, now: float) -> None:
        for peer, sockets in list(self._peers.items()):
            if len(sockets) > 1:
                self._close_duplicates(peer)
            for socket in sockets:
                if socket.state in USABLE and not socket.usable:
                    socket.let_go()  # the peer said goodbye; what we keep on it would hold it open
            if peer in self._protected:
                continue
            for socket in list(sockets):
                activity, since = self._used.get(socket, (-1, now))
                if socket.activity != activity:
                    self._used[socket] = (socket.activity, now)
                elif now - since >= self._config.idle_timeout_s:
                    socket.shut(Closed("idle"), 0)
        waiting = (stream for socket in self.sockets(None) for stream in socket.waiting_streams())
        for stream in self._overdue.look(waiting, now):
            stream.reset()

    def _close_duplicates(self, peer: PeerId) -> None:
        sockets = self._peers.get(peer, [])
        best = self.best(peer) or max(sockets, key=lambda s: (s.usable, s.opened_at))
        for socket in list(sockets):
            if socket is not best and not socket.streams and socket.state is SocketState.OPEN:
                socket.shut(Closed("another connection to this peer is used"), 0)

    def _drain(self, socket: Socket) -> None:
        socket.drain()
        self._unsettled[socket] = self._clock() + self._config.close_timeout_s

    def _evict(self) -> None:
        if self._leaving in self._sockets:  # one makes room already: nobody else has to
            return
        inbound = [s for s in self.sockets(None) if not s.outbound]
        victim = choose_victim(
            inbound, lambda s: s.peer_id in self._protected, lambda s: self.limits.crowd(self._sockets[s])
        )
        self._leaving = victim
        if victim is not None:
            victim.shut(Closed("room was needed for others"), 0)


def _host(address: Multiaddr | None) -> str:
    return (address.host if address is not None else None) or ""
