"""`Finder`: dials some of those that were found. Which and when is decided in `choice`.

In:  `Found` from every discovery; events of the network. Out: dials; what was found, to the peer table;
`PeerDiscovered`.

An address without a peer id is dialled as such, and the key that is met there counts as unproven: it never
stands in for a named peer. Refused before anything is remembered: addresses that this node cannot dial or has
itself, and those nearer than their source may name (`core/reach.py`), behind which a liar would have us knock
at our own services; a node that is itself on loopback alone has no others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import WarrenError
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach, reach_of
from warren.network.events import PeerConnected, PeerDisconnected
from warren.services.discovery.choice import Choice, Dial, Wait
from warren.services.discovery.model import Found, PeerDiscovered
from warren.services.discovery.purse import Purse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.runtime.seam import Clock, Entropy
    from warren.services.discovery.choice import ChoicePolicy, Target

TRUSTED: Final = frozenset({"bootstrap"})
"""Sources that are the user's own word."""
NEAREST: Final = {"mdns": Reach.LINK, "dns": Reach.PRIVATE}
"""How near the numeric addresses of a source may be. A name that the user configured may stand for machines
of the local network, as in a cluster. What other peers told was sifted by who heard it (`dht`, `peers`)."""
NOTES_BURST: Final = 64
"""Peers named by one source that the table is told of at once. Attack: a liar who names peers without end
fills it. Those that are met are told of by whoever watches the network."""
NOTES_EVERY_S: Final = 10.0
DIAL_S: Final = 15.0
REMEMBERED_S: Final = 600.0
"""How long an address that was found may be used by whoever connects to its peer."""
_log = logging.getLogger(__name__)


class Table(Protocol):
    """What is needed of the peer table."""

    async def heard(
        self, peer: PeerId, addresses: Iterable[Multiaddr], source: str, teller: Reach, /
    ) -> None:
        """A discovery said that `peer` may be reached there; teller: how near it is. Raises WarrenError."""
        ...

    def is_blocked(self, peer: PeerId) -> bool:
        """Whether the user wants nothing to do with it."""
        ...


class Finder:
    """Runs as one task, from `run` until that is cancelled.

    where: the addresses of this node itself. on_doubt: called with peers that could not be reached, or whose
    connection broke; on_met: with those that were. is_held_offline: whom others cannot reach; such are not
    dialled for the moment.
    """

    def __init__(
        self,
        network: Network,
        table: Table,
        clock: Clock,
        entropy: Entropy,
        where: Callable[[], Sequence[Multiaddr]],
        policy: ChoicePolicy,
        *,
        on_doubt: Callable[[PeerId], None] = lambda _: None,
        on_met: Callable[[PeerId], None] = lambda _: None,
        is_held_offline: Callable[[PeerId], bool] = lambda _: False,
    ) -> None:
        self._network = network
        self._table = table
        self._clock = clock
        self._where = where
        self._policy = policy
        self._on_doubt = on_doubt
        self._on_met = on_met
        self._is_held_offline = is_held_offline
        self._choice = Choice(policy, entropy, clock.now(), network.hearsay)
        self._changed = asyncio.Event()
        self._notes: dict[str, Purse] = {}
        self.tried = 0
        self.met = 0

    @property
    def found(self) -> int:
        """How many peers and addresses are known by discovery."""
        return len(self._choice)

    @property
    def wanted(self) -> int:
        """Connections up to which it dials."""
        return self._policy.connections

    async def take(self, found: Found) -> None:
        """Somebody was found: remember it, and dial when its turn comes."""
        peer = found.peer
        addresses = self._useful(found)
        if not addresses or peer == self._network.peer_id or (peer and self._table.is_blocked(peer)):
            return
        first_hand = addresses if found.source in TRUSTED else found.first_hand
        useful = Found(peer, addresses, found.source, first_hand)
        connected = peer is not None and bool(self._network.sockets(peer))
        if not self._choice.add(useful, self._clock.now(), connected=connected):
            return
        self._changed.set()
        self._network.events.emit(PeerDiscovered(peer, addresses, found.source))
        if peer is not None and self._may_note(found.source):
            self._network.add_addresses(peer, addresses, REMEMBERED_S)
            try:
                await self._table.heard(peer, addresses, found.source, Reach.NOWHERE)
            except WarrenError as error:
                _log.warning("noting where %s may be failed: %s", peer, error)

    def vanished(self, peer: PeerId, source: str) -> None:
        """Who named it says that it is gone."""
        self._choice.remove(peer, source)

    async def run(self) -> None:
        """Dial what is due until cancelled. May be run again after a fault."""
        events = self._network.events.subscribe(PeerConnected, PeerDisconnected)
        try:
            self._look_at_all()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._dial_when_due(tasks))
                async for event in events:
                    self._on_event(event)
                    if events.missed():
                        self._look_at_all()
        finally:
            events.close()

    def _look_at_all(self) -> None:
        """Bring the choice in line with what is, at the start and after events were lost."""
        for peer in self._network.peers():
            self._choice.connected(peer)
        for peer in self._choice.standing():
            if not self._network.is_connected(peer):
                self._choice.lost(peer, self._clock.now())
        self._changed.set()

    def _on_event(self, event: object) -> None:
        match event:
            case PeerConnected(peer):
                self._choice.connected(peer)
                self._on_met(peer)
            case PeerDisconnected(peer, _):
                self._choice.lost(peer, self._clock.now())
                self._on_doubt(peer)
                self._changed.set()
            case _:
                pass

    async def _dial_when_due(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._changed.clear()
            match self._choice.next(self._clock.now(), len(self._network.peers())):
                case Dial() as dial if self._is_spared(dial.target):
                    self._choice.spared(dial.target, self._clock.now())
                case Dial() as dial:
                    self.tried += 1
                    tasks.create_task(self._dial(dial))
                case Wait(until):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(until):
                            await self._changed.wait()

    def _is_spared(self, target: Target) -> bool:
        return not isinstance(target, Multiaddr) and self._is_held_offline(target)

    async def _dial(self, dial: Dial) -> None:
        target = dial.target
        try:
            if isinstance(target, Multiaddr):
                doubtful = target not in dial.first_hand
                socket = await self._network.connect_unproven(target, timeout_s=DIAL_S, hearsay=doubtful)
            else:
                # `choice` has back-offs of its own, which end when somebody is found again.
                socket = await self._network.connect(
                    target, dial.first_hand, timeout_s=DIAL_S, hearsay=dial.addresses, forced=True
                )
        except WarrenError as error:
            _log.debug("%s, who was found, is not reachable: %s", target, error)
            self._choice.missed(target, self._clock.now())
            if not isinstance(target, Multiaddr):
                self._on_doubt(target)
        else:
            self.met += 1
            self._choice.met(target, socket.peer_id)
        self._changed.set()

    def _may_note(self, source: str) -> bool:
        now = self._clock.now()
        purse = self._notes.setdefault(source, Purse(NOTES_BURST, NOTES_EVERY_S, now))
        if not purse.left(now):
            return False
        purse.pay(1)
        return True

    def _useful(self, found: Found) -> tuple[Multiaddr, ...]:
        own = set(self._where())
        nearest = NEAREST.get(found.source, Reach.LOOPBACK)
        if own and all(one.is_loopback for one in own):
            nearest = Reach.LOOPBACK
        bare = (one.without_peer() for one in found.addresses)
        return tuple(
            one
            for one in bare
            if self._network.can_dial(one) and one not in own and (one.ip is None or reach_of(one) >= nearest)
        )
