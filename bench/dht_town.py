"""A town of simulated nodes with a DHT: they come, live, lie, leave; and who looks for whom finds what.

In:  how many nodes, what their network and their DHT are told, a seed. Out: nodes in virtual time; counts of
what look-ups found and what they cost. Everything follows from the seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
import random
import statistics
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING

from warren import testing
from warren.core import envelope, keys, multiaddr, reach
from warren.core.errors import WarrenError
from warren.network.config import NetworkConfig
from warren.protocols.kad import addresses, messages
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.keyspace import position
from warren.protocols.kad.messages import CLOSER_MAX, Kind, Message, PeerInfo
from warren.protocols.kad.server import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from warren.config import Config
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.protocols.kad.kad import Kad

CONNECTIONS_MAX = 32
INBOUND_MAX = 14
LOOKUP_CONNECTIONS_MAX = 8
BOOTSTRAPS = 8
JOIN_TRIES = 20
JOIN_WAIT_S = 2.0
TURN_S = 0.001
KEY_TRIES = 10_000
LATENCY_S = 0.02
QUIET_AFTER_S = 30.0
"""Connections of a look-up are closed by then."""
SETTLED_AGE_S = 300.0
"""Whom a look-up may be expected to find: who has been there for five minutes."""
_SHA2_256 = b"\x12\x20"


_MEMORIES = (
    (envelope, "_open_and_remember"),
    (keys, "_load"),
    (multiaddr, "_split"),
    (multiaddr, "_ip_of"),
    (multiaddr, "_is_private"),
    (reach, "_reach"),
    (addresses, "_subnet"),
    (messages, "_peer"),
    (messages, "_address"),
)
"""Where a process remembers what it has checked of others: so much is enough for the peers of one node."""


def remember(per_node: int, nodes: int) -> None:
    """Let this process remember as much as the processes of so many nodes would."""
    for module, name in _MEMORIES:
        checked = getattr(module, name).__wrapped__
        setattr(module, name, lru_cache(maxsize=per_node * nodes)(checked))


def town_config() -> Config:
    """One address a node; so many connections for those who dial it, and the rest for whom it dials.

    They learn of each other through the DHT alone. It has room to begin connections while others, which
    rested, are closed for them.
    """
    network = NetworkConfig(inbound_max=INBOUND_MAX, outbound_max=CONNECTIONS_MAX - INBOUND_MAX)
    dht = KadConfig(connections_max=LOOKUP_CONNECTIONS_MAX)
    return replace(testing.QUIET, listen=("/ip4/0.0.0.0/tcp/4101",), network=network, dht=dht)


class Resident:
    """A node with its DHT."""

    def __init__(self, number: int, node: Node, kad: Kad, came_at: float, *, lies: bool) -> None:
        self.number = number
        self.node = node
        self.kad = kad
        self.came_at = came_at
        self.lies = lies
        self.place = position(node.peer_id.to_bytes())


@dataclass
class Tally:
    """What look-ups came to."""

    tried: int = 0
    found: int = 0
    hops: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    @property
    def success(self) -> float:
        """The part of them that found what they looked for."""
        return self.found / self.tried if self.tried else math.nan

    def summary(self) -> dict[str, float]:
        """The figures of a row."""
        return {
            "tried": self.tried,
            "success": round(self.success, 4),
            "hops_median": quantile(self.hops, 0.5),
            "hops_p99": quantile(self.hops, 0.99),
            "requests_mean": round(statistics.fmean(self.requests), 1) if self.requests else math.nan,
            "took_s_median": round(quantile(self.took_s, 0.5), 3),
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call adds to the traffic of the whole town: messages as they are delivered, those of new
    connections included, and their bytes.
    """

    messages: float
    bytes: float

    def summary(self, name: str) -> dict[str, float]:
        """The figures of a row."""
        return {f"{name}_messages": round(self.messages, 1), f"{name}_kb": round(self.bytes / 1000, 1)}


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies; not a number where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else math.nan


