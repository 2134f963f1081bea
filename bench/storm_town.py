"""A town of simulated weak peers around a super-peer: they share, register, stay; and come back after a kill.

In:  how many, with or without ciphers, a seed. Out: whole nodes in virtual time, and counts of who is
registered, who is there, what is found, what it cost. Everything follows from the seed.

Each weak peer is told of the super-peer as a user would tell it (`discovery.bootstrap`) and registers with it
alone. The DHT, peer exchange and multicast are off: what is counted is the directory, and what keeps
connections. All nodes are whole, with their databases and files.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from warren import testing
from warren.network.config import FOR_MANY
from warren.protocols.directory.registration import Registration
from warren.services.directory.config import DirectoryConfig
from warren.services.discovery.config import DiscoveryConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.config import Config
    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.protocols.directory.messages import Answer
    from warren.services.directory.directory import Directory

FILES: Final = 3
"""That each weak peer shares, in one folder."""
ENTRIES: Final = FILES + 1
LATENCY_S: Final = 0.02
ARRIVALS_PER_S: Final = 50.0
LOOK_EVERY_S: Final = 0.25
WAIT_MAX_S: Final = 600.0
"""A town that is not registered by then will not be."""
_INDEX: Final = "/home/warren/directory.db"


@dataclass(frozen=True, slots=True)
class Storm:
    """What came of a restart. Virtual seconds from it until all were registered again; what was delivered in
    that time, at both ends; registrations by kind (`nothing new` is a lease alone).
    """

    took_s: float | None
    messages: int
    bytes: int
    registrations: Counter[str]
    refused: Counter[str]


class Town:
    """See the module. The super-peer is node 0, the weak peers are the others."""

    def __init__(
        self, peers: int, seed: object, *, encrypted: bool, limits: NetworkConfig = FOR_MANY
    ) -> None:
        """In a running virtual loop. limits: of the network of the super-peer."""
        loop = asyncio.get_running_loop()
        self.world = testing.World(seed, loop=loop)  # type: ignore[arg-type]
        self.world.network.set_default(testing.Quality(latency_s=LATENCY_S))
        self.peers = peers
        self._limits = limits
        self._base = replace(testing.QUIET, listen=("/ip4/0.0.0.0/tcp/4101",))
        self._encrypted = encrypted
        self.nodes = testing.Nodes(self.world, config=self._super_config(), encrypted=encrypted)
        self._weak = self.nodes
        self._chance = random.Random(f"{seed}/storm")
        self._registrations: Counter[str] = Counter()

    def _super_config(self) -> Config:
        role = DirectoryConfig(role="super")
        return replace(self._base, directory=role, network=self._limits)

    def _weak_config(self) -> Config:
        where = (str(self.nodes[0].addresses()[0]),)
        return replace(
            self._base,
            directory=DirectoryConfig(role="weak", super_peers=1),
            discovery=DiscoveryConfig(mdns=False, connections=1, bootstrap=where),
        )

    async def close(self) -> None:
        """Close all nodes, and the world."""
        await self._weak.close()
        await self.nodes.close()
        self.world.close()

    # --- coming ---------------------------------------------------------------------------------------------

    async def grow(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Let the super-peer start and the weak peers come; return when all are registered."""
        await self._start_super_peer()
        self._weak = testing.Nodes(self.world, config=self._weak_config(), encrypted=self._encrypted)
        for number in range(1, self.peers + 1):
            await self._arrive(number)
            if number % 1000 == 0:
                progress(f"{number:,} have come")
            await asyncio.sleep(1 / ARRIVALS_PER_S)
        await self._until_settled()

    async def _start_super_peer(self) -> None:
        node = await self.nodes.start(0)
        self._registrations = count_registrations(node.directory)

    async def _arrive(self, number: int) -> None:
        disk = self._weak.runtime(number).disk
        disk.make_dirs("/shared")
        for file in range(FILES):
            name = f"{word(number)} topic{self._chance.randrange(1000)} {file}.txt"
            disk.write_whole(f"/shared/{name}", f"{number} {file}".encode())
        node = await self._weak.start(number)
        await node.share("/shared", "public")

    # --- what is so -----------------------------------------------------------------------------------------

    @property
    def directory(self) -> Directory:
        """That of the super-peer."""
        return self.nodes[0].directory

    @property
    def connections(self) -> int:
        """Of the super-peer."""
        return len(self.nodes[0].network.sockets())

    @property
    def online(self) -> int:
        """Weak peers that are there, by their leases."""
        return sum(self.directory.super_peer.is_online(node.peer_id) for node in self._weak)

    @property
    def registered(self) -> int:
        """Weak peers that know themselves registered, all of whose entries the super-peer has."""
        index, me = self.directory.index, self.nodes[0].peer_id
        return sum(
            me in node.directory.registrar.registered() and index.size(node.peer_id) == ENTRIES
            for node in self._weak
        )

    @property
    def is_settled(self) -> bool:
        """Whether all are registered and there. To look at all costs as much as some of them cost."""
        all_came = len(self.directory.super_peer.leases) == self.peers
        return all_came and self.registered == self.online == self.peers

    async def found(self, samples: int) -> int:
        """How many of so many weak peers, drawn at random, another one finds with all they share, online."""
        found = 0
        for _ in range(samples):
            asker, number = self._chance.choice(self._weak), self._chance.randrange(1, self.peers + 1)
            async with asker.search(word(number), online=True) as search:
                hits = [hit async for hit in search]
            owners = {holder.peer for hit in hits for holder in hit.holders}
            found += len(hits) == FILES and owners == {self._weak[number - 1].peer_id}
        return found

    # --- the storm ------------------------------------------------------------------------------------------

    async def kill(self) -> None:
        """Kill the super-peer: nobody is told, and nothing more is committed."""
        await self.nodes.kill(0)

    async def come_back(self, *, index_is_lost: bool = False) -> Storm:
        """Start the super-peer again where it was, and wait until all are registered and there."""
        network, loop = self.world.network, asyncio.get_running_loop()
        if index_is_lost:
            self.nodes.runtime(0).disk.remove(_INDEX)
        began, messages, size = loop.time(), network.deliveries, network.delivered_bytes
        await self._start_super_peer()
        is_settled = await self._until_settled()
        return Storm(
            took_s=loop.time() - began if is_settled else None,
            messages=network.deliveries - messages,
            bytes=network.delivered_bytes - size,
            registrations=self._registrations,
            refused=Counter(self.nodes[0].network.counts().refused),
        )

    async def _until_settled(self) -> bool:
        until = asyncio.get_running_loop().time() + WAIT_MAX_S
        while not self.is_settled:
            if asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True


def word(number: int) -> str:
    """In the names of what a weak peer shares, and in no others."""
    return f"peer{number:06d}"


def count_registrations(directory: Directory) -> Counter[str]:
    """Count what is registered from now on, by what it is and what became of it."""
    super_peer, counted = directory.super_peer, Counter[str]()
    lease, register = super_peer.lease, super_peer.register

    def count_lease(peer: PeerId, *rest: object) -> Answer:
        answer = lease(peer, *rest)  # type: ignore[arg-type]
        counted[f"lease: {type(answer).__name__}"] += 1
        return answer

    async def count_registration(peer: PeerId, group: object, envelope: bytes, *rest: object) -> Answer:
        answer = await register(peer, group, envelope, *rest)  # type: ignore[arg-type]
        kind = "snapshot" if Registration.open(envelope, peer).snapshot else "delta"
        counted[f"{kind}: {type(answer).__name__}"] += 1
        return answer

    super_peer.lease, super_peer.register = count_lease, count_registration  # type: ignore[method-assign,assignment]
    return counted
