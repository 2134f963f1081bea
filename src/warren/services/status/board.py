"""`StatusBoard`: how this node is doing, gathered from its parts; and how other peers say they are.

In:  the parts that know. Out: a `Snapshot` for whoever operates the node; for peers what each may know of it:
strangers see the agent, the roles and how full the node is, contacts see how much it does. Neither holds
anything of another peer: no ids, no addresses, no names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from warren.protocols.status.facts import Details, Facts, coarse_percent
from warren.protocols.status.protocol import StatusProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.counts import Counts
    from warren.network.network import Network
    from warren.protocols.status.protocol import PeerStatus, Responses


class DhtFacts(Protocol):
    """How the DHT is doing."""

    @property
    def mode(self) -> str: ...

    @property
    def peers(self) -> int: ...

    @property
    def records(self) -> int: ...

    @property
    def providers(self) -> int: ...


class DiscoveryFacts(Protocol):
    """How discovery is doing."""

    @property
    def found(self) -> int: ...

    @property
    def tried(self) -> int: ...

    @property
    def met(self) -> int: ...


class PresenceFacts(Protocol):
    """Who is online here, where this node is a super-peer."""

    @property
    def online(self) -> int: ...

    @property
    def held_offline(self) -> int: ...

    @property
    def votes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Who knows what. known: how many peers the table holds. started_at: monotonic seconds."""

    agent: str
    started_at: float
    addresses: Callable[[], Sequence[Multiaddr]]
    roles: Callable[[], tuple[str, ...]]
    is_contact: Callable[[PeerId], bool]
    known: Callable[[], Awaitable[int]]
    dht: Callable[[], DhtFacts]
    discovery: Callable[[], DiscoveryFacts]
    presence: Callable[[], PresenceFacts]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The node at one moment. addresses: where others may dial it. listening: whether they can at all."""

    peer_id: PeerId
    agent: str
    uptime_s: float
    addresses: tuple[Multiaddr, ...]
    roles: tuple[str, ...]
    listening: bool
    counts: Counts
    peers_known: int
    dht: DhtFacts
    discovery: DiscoveryFacts
    presence: PresenceFacts


class StatusBoard:
    """Of one node; answers peers from now on."""

    __slots__ = ("_network", "_protocol", "_sources")

    def __init__(self, network: Network, sources: Sources, responses: Responses) -> None:
        self._network = network
        self._sources = sources
        self._protocol = StatusProtocol(network, self.facts_for, responses)

    async def snapshot(self) -> Snapshot:
        """All there is to know now. Raises StorageError."""
        sources, network = self._sources, self._network
        return Snapshot(
            peer_id=network.peer_id,
            agent=sources.agent,
            uptime_s=network.clock() - sources.started_at,
            addresses=tuple(address.with_peer(network.peer_id) for address in sources.addresses()),
            roles=sources.roles(),
            listening=self.listening,
            counts=network.counts(),
            peers_known=await sources.known(),
            dht=sources.dht(),
            discovery=sources.discovery(),
            presence=sources.presence(),
        )

    @property
    def listening(self) -> bool:
        """Whether peers can connect to this node."""
        return bool(self._network.listen_addrs)

    async def ask(self, peer: PeerId) -> PeerStatus:
        """How a peer says that it is doing, and how long it took to say so. Raises what `StatusProtocol.ask`
        raises.
        """
        return await self._protocol.ask(peer)

    async def facts_for(self, peer: PeerId) -> Facts:
        """What `peer` may know of this node."""
        sources = self._sources
        return Facts(
            agent=sources.agent,
            roles=sources.roles(),
            load_percent=coarse_percent(self._network.load),
            details=await self._details() if sources.is_contact(peer) else None,
        )

    async def _details(self) -> Details:
        now = await self.snapshot()
        return Details(
            uptime_s=int(now.uptime_s),
            peers_connected=now.counts.peers,
            peers_known=now.peers_known,
            inbound=now.counts.inbound,
            outbound=now.counts.outbound,
            streams=now.counts.streams,
            bytes_in=now.counts.bytes_in,
            bytes_out=now.counts.bytes_out,
            dht_mode=now.dht.mode,
            dht_peers=now.dht.peers,
        )