class Town:
    """See the module. nodes: of a world that is made already. liars: the part of newcomers that lie."""

    def __init__(self, nodes: testing.Nodes, seed: object, *, liars: float = 0.0) -> None:
        self.nodes = nodes
        self.residents: dict[int, Resident] = {}
        self.connections_most = 0
        self.left = 0
        self._liars = liars
        self._chance = random.Random(f"{seed}/town")
        self._numbers = count()

    # --- coming and going ---------------------------------------------------------------------------------

    async def grow(self, wanted: int, per_s: float, progress: Callable[[str], None] = lambda _: None) -> None:
        """Let nodes come at this pace until there are so many; return when the last has asked its way."""
        async with asyncio.TaskGroup() as tasks:
            while len(self.residents) < wanted:
                tasks.create_task(self._join(await self._arrive()))
                if len(self.residents) % 1000 == 0:
                    progress(f"{len(self.residents):,} have come")
                await asyncio.sleep(1 / per_s)

    async def churn(self, median_session_s: float) -> None:
        """Let sessions end at random, for ever: whoever goes is gone for good, and a stranger comes instead.

        Half say goodbye, of the others nothing is heard any more. The bootstrap nodes stay.
        """
        rate = (len(self.residents) - BOOTSTRAPS) * math.log(2) / median_session_s
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(self._chance.expovariate(rate))
                tasks.create_task(self._replace())

    async def _arrive(self) -> Resident:
        number = next(self._numbers)
        node = await self.nodes.start(number)
        # That everybody announces itself under one name is not what is measured, and would cost half as
        # much as all the rest of coming.
        await asyncio.sleep(TURN_S)
        await node.discovery.withdraw(node.config.discovery.namespace)
        lies = number >= BOOTSTRAPS and self._chance.random() < self._liars
        if lies:
            LyingServer.take_over(node.dht.kad, self._liar_infos)
        resident = Resident(number, node, node.dht.kad, self._now(), lies=lies)
        self.residents[number] = resident
        return resident

    async def _join(self, resident: Resident) -> None:
        """Ask bootstrap nodes until one has room: they are few, and their connections, too."""
        others = [n for n in range(BOOTSTRAPS) if n in self.residents and n != resident.number]
        for _ in range(JOIN_TRIES if others else 0):
            host = self.residents[self._chance.choice(others)].node
            with contextlib.suppress(WarrenError):
                await resident.node.connect(host.addresses()[0])
            await asyncio.sleep(JOIN_WAIT_S)
            if resident.kad.stats.peers:
                return

    async def _replace(self) -> None:
        leaver = self._chance.choice([r for r in self.residents.values() if r.number >= BOOTSTRAPS])
        del self.residents[leaver.number]
        self.left += 1
        if self._chance.random() < 0.5:
            self.nodes.world.network.switch_off(self.nodes.host(leaver.number))
        await leaver.node.close()
        await self._join(await self._arrive())

    # --- looking ------------------------------------------------------------------------------------------

    async def look_for_peers(self, lookups: int, over_s: float) -> Tally:
        """Let honest nodes look for others that have been there for long, spread over this time."""
        tally = Tally()

        async def one() -> None:
            await asyncio.sleep(self._chance.uniform(0, over_s))
            settled = self._settled()
            asker, wanted = self._chance.sample(settled, 2)
            if not asker.node.network.is_connected(wanted.node.peer_id):
                await self._look(asker, wanted, tally)

        await self._all_of(one, lookups)
        return tally

    async def _look(self, asker: Resident, wanted: Resident, tally: Tally) -> None:
        peer, before = wanted.node.peer_id, asker.kad.stats.sent.get(Kind.FIND_NODE.name, 0)
        began = self._now()
        found = await asker.kad.find_peer(peer)
        if asker.number not in self.residents or wanted.number not in self.residents:
            return  # it left while it was looked for
        tally.tried += 1
        tally.took_s.append(self._now() - began)
        tally.requests.append(asker.kad.stats.sent.get(Kind.FIND_NODE.name, 0) - before)
        if found is not None and found.reached:
            tally.found += 1
            tally.hops.append(found.hops)

    async def look_for_providers(self, keys: int, near_liars: int, over_s: float) -> Tally:
        """Let honest nodes provide keys, and others look them up. near_liars: of the 20 ids nearest to each
        key so many at least are liars'.
        """
        tally = Tally()

        async def one() -> None:
            await asyncio.sleep(self._chance.uniform(0, over_s))
            provider, asker = self._chance.sample(self._settled(), 2)
            key = self._key(near_liars)
            await provider.kad.provide(key)
            await asyncio.sleep(1)
            before = asker.kad.stats.sent.get(Kind.GET_PROVIDERS.name, 0)
            began = self._now()
            found = False
            async for one in asker.kad.find_providers(key, count=1):
                found = found or one.peer == provider.node.peer_id
            tally.tried += 1
            tally.found += found
            tally.took_s.append(self._now() - began)
            tally.requests.append(asker.kad.stats.sent.get(Kind.GET_PROVIDERS.name, 0) - before)

        await self._all_of(one, keys)
        return tally

    async def costs_of_providers(self, keys: int, over_s: float) -> tuple[Cost, Cost]:
        """What it costs to say that one provides a key, and to look for all who do."""
        pairs = []
        for _ in range(keys):
            provider, asker = self._chance.sample(self._settled(), 2)
            pairs.append((provider, asker, self._key(0)))
        waiting = [iter(pairs), iter(pairs)]

        async def provide() -> None:
            provider, _, key = next(waiting[0])
            await provider.kad.provide(key)

        async def find() -> None:
            _, asker, key = next(waiting[1])
            async for _provider in asker.kad.find_providers(key):
                pass

        quiet = await self._cost(None, 1, over_s, Cost(0, 0))
        per_s = Cost(quiet.messages / over_s, quiet.bytes / over_s)
        return await self._cost(provide, keys, over_s, per_s), await self._cost(find, keys, over_s, per_s)

    async def _cost(
        self, one: Callable[[], Awaitable[None]] | None, times: int, over_s: float, per_s: Cost
    ) -> Cost:
        """Of each of so many, spread over a time until all is quiet again. per_s: what there is anyhow."""
        before, began = self._traffic(), self._now()

        async def later() -> None:
            await asyncio.sleep(self._chance.uniform(0, over_s - QUIET_AFTER_S))
            if one is not None:
                await one()

        await self._all_of(later, times)
        await asyncio.sleep(max(began + over_s - self._now(), 0.0))
        after, took_s = self._traffic(), self._now() - began
        messages, sent = (
            (end - begin - rate * took_s) / times
            for begin, end, rate in zip(before, after, (per_s.messages, per_s.bytes), strict=True)
        )
        return Cost(messages, sent)

    def _traffic(self) -> tuple[int, int]:
        sent = sum(one.node.network.counts().bytes_out for one in self.residents.values())
        return self.nodes.world.deliveries, sent

    async def watch_connections(self, every_s: float = 10.0) -> None:
        """Note the most connections that any node has, for ever."""
        while True:
            most = max((len(r.node.network.sockets()) for r in self.residents.values()), default=0)
            self.connections_most = max(self.connections_most, most)
            await asyncio.sleep(every_s)

    # --- inside -------------------------------------------------------------------------------------------

    async def _all_of(self, one: Callable[[], object], times: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(times):
                tasks.create_task(one())  # type: ignore[arg-type]

    def _settled(self) -> list[Resident]:
        now = self._now()
        return [r for r in self.residents.values() if not r.lies and now - r.came_at >= SETTLED_AGE_S]

    def _key(self, near_liars: int) -> bytes:
        for _ in range(KEY_TRIES):
            key = _SHA2_256 + self._chance.randbytes(32)
            place = position(key)
            nearest = heapq.nsmallest(CLOSER_MAX, self.residents.values(), key=lambda r: r.place ^ place)
            if sum(resident.lies for resident in nearest) >= near_liars:
                return key
        raise LookupError(f"no key found with {near_liars} liars among the {CLOSER_MAX} nearest to it")

    def _liar_infos(self) -> Iterable[tuple[int, PeerInfo]]:
        for resident in self.residents.values():
            if resident.lies:
                yield resident.place, PeerInfo(resident.node.peer_id, tuple(_reachable(resident.node)))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _reachable(node: Node) -> list[Multiaddr]:
    return [address.without_peer() for address in node.addresses()]


class LyingServer(Server):
    """Knows liars only, and forgets what it is given."""

    __slots__ = ("liars",)

    liars: Callable[[], Iterable[tuple[int, PeerInfo]]]

    @classmethod
    def take_over(cls, kad: Kad, liars: Callable[[], Iterable[tuple[int, PeerInfo]]]) -> None:
        """Let it answer instead of the honest server of `kad`, which makes itself known like any other."""
        honest = kad._server
        server = cls(kad._network, kad.config, kad.table, kad._keeping, kad._reachable)
        server.liars = liars
        honest.switch(on=False)
        server.switch(on=True)
        kad._server = server

    def answer(self, peer: PeerId, place: Multiaddr | None, request: Message) -> Message | None:
        """Name the liars nearest to the key; take what is put, and say that there is nothing."""
        match request.kind:
            case Kind.ADD_PROVIDER:
                return None
            case Kind.PUT_VALUE | Kind.PING:
                return super().answer(peer, place, request)
        at = position(request.key)
        nearest = sorted((near ^ at, info) for near, info in self.liars() if info.peer != peer)
        return Message(request.kind, request.key, closer=[info for _, info in nearest[:CLOSER_MAX]])
