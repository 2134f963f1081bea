"""`Prober`: measures the round trips of connected peers, and finds out which others still live.

In:  events of the network; the peer table. Out: latency and state of peers, in the table; peers that were
unreachable for too long leave it.

What costs nothing is used first: the answers to the keep-alive's probes of idle connections tell the round
trip. Busy connections are probed here. Peers that are not connected are dialled when `Probing` says so, and
the connection is given up again; feelers draw one of the table now and then, spread over the networks that
the peers are in. Each dial has a deadline and a task of its own: a hung peer delays nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import Closed, LimitReached, StorageError, WarrenError
from warren.core.multiaddr import Multiaddr
from warren.network.events import PeerConnected, PeerDisconnected
from warren.services.peers.attempts import LAG_S, WITNESSES_ASKED, refusals
from warren.services.peers.diversity import group_of_address, spread
from warren.services.peers.latencies import Latencies
from warren.services.peers.looked import let_go
from warren.services.peers.model import PeerBlocked, PeerForgotten
from warren.services.peers.probe_policy import FORGET_NEW_S, ProbePolicy
from warren.services.peers.probing import Changed, Forgotten, Probe, Probing, Wait
from warren.services.peers.reach import HERE, place_of, reach_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.protocols.ping import Ping
    from warren.runtime.seam import Clock, Entropy
    from warren.services.peers.config import PeersConfig
    from warren.services.peers.model import Peer
    from warren.services.peers.reach import Place
    from warren.services.peers.table import PeerTable

WITNESS_S: Final = 2.0
"""So long after a failure the answers of those who were asked for a sign of life are looked at."""
FIRST_LOOK_S: Final = 2.0
"""From a new connection to the first figure, and from that to those that make it sure."""
PASSING_S: Final = 30.0
"""A connection that nobody here asked for is measured when it has lasted so long: those that others make for
a look-up come by the hundred, and to measure them would cost as much as the look-up."""
FEELER_DRAW: Final = 256
"""Candidates of a feeler: enough that the few of a network that an attacker does not fill are among them."""
REFILL_S: Final = 3600.0
REFILL_MAX: Final = 1024
# What goes wrong on this side, and says nothing of the peer.
_OWN_FAULTS: Final = (StorageError, LimitReached, Closed)
_log = logging.getLogger(__name__)


class Prober:
    """Runs as one task, from `run` until that is cancelled."""

    __slots__ = (
        "_changed",
        "_clock",
        "_config",
        "_entropy",
        "_is_kept",
        "_latencies",
        "_look_at",
        "_look_sooner",
        "_network",
        "_ping",
        "_policy",
        "_probing",
        "_table",
    )

    def __init__(
        self,
        network: Network,
        ping: Ping,
        table: PeerTable,
        clock: Clock,
        entropy: Entropy,
        config: PeersConfig,
        *,
        is_kept: Callable[[PeerId], bool],
        policy: ProbePolicy | None = None,
    ) -> None:
        """is_kept: who never leaves the table: contacts."""
        self._network = network
        self._ping = ping
        self._table = table
        self._clock = clock
        self._entropy = entropy
        self._config = config
        self._is_kept = is_kept
        self._policy = policy or ProbePolicy(
            probes_max=config.probes_max,
            forget_s=config.forget_s,
            forget_new_s=min(config.forget_s, FORGET_NEW_S),
        )
        self._probing = Probing(self._policy, entropy)
        self._latencies = Latencies()
        self._changed = asyncio.Event()
        self._look_at = 0.0
        self._look_sooner = asyncio.Event()

    async def run(self) -> None:
        """Measure and probe until cancelled. May be run again after a fault."""
        self._probing = Probing(self._policy, self._entropy)
        self._look_at = self._clock.now() + self._config.latency_interval_s
        events = self._network.events.subscribe(PeerConnected, PeerDisconnected, PeerBlocked, PeerForgotten)
        try:
            self._look_at_all()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._probe_when_due(tasks))
                tasks.create_task(self._measure_when_due())
                tasks.create_task(self._feel())
                tasks.create_task(self._refill())
                async for event in events:
                    self._on_event(event)
                    if events.missed():
                        self._look_at_all()
        finally:
            events.close()

    async def pinged(self, peer: PeerId, rtt_s: float) -> None:
        """A round trip was measured just now, in seconds, by whomever: one more sample."""
        await self._table.note_latency(peer, *self._latencies.add(peer, rtt_s))

    # --- what happens ---------------------------------------------------------------------------------------

    def _look_at_all(self) -> None:
        """Bring the schedule in line with what is, at the start and after events were lost."""
        for peer in self._network.peers():
            self._on_connected(peer)
        for peer in self._probing.connected():
            if not self._network.is_connected(peer):
                self._on_lost(peer)

    def _on_event(self, event: object) -> None:
        match event:
            case PeerConnected(peer):
                self._on_connected(peer)
            case PeerDisconnected(peer, _, ours):
                self._on_lost(peer, ours=ours)
            case PeerBlocked(peer) | PeerForgotten(peer):
                self._probing.unwatch(peer)
            case _:
                pass

    def _on_connected(self, peer: PeerId) -> None:
        now = self._clock.now()
        sockets = self._network.sockets(peer)
        came = not any(socket.outbound for socket in sockets)
        self._probing.met(peer, self._place_of_sockets(peer), now, came=came)
        staying = [socket for socket in sockets if self._stays(socket, now)]
        for socket in staying:
            _ask(socket)
        self._look_by(now + (FIRST_LOOK_S if staying else PASSING_S))
        self._changed.set()

    def _on_lost(self, peer: PeerId, *, ours: bool = False) -> None:
        self._latencies.leave(peer)
        if ours:
            self._probing.released(peer)
        else:
            self._probing.lost(peer, self._clock.now())
        self._changed.set()

    # --- the connected --------------------------------------------------------------------------------------

    def _stays(self, socket: Socket, now: float) -> bool:
        """Whether a connection is more than one that others make for an errand, and close again."""
        return self._network.is_wanted(socket) or now - socket.opened_at >= PASSING_S

    def _look_by(self, at: float) -> None:
        if at < self._look_at:
            self._look_at = at
            self._look_sooner.set()

    async def _measure_when_due(self) -> None:
        interval_s = self._config.latency_interval_s
        while True:
            now = self._clock.now()
            if now >= self._look_at:
                self._look_at = now + self._entropy.uniform(interval_s * 0.75, interval_s * 1.25)
                await self._measure(now)
            self._look_sooner.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._look_at):
                    await self._look_sooner.wait()

    async def _measure(self, now: float) -> None:
        old = now - self._config.latency_interval_s
        for peer in self._network.peers():
            sockets = [socket for socket in self._network.sockets(peer) if self._stays(socket, now)]
            if not sockets:
                self._look_at = min(self._look_at, now + PASSING_S)
                continue
            figure = self._latencies.look(peer, sockets, now)
            fresh = self._latencies.is_fresh(peer)
            if fresh or any(socket.rtt_at is None for socket in sockets):
                self._look_at = min(self._look_at, now + FIRST_LOOK_S)
            for socket in sockets:
                if fresh or socket.rtt_at is None or socket.rtt_at < old:
                    _ask(socket)
            if figure is not None:
                with _logged("noting a latency"):
                    await self._table.note_latency(peer, *figure)

    # --- the others -----------------------------------------------------------------------------------------

    async def _probe_when_due(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._changed.clear()
            await self._tell_changes()
            match self._probing.next(self._clock.now()):
                case Probe(peer):
                    tasks.create_task(self._probe(peer))
                case Wait(until):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(until):
                            await self._changed.wait()
                    self._see_lag(until)

    async def _tell_changes(self) -> None:
        for change in self._probing.take_changes():
            with _logged("noting the state of a peer"):
                match change:
                    case Changed(peer, state):
                        await self._table.note_state(peer, state)
                    case Forgotten(peer):
                        await self._table.forget(peer)

    def _see_lag(self, due: float | None) -> None:
        now = self._clock.now()
        if due is not None and now > due + LAG_S:
            self._probing.stumbled(now)

    async def _probe(self, peer: PeerId) -> None:
        began = self._clock.now()
        try:
            await self._reach(peer)
        except (WarrenError, TimeoutError) as error:
            _log.debug("%s was tried in vain: %s", peer, error)
            await self._on_failure(peer, error, began)
        self._changed.set()

    async def _reach(self, peer: PeerId) -> None:
        """Connect, measure, and give the connection up again if it was made for this alone."""
        known = await self._table.get(peer)
        if known is not None and known.blocked:
            self._probing.unwatch(peer)
            self._probing.failed(peer, self._clock.now())
            return
        sure, told = (known.first_hand, known.addresses) if known is not None else ((), ())
        was_connected = self._network.is_connected(peer)
        async with asyncio.timeout(self._config.probe_timeout_s):
            socket = await self._network.connect(peer, sure, hearsay=told, forced=True, passing=True)
            self._probing.met(peer, self._place_of_sockets(peer), self._clock.now())
            rtt_s = await self._ping.ping(socket, timeout_s=self._config.probe_timeout_s)
            await socket.wait_open()
        await self.pinged(peer, rtt_s)
        if socket.outbound and not was_connected:
            # One stream is that of the ping.
            await let_go(self._network, socket, own_streams=1, on_end=lambda: self._probing.released(peer))

    async def _on_failure(self, peer: PeerId, error: Exception, began: float) -> None:
        now = self._clock.now()
        if now - began > self._config.probe_timeout_s + LAG_S:
            self._probing.stumbled(now)
        for address in refusals(error):
            self._probing.heard(now, reach_of(address))
        self._hear()
        cut_off = self._probing.reach_of(peer) != HERE and self._is_cut_off()
        self._probing.failed(peer, now, excused=cut_off or isinstance(error, _OWN_FAULTS))
        if self._probing.holding:
            for socket in self._network.sockets()[:WITNESSES_ASKED]:
                _ask(socket)
            self._changed.set()
            await asyncio.sleep(WITNESS_S)
            self._hear()

    def _hear(self) -> None:
        """Whoever is connected and was heard of bears witness that this node's network works."""
        for socket in self._network.sockets():
            if socket.usable:
                self._probing.heard(socket.last_read_at, reach_of(socket.remote_addr))

    def _is_cut_off(self) -> bool:
        """Whether this machine has no address but its own loopback."""
        addresses = self._network.runtime.transport.interface_addresses()
        return all(Multiaddr.tcp(address, 1).is_loopback for address in addresses)

    # --- whom to try ----------------------------------------------------------------------------------------

    async def _feel(self) -> None:
        interval_s = self._config.feeler_interval_s
        while interval_s:
            await asyncio.sleep(self._entropy.uniform(interval_s / 2, interval_s * 1.5))
            with _logged("drawing a peer to try"):
                found = await self._table.candidates(
                    FEELER_DRAW,
                    states=("new", "reachable"),
                    exclude=self._network.peers(),
                    at_random=True,
                )
                fresh = [peer for peer in found if peer.peer_id != self._network.peer_id]
                for peer in spread(fresh, 1, self._entropy, taken=self._groups_in_use()):
                    self._watch(peer, at_once=True)

    def _groups_in_use(self) -> set[str]:
        outbound = [socket.remote_addr for socket in self._network.sockets() if socket.outbound]
        return {group_of_address(address) for address in outbound if address is not None}

    async def _refill(self) -> None:
        """Whoever was suspect or unreachable before this start is tried again, too."""
        while True:
            with _logged("reading whom to try"):
                found = await self._table.candidates(
                    REFILL_MAX, states=("suspect", "unreachable"), at_random=True
                )
                for peer in found:
                    if not self._network.is_connected(peer.peer_id):
                        self._watch(peer)
            await asyncio.sleep(REFILL_S)

    def _watch(self, peer: Peer, *, at_once: bool = False) -> None:
        now, wall = self._clock.now(), self._clock.wall()
        since = peer.first_seen if peer.last_seen is None else peer.last_seen
        self._probing.watch(
            peer.peer_id,
            peer.state,
            place_of(peer.addresses[0] if peer.addresses else None),
            now,
            kept=self._is_kept(peer.peer_id),
            failing_for_s=max(wall - since, 0.0),
            at_once=at_once,
        )
        self._changed.set()

    def _place_of_sockets(self, peer: PeerId) -> Place:
        sockets = self._network.sockets(peer)
        return place_of(sockets[0].remote_addr if sockets else None)


def _ask(socket: Socket) -> None:
    """For a sign of life, which tells the round trip too."""
    with contextlib.suppress(WarrenError):
        socket.probe()


@contextlib.contextmanager
def _logged(doing: str) -> Iterator[None]:
    """A full disk must not end the measuring: what was learnt is lost, the next look learns it again."""
    try:
        yield
    except WarrenError as error:
        _log.warning("%s failed: %s", doing, error)
