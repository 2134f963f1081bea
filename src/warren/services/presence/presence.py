"""`Presence`: this node's part in knowing who is online, as a weak peer and as a super-peer.

In:  who the super-peers of this node are, what its prober finds, its configuration. Out: votes against whom
it cannot reach, if it has evidence that its own network works; answers when it is accused itself; whom votes
hold offline. As a super-peer (`open_desk`): all that `desk` decides, and this node's own vote in it. The
leases themselves are kept by the directory, on both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

from warren.core.errors import WarrenError
from warren.core.fail_vote import FailVote
from warren.network.events import PeerConnected
from warren.network.places import place_of
from warren.protocols.presence.messages import ASKED_MAX, Answer
from warren.protocols.presence.protocol import PresenceProtocol
from warren.services.presence.accusing import Accusing, Cast, Withdraw
from warren.services.presence.desk import Desk
from warren.services.presence.hearsay import Hearsay
from warren.services.presence.model import Tally
from warren.services.presence.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.lease import Lease
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.places import Place
    from warren.protocols.presence.messages import Standing
    from warren.services.presence.config import PresenceConfig
    from warren.services.presence.model import PresenceCounts
    from warren.services.presence.residents import Leases
    from warren.services.presence.self_check import Evidence

_log = logging.getLogger(__name__)


class Tries(Protocol):
    """Who tries peers: the prober."""

    def failing(self, peer: PeerId) -> Evidence | None:
        """What was seen of a peer that was tried in vain last; None: it was not."""
        ...


class Presence:
    """Of one node. `run` as long as the node lives."""

    def __init__(
        self,
        network: Network,
        key: PrivateKey,
        config: PresenceConfig,
        tries: Tries,
        where: Callable[[], Sequence[Multiaddr]],
    ) -> None:
        """where: the addresses at which others reach this node."""
        self._network = network
        self._key = key
        self._config = config
        self._where = where
        self._clock = network.runtime.clock
        self._entropy = network.runtime.entropy
        self._numbers = Numbers(self._clock)
        self._hearsay = Hearsay()
        self._accusing = Accusing(tries.failing, config.vote_s)
        self._super_peers: Callable[[], Sequence[PeerId]] = tuple
        self._sealed_lease: Callable[[PeerId], bytes] | None = None
        self._take_lease: Callable[[Lease, str | None], object] | None = None
        self._listen_now = asyncio.Event()
        self._accused = asyncio.Event()
        self._desk = Desk(network.peer_id, config, network.clock, self._ask_accused, network.events.emit)
        self._protocol = PresenceProtocol(network, self._desk, self._refute)
        network.events.on(PeerConnected, self._on_connected)

    # --- which part this node has -------------------------------------------------------------------------

    def follow(
        self, super_peers: Callable[[], Sequence[PeerId]], sealed_lease: Callable[[PeerId], bytes]
    ) -> None:
        """From now on these are this node's super-peers; it is asked again each time they are needed.

        sealed_lease: the next lease of this node for a super-peer.
        """
        self._super_peers, self._sealed_lease = super_peers, sealed_lease
        self.moved()

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
        """Be none any more."""
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
        """How the votes stand that hold a peer offline; None: it is not held offline, or connected."""
        if self._network.is_connected(peer):
            return None
        return self._desk.tally(peer) or self._hearsay.tally(peer, self._clock.now())

    @property
    def counts(self) -> PresenceCounts:
        """How much there is, as a super-peer."""
        return self._desk.counts

    # --- what others tell ---------------------------------------------------------------------------------

    def _refute(self, super_peer: PeerId) -> Answer:
        """A super-peer says that this node is accused there: a lease says that it is not gone.

        It is signed for that super-peer alone; others learn nothing by asking.
        """
        if self._sealed_lease is None or super_peer not in self._super_peers():
            return Answer("not here")
        _log.info("accused at %s of being offline: refuting it", super_peer)
        return Answer(lease=self._sealed_lease(super_peer))

    def note_state(self, peer: PeerId, state: str) -> None:
        """The prober has found out that a peer is `reachable`, `suspect`, `unreachable`."""
        if state == "unreachable":
            self._accusing.lost(peer, self._clock.now())
        elif state == "reachable":
            self._accusing.found(peer)
        self._accused.set()

    def _on_connected(self, event: PeerConnected) -> None:
        self._hearsay.met(event.peer)

    # --- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Vote and listen until cancelled. May be run again after a fault."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._desk.run())
            tasks.create_task(self._vote_when_due())
            tasks.create_task(self._listen_when_due())

    # --- votes --------------------------------------------------------------------------------------------

    async def _vote_when_due(self) -> None:
        while True:
            self._accused.clear()
            match self._accusing.next(self._clock.now()):
                case Cast(peer):
                    await self._tell_all(peer, self._config.vote_s)
                case Withdraw(peer):
                    await self._tell_all(peer, 0)
                case wait:
                    await _until(wait.seconds, self._accused)

    async def _tell_all(self, accused: PeerId, valid_s: int) -> None:
        if self._desk.is_open:
            standing = self._desk.standing(accused)
            self._desk.take_vote(self._vote(accused, standing, valid_s))
        async with asyncio.TaskGroup() as tasks:
            for super_peer in self._super_peers():
                if super_peer != accused:
                    tasks.create_task(self._tell(super_peer, accused, valid_s))

    async def _tell(self, super_peer: PeerId, accused: PeerId, valid_s: int) -> None:
        """Vote where the accused holds a lease. The question is one more sign that our own network works."""
        with _logged("voting at", super_peer):
            standings = await self._protocol.ask(super_peer, (accused,))
            standing = next((one for one in standings if one.peer == accused), None)
            if standing is None or (standing.state == "absent" and valid_s):
                return
            vote = self._vote(accused, standing, valid_s)
            answer = await self._protocol.vote(super_peer, vote.seal(self._key))
            _log.info("voted against %s at %s: %s", accused, super_peer, answer.verdict)

    def _vote(self, accused: PeerId, standing: Standing, valid_s: int) -> FailVote:
        cast_at = int(self._clock.wall())
        return FailVote(
            self._network.peer_id, self._numbers.next(), accused, standing.lease, valid_s, cast_at
        )

    async def _ask_accused(self, peer: PeerId) -> None:
        lease = await self._protocol.accuse(peer)
        if lease is not None and self._take_lease is not None:
            where = next((socket.remote_addr for socket in self._network.sockets(peer)), None)
            self._take_lease(lease, where.host if where is not None else None)

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
