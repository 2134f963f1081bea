"""The DHT of a node: who is near a key, where a peer is, values that prove themselves, who provides what.

In:  keys, peer ids, values. Out: what the network knows of them. A key is what travels: the multihash of a
content id, the bytes of a peer id, or `/namespace/...`; its place in the DHT is its SHA2-256.

What a peer put is stored at the k nearest peers to its key that answered, and kept here as well. Values and
providers are looked up on disjoint paths, and past those who say that they know nothing, so that some liars
near a key hide nothing.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import ContentUnknown, WarrenError
from warren.network.events import PeerIdentified
from warren.protocols.kad.addresses import believable, is_public
from warren.protocols.kad.client import Client
from warren.protocols.kad.config import PUBLIC_PREFIX
from warren.protocols.kad.connections import Connections
from warren.protocols.kad.gathering import Best, Crowd, Provider
from warren.protocols.kad.keeping import Keeping
from warren.protocols.kad.keyspace import key_near
from warren.protocols.kad.maintenance import Check, LookUpSelf, Maintenance, Refresh, Wait
from warren.protocols.kad.messages import Kind, Message, PeerInfo
from warren.protocols.kad.queries import Queries
from warren.protocols.kad.records import Record
from warren.protocols.kad.routing_table import RoutingTable
from warren.protocols.kad.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.kad.config import KadConfig
    from warren.protocols.kad.records import Namespaces
    from warren.protocols.kad.store import Providers, Records

REFRESH_ENOUGH: Final = 3
"""A bucket is refreshed by asking the nearest three that are found: to meet some, not to find all."""
AGAIN_ENOUGH: Final = 3
"""So many of the nearest that are found tell whether there are others that were not known."""
_EXPIRE_EVERY_S: Final = 600.0
_SEED_BYTES: Final = 16
_log = logging.getLogger(__name__)


class FoundPeer(NamedTuple):
    """Where a peer is. hops: requests made one after the other to learn it; 0: it was known here.

    reached: whether a connection to it proves it; else it is the word of others.
    """

    peer: PeerId
    addresses: tuple[Multiaddr, ...]
    hops: int
    reached: bool


class Closest(NamedTuple):
    """The peers nearest to a key that answered, nearest first, and what it took to find them."""

    peers: tuple[PeerInfo, ...]
    hops: int
    requests: int
    failures: int


class PutReport(NamedTuple):
    """How many peers were asked to keep something, and how many do; this node itself not counted."""

    stored: int
    asked: int


@dataclass(frozen=True, slots=True)
class KadStats:
    """Counts since the start. Requests by kind: made, answered, failed; served: those of others."""

    sent: dict[str, int]
    answered: dict[str, int]
    failed: dict[str, int]
    served: dict[str, int]
    lookups: int
    peers: int
    """In the routing table."""
    connections: int
    """Open for look-ups."""


class Kad:
    """See the module's header. Works from the start; `run` keeps the routing table good."""

    def __init__(
        self,
        network: Network,
        config: KadConfig,
        records: Records,
        providers: Providers,
        namespaces: Namespaces,
        reachable: Callable[[], Sequence[Multiaddr]],
    ) -> None:
        """records, providers: what is kept here. reachable: where others may dial this node."""
        self.config = config
        self.namespaces = namespaces
        self._network = network
        self._reachable = reachable
        self._table = RoutingTable(network.peer_id, config.table)
        self._keeping = Keeping(records, providers, namespaces, network.runtime.clock)
        self._connections = Connections(network, config.connections_max, config.connection_idle_s)
        client = Client(network, self._connections, config.protocol)
        self._queries = Queries(network, config, client, self._table)
        self._server = Server(network, config, self._table, self._keeping, reachable)
        self._maintenance = Maintenance(self._table, config, network.runtime.entropy, network.clock())
        self._met = asyncio.Event()
        """The table is not empty any more."""
        network.events.on(PeerIdentified, self._on_identified)

    @property
    def mode(self) -> str:
        """`server` while this node answers others, else `client`."""
        return "server" if self._server.on else "client"

    @property
    def stats(self) -> KadStats:
        queries = self._queries
        sent, answered, failed, served = (
            {kind.name: counts[kind] for kind in Kind if counts[kind]}
            for counts in (queries.sent, queries.answered, queries.failed, self._server.answered)
        )
        peers, connections = len(self._table), len(self._connections)
        return KadStats(sent, answered, failed, served, queries.lookups, peers, connections)

    @property
    def table(self) -> RoutingTable:
        """Whom this node knows in the DHT."""
        return self._table

    # --- peers ----------------------------------------------------------------------------------------------

    async def closest(self, key: bytes) -> Closest:
        """The k peers nearest to `key` that answer; none where nobody is known."""
        return await self._closest(key, paths=1)

    async def find_peer(self, peer: PeerId) -> FoundPeer | None:
        """Where `peer` is; None when nobody knows. It is connected by then if that was possible."""
        if peer == self._network.peer_id:
            return FoundPeer(peer, tuple(self._reachable()), 0, reached=True)
        if self._network.is_connected(peer) or await self._reach_known(peer):
            return self._found(peer, 0)
        key = peer.to_bytes()
        lookup = self._queries.begin(key)
        told: list[Multiaddr] = []
        async with aclosing(self._queries.run(lookup, Message(Kind.FIND_NODE, key))) as answers:
            async for _, answer in answers:
                if answer is not None:
                    place = answer.socket.remote_addr
                    named = [info for info in answer.message.closer if info.peer == peer]
                    told += [a for info in named for a in believable(info.addresses, place) if a not in told]
                if self._network.is_connected(peer):
                    lookup.finish()
        hops = max(lookup.depth(peer) - 1, 0)
        if self._network.is_connected(peer) or (told and await self._reach_told(peer, told)):
            return self._found(peer, hops, told)
        return FoundPeer(peer, tuple(told), hops, reached=False) if told else None

    # --- values ---------------------------------------------------------------------------------------------

    async def put_value(self, key: bytes, value: bytes) -> PutReport:
        """Keep a value here, and at the peers nearest to its key.

        Raises `InvalidRecord` for one that does not prove itself, or where a better one is kept here.
        """
        record = self._keeping.keep_record(key, value)
        return await self._spread(Message(Kind.PUT_VALUE, key, Record(key, record.value)))

    async def get_value(self, key: bytes) -> bytes:
        """The best value under `key` of those that the nearest peers have. Who holds a worse one is sent it.

        Raises `ContentUnknown` when nobody has one that proves itself.
        """
        own = self._keeping.record(key)
        best = Best(self.namespaces, key, own.value if own is not None else None)
        lookup = self._queries.begin(key, paths=self.config.paths)
        async with aclosing(self._queries.run(lookup, Message(Kind.GET_VALUE, key))) as answers:
            async for peer, answer in answers:
                if answer is not None and answer.message.record is not None:
                    best.offer(answer.message.record, PeerInfo(peer))
        if best.value is None:
            raise ContentUnknown("nobody has a value under this key", hint="put it first, or check the key")
        await self._correct(best.value, best.behind, key)
        return best.value

    # --- providers ------------------------------------------------------------------------------------------

    async def provide(self, key: bytes) -> PutReport:
        """Say that this node provides `key`: here, and at the peers nearest to it."""
        addresses = tuple(self._reachable())
        self._keeping.keep_provider(key, self._network.peer_id, addresses)
        own = PeerInfo(self._network.peer_id, addresses)
        return await self._spread(Message(Kind.ADD_PROVIDER, key, providers=(own,)))

    def withdraw(self, key: bytes) -> None:
        """Do not say here any more that this node provides `key`. Others forget it when it has grown old."""
        self._keeping.drop_provider(key, self._network.peer_id)

    async def find_providers(self, key: bytes, count: int = 20) -> AsyncIterator[Provider]:
        """Who provides `key`, as they are found; `count` at most, each once. Those come last of whom nobody
        said where they are: they are looked up.
        """
        crowd = Crowd(count)
        lost: list[PeerId] = []
        for provider in crowd.take(self._keeping.providers(key)):
            if provider.addresses:
                yield provider
            else:
                lost.append(provider.peer)
        lookup = self._queries.begin(key, paths=self.config.paths)
        async with aclosing(self._queries.run(lookup, Message(Kind.GET_PROVIDERS, key))) as answers:
            async for _, answer in answers:
                if answer is None:
                    continue
                place = answer.socket.remote_addr
                told = answer.message.providers
                for provider in crowd.take([PeerInfo(p, believable(a, place)) for p, a in told]):
                    if provider.addresses:
                        yield provider
                    else:
                        lost.append(provider.peer)
                if crowd.full:
                    lookup.finish()
        for provider in crowd.rest():
            yield provider
        for peer in lost:
            found = await self.find_peer(peer)
            yield Provider(peer, found.addresses if found is not None else ())

    # --- keeping the table good -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the routing table good, and serve as the mode says, until cancelled."""
        expire_at = self._network.clock() + _EXPIRE_EVERY_S
        try:
            while True:
                self._server.switch(on=self._serves())
                now = self._network.clock()
                if now >= expire_at:
                    self._keeping.expire()
                    expire_at = now + _EXPIRE_EVERY_S
                await self._take(self._maintenance.next(now))
        finally:
            self._server.switch(on=False)
            self._connections.close()

    async def _take(self, step: LookUpSelf | Refresh | Check | Wait) -> None:
        match step:
            case LookUpSelf(again):
                await self._look_up_self(again=again)
            case Refresh(bucket):
                await self._refresh(bucket)
            case Check(info):
                await self._queries.ask(info, Message(Kind.PING))
            case Wait(until):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(until - self._network.clock(), 0.0)):
                        await self._met.wait()
                self._met.clear()

    async def _look_up_self(self, *, again: bool) -> None:
        enough, paths = (AGAIN_ENOUGH, 1) if again else (None, self.config.paths)
        found = await self._closest(self._network.peer_id.to_bytes(), enough=enough, paths=paths)
        nearest, now = [info.peer for info in found.peers], self._network.clock()
        if not again:
            self._table.looked_up_self(nearest, now)
        self._maintenance.found_self(nearest, now)

    async def _refresh(self, bucket: int) -> None:
        """Meet some whose place is in a bucket, until there are enough."""
        seed = self._network.random_bytes(_SEED_BYTES)
        key = key_near(self._table.own_position, bucket, seed)
        lookup = self._queries.begin(key, enough=REFRESH_ENOUGH)
        async with aclosing(self._queries.run(lookup, Message(Kind.FIND_NODE, key))) as answers:
            async for _ in answers:
                if self._table.is_lively(bucket, self._network.clock()):
                    lookup.finish()

    def _serves(self) -> bool:
        mode, addresses = self.config.mode, self._reachable()
        if mode != "auto":
            return mode == "server"
        public = self.config.protocol.startswith(PUBLIC_PREFIX)
        return is_public(addresses) if public else bool(addresses)

    def _on_identified(self, event: PeerIdentified) -> None:
        protocols = getattr(event.info, "protocols", ())
        if self.config.protocol in protocols:
            first = not len(self._table)
            self._queries.met(event.peer, event.socket, getattr(event.info, "listen_addrs", ()))
            if first:
                self._met.set()
        else:
            self._table.remove(event.peer)

    # --- inside ---------------------------------------------------------------------------------------------

    async def _closest(self, key: bytes, *, enough: int | None = None, paths: int = 1) -> Closest:
        lookup = self._queries.begin(key, enough=enough, paths=paths)
        async with aclosing(self._queries.run(lookup, Message(Kind.FIND_NODE, key))) as answers:
            async for _ in answers:
                pass
        return Closest(tuple(lookup.closest()), lookup.hops, lookup.requests, lookup.failures)

    async def _spread(self, message: Message) -> PutReport:
        nearest = (await self._closest(message.key, paths=self.config.paths)).peers
        return PutReport(await self._queries.ask_all(nearest, message), len(nearest))

    async def _correct(self, value: bytes, behind: Sequence[PeerInfo], key: bytes) -> None:
        if behind:
            await self._queries.ask_all(behind, Message(Kind.PUT_VALUE, key, Record(key, value)))

    async def _reach_known(self, peer: PeerId) -> bool:
        """Whether a peer of the table is where the table says."""
        entry = self._table.get(peer)
        if entry is not None:
            await self._queries.ask(entry.info, Message(Kind.PING))
        return self._network.is_connected(peer)

    async def _reach_told(self, peer: PeerId, told: Sequence[Multiaddr]) -> bool:
        """Whether a peer is where others say. One that is full turns somebody away and has room for the next,
        so it is dialled once more, even if that failed a moment ago.
        """
        with contextlib.suppress(WarrenError, TimeoutError):
            async with (
                asyncio.timeout(self.config.lookup.request_timeout_s),
                self._connections.socket(peer, told, forced=True),
            ):
                pass
        return self._network.is_connected(peer)

    def _found(self, peer: PeerId, hops: int, told: Sequence[Multiaddr] = ()) -> FoundPeer:
        """A peer that is connected; told: what others say of it, which comes last."""
        addresses = dict.fromkeys(self._network.addresses(peer))
        for socket in self._network.sockets(peer):
            place = socket.remote_addr
            if socket.outbound and place is not None:
                addresses = {place.without_peer(): None, **addresses}
            listens = getattr(socket.identity, "listen_addrs", ())
            addresses |= dict.fromkeys(believable([one.without_peer() for one in listens], place))
        addresses |= dict.fromkeys(told)
        return FoundPeer(peer, tuple(addresses), hops, reached=True)
