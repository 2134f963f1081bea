"""`Presence`: this node's part in knowing who is online, as a weak peer and as a super-peer.

In:  who the super-peers of this node are, signs that somebody may be gone, the configuration. Out: doubts and
votes (`voting`); answers when this node is doubted itself; whom votes hold offline. As a super-peer
(`open_desk`): all that `desk` decides, and this node's own vote in it. The leases themselves are kept by the
directory, on both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from warren.core.errors import ConnectionClosed, WarrenError
from warren.network.allowance import Seldom
from warren.network.events import PeerConnected, PeerDoubted
from warren.network.places import place_of
from warren.protocols.presence.messages import ASKED_MAX, Answer
from warren.protocols.presence.protocol import PresenceProtocol
from warren.services.presence.desk import Desk
from warren.services.presence.hearsay import Hearsay
from warren.services.presence.model import Tally
from warren.services.presence.voting import TRY_S, Voting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.lease import Lease
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.places import Place
    from warren.services.presence.config import PresenceConfig
    from warren.services.presence.model import PresenceCounts
    from warren.services.presence.residents import Leases
    from warren.services.presence.voting import Attempts

RENEW_EVERY_S: Final = 10.0
"""Between two times that a super-peer is gone back to because another one says that it doubts this node.
Attack: a super-peer that says so without end."""
RENEW_MAX: Final = 32
"""Super-peers for which that is remembered."""
CALLS_MAX: Final = 512
"""Calls to others under way at once that nobody waits for. Fault: a super-peer whose peers answer slowly."""
_log = logging.getLogger(__name__)


class Presence:
    """Of one node. `run` as long as the node lives."""

    def __init__(
        self,
        network: Network,
        key: PrivateKey,
        config: PresenceConfig,
        attempts: Attempts,
        where: Callable[[], Sequence[Multiaddr]],
    ) -> None:
        """where: the addresses at which others reach this node."""
        self._network = network
        self._config = config
        self._attempts = attempts
        self._where = where
        self._clock = network.runtime.clock
        self._entropy = network.runtime.entropy
        self._hearsay = Hearsay()
        self._super_peers: Callable[[], Sequence[PeerId]] = tuple
        self._sealed_lease: Callable[[PeerId], bytes] | None = None
        self._renew: Callable[[PeerId], object] = lambda _: None
        self._take_lease: Callable[[Lease, str | None], object] | None = None
        self._renewed: Seldom[PeerId] = Seldom(RENEW_EVERY_S, RENEW_MAX)
        self._listen_now = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._calls = 0
        self.fellows: Callable[[], Collection[PeerId]] = tuple
        """Other super-peers that this one knows, while it is one. To be set."""
        self._desk = Desk(network.peer_id, config, network.clock, self, network.events.emit)
        self._protocol = PresenceProtocol(network, self._desk, self._refute, self._doubted)
        self._voting = Voting(
            network.runtime, key, config, self._protocol, self._desk, attempts, self._followed
        )
        network.events.on(PeerConnected, self._on_connected)
        network.events.on(PeerDoubted, lambda event: self._voting.suspect(event.peer))

    # --- which part this node has -------------------------------------------------------------------------

    def follow(
        self,
        super_peers: Callable[[], Sequence[PeerId]],
        sealed_lease: Callable[[PeerId], bytes],
        renew: Callable[[PeerId], object],
    ) -> None:
        """From now on these are this node's super-peers; it is asked again each time they are needed.

        sealed_lease: the next lease of this node for a super-peer. renew: shows one a fresh lease now.
        """
        self._super_peers, self._sealed_lease, self._renew = super_peers, sealed_lease, renew
        self.moved()

    def _followed(self) -> Sequence[PeerId]:
        return self._super_peers()

    def moved(self) -> None:
        """This node has other super-peers than before: hear what is said there."""
        self._listen_now.set()

    def open_desk(self, leases: Leases, take_lease: Callable[[Lease, str | None], object]) -> None:
        """Be a super-peer from now on. leases: of who is there. take_lease: takes one that refutes votes,
        which was checked, from a connection with that host.
        """
        self._take_lease = take_lease
        self._desk.open(leases, self._own_place)

    def _own_place(self) -> Place:
        hosts = [address.host for address in self._where() if not address.is_loopback] or ["127.0.0.1"]
        return place_of(self._network.peer_id, hosts[0])

    def shut_desk(self) -> None:
        """Be none any more. A lease that is still on its way is taken by nobody."""
        self._take_lease = None
        self._desk.shut()

    @property
    def desk(self) -> Desk:
        """Who is online here; it is shut where this node is no super-peer."""
        return self._desk

    # --- what is so ---------------------------------------------------------------------------------------

    def is_held_offline(self, peer: PeerId) -> bool:
        """Whether votes hold a peer for offline: who does not know it yet need not dial it."""
        return self.tally(peer) is not None

    def tally(self, peer: PeerId) -> Tally | None:
        """How the votes stand that hold a peer offline; None: it is not held offline, or it is
        connected, and this node itself does not hold it offline.
        """
        here = self._desk.tally(peer)  # which asked over the connection, if there is one
        if here is not None or self._network.is_connected(peer):
            return here
        return self._hearsay.tally(peer, self._clock.now())

    def accuses(self, peer: PeerId) -> bool:
        """Whether this node tried to reach a peer in vain, and voted against it: a connection that still
        stands with it leads nowhere.
        """
        return self._voting.accuses(peer)

    @property
    def counts(self) -> PresenceCounts:
        """How much there is, as a super-peer."""
        return self._desk.counts

    # --- what others tell ---------------------------------------------------------------------------------

    def _refute(self, super_peer: PeerId, at: PeerId | None) -> Answer:
        """A super-peer says that this node is doubted there: a lease says that it is not gone.

        It is signed for that super-peer alone; others learn nothing by asking. at: another one that doubts
        this node; maybe the connection with that one is dead at the other end alone.
        """
        super_peers = self._super_peers()
        if self._sealed_lease is None or super_peer not in super_peers:
            return Answer("not here")
        _log.info("doubted at %s: refuting it", super_peer)
        if at is not None and at in super_peers and self._renewed.is_due(at, self._clock.now()):
            self._spawn(self._go_back(at))
        return Answer(lease=self._sealed_lease(super_peer))

    async def _go_back(self, super_peer: PeerId) -> None:
        """Show a super-peer a fresh lease, over a new connection if the old one is dead."""
        if await self._attempts.attempt(super_peer, TRY_S) == "reached":
            self._renew(super_peer)
            return
        addresses = self._network.addresses(super_peer)
        for socket in self._network.sockets(super_peer):
            socket.abort(ConnectionClosed("a super-peer that does not hear this node over it"))
        await self._network.connect(super_peer, addresses, timeout_s=TRY_S)

    def _doubted(self, caller: PeerId, peer: PeerId) -> Answer:
        """A caller says of a peer that it may be gone."""
        if caller in self._super_peers():
            self._voting.suspect(peer, is_own=False)
            return Answer()
        return self._desk.take_doubt(peer, caller)

    def _on_connected(self, event: PeerConnected) -> None:
        self._hearsay.met(event.peer)
        self._voting.met(event.peer)

    # --- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Vote and listen until cancelled. May be run again after a fault."""
        self._calls = 0
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._desk.run())
                tasks.create_task(self._voting.run())
                tasks.create_task(self._listen_when_due())
        finally:
            self._tasks = None

    # --- what the desk has done (see `Errands`) -----------------------------------------------------------

    async def accuse(self, peer: PeerId, at: PeerId | None) -> None:
        """Ask a peer for a lease, and hand that to whoever keeps the leases."""
        lease = await self._protocol.accuse(peer, at)
        if lease is not None and self._take_lease is not None:
            where = next((socket.remote_addr for socket in self._network.sockets(peer)), None)
            self._take_lease(lease, where.host if where is not None else None)

    def call(self, peer: PeerId, jury: Sequence[PeerId]) -> None:
        """Try to reach a peer, and have others do so."""
        self._voting.suspect(peer, is_own=False)
        for one in jury:
            if self._network.is_connected(one):
                self._spawn(self._protocol.doubt(one, peer))

    def tell_fellows(self, peer: PeerId) -> None:
        """Tell the other super-peers that a peer may be gone."""
        for fellow in self.fellows():
            self._spawn(self._protocol.doubt(fellow, peer))

    def _spawn(self, call: Coroutine[Any, Any, object]) -> None:
        """Do it, and wait for nobody."""
        if self._tasks is None or self._calls >= CALLS_MAX:
            call.close()
        else:
            self._calls += 1
            self._tasks.create_task(self._do(call))

    async def _do(self, call: Awaitable[object]) -> None:
        try:
            await call
        except WarrenError as error:
            _log.debug("a call about who is there failed: %s", error)
        finally:
            self._calls -= 1

    # --- hearsay ------------------------------------------------------------------------------------------

    async def _listen_when_due(self) -> None:
        while True:
            self._listen_now.clear()
            for super_peer in self._super_peers():
                await self._listen(super_peer)
            await _until(self._pause_s(), self._listen_now)

    async def _listen(self, super_peer: PeerId) -> None:
        """Hear whom votes hold offline there, and how those stand whom others hold offline."""
        with _logged("asking for news of", super_peer):
            doubtful = self._hearsay.held(self._clock.now())[:ASKED_MAX]
            standings = await self._protocol.ask(super_peer, doubtful, held=True)
            held = {
                one.peer: Tally(one.accusers, one.online) for one in standings if one.state == "held offline"
            }
            online = [one.peer for one in standings if one.state == "online"]
            self._hearsay.heard(super_peer, held, online, self._clock.now())

    def _pause_s(self) -> float | None:
        """Until the next round; where there is nobody to ask, none is due by itself."""
        if not self._super_peers():
            return None
        return self._entropy.uniform(self._config.hearsay_s * 0.75, self._config.hearsay_s)


async def _until(seconds: float | None, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


@contextlib.contextmanager
def _logged(doing: str, super_peer: PeerId) -> Iterator[None]:
    """A super-peer that does not answer costs only what was to be told it; the next round tries again."""
    try:
        yield
    except WarrenError as error:
        _log.debug("%s %s failed: %s", doing, super_peer, error)
