"""Simulated nodes with roles in the directory, and what tests ask of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from warren.config import Config
from warren.runtime.simulated import Quality, World
from warren.services.directory.config import DirectoryConfig
from warren.testing.nodes import QUIET, Nodes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.node import Node
    from warren.runtime.simulated import VirtualLoop
    from warren.services.directory.directory import Directory
    from warren.services.directory.model import Hit
    from warren.services.presence.config import PresenceConfig


class Town:
    """Nodes by number; each is started with the role that `roles` says."""

    def __init__(
        self,
        world: World,
        roles: Sequence[str],
        config: Config,
        directory: DirectoryConfig,
        *,
        public: bool,
    ) -> None:
        self.world = world
        self.roles = list(roles)
        self.nodes = Nodes(world, config=config, lan=not public, encrypted=False)
        self._config = config
        self._directory = directory

    def __getitem__(self, number: int) -> Node:
        return self.nodes[number]

    def directory(self, number: int) -> Directory:
        return self.nodes[number].directory

    async def start(self, number: int) -> Node:
        """Start a node with its role, or start it again."""
        self.nodes._config = replace(
            self._config, directory=replace(self._directory, role=self.roles[number])
        )
        return await self.nodes.start(number)

    async def connect(self, *pairs: tuple[int, int]) -> None:
        """Connect nodes, and wait until both know what the other is."""
        for one, other in pairs:
            await self[one].connect(self[other].addresses()[0])
            await until(lambda one=one, other=other: self._know(one, other))  # type: ignore[misc]

    def _know(self, one: int, other: int) -> bool:
        a, b = self.directory(one).neighbours, self.directory(other).neighbours
        return a.get(self[other].peer_id) is not None and b.get(self[one].peer_id) is not None

    def kill(self, number: int) -> None:
        """As kill -9 does: connections break, nothing is said, nobody can connect any more."""
        rest = [other for other in range(len(self.nodes)) if other != number]
        self.nodes.partition([number], rest)
        for other in rest:
            self.nodes.cut(number, other)

    async def share(self, number: int, name: str, audience: str = "public") -> None:
        """Share a file of that name."""
        disk = self.world.runtime(self.nodes.host(number)).disk
        disk.make_dirs("/shared")
        disk.write_whole(f"/shared/{name}", f"{name} of {number}".encode())
        await self[number].share(f"/shared/{name}", audience)

    def supers(self) -> list[int]:
        return [number for number in range(len(self.nodes)) if self.directory(number).is_super]

    async def registered(self, number: int, *super_peers: int) -> None:
        """Wait until these super-peers have been told all there is that they may see."""
        directory = self.directory(number)
        for one in super_peers:
            peer = self[one].peer_id
            await until(lambda peer=peer: self._is_told(directory, peer))  # type: ignore[misc]

    def _is_told(self, directory: Directory, super_peer: PeerId) -> bool:
        session = directory.registrar._sessions.get(super_peer)
        return session is not None and session.is_registered and not session._has_news()


@asynccontextmanager
async def town(
    *roles: str,
    lan: bool = False,
    public: bool = False,
    seed: object = 0,
    directory: DirectoryConfig | None = None,
    others: Config = QUIET,
    presence: PresenceConfig | None = None,
) -> AsyncIterator[Town]:
    """Start a node of each role. lan: they find each other; else they are connected by `connect` alone.
    public: their addresses are such as anybody can reach, each in a network of its own. others: what else
    they are told.
    """
    loop: VirtualLoop = asyncio.get_running_loop()  # type: ignore[assignment]
    world = World(seed, loop=loop)
    world.network.set_default(Quality(latency_s=0.001))
    discovery = Config().discovery if lan else others.discovery
    config = replace(others, discovery=discovery, presence=presence or others.presence)
    place = Town(world, roles, config, directory or DirectoryConfig(), public=public)
    try:
        for number in range(len(roles)):
            await place.start(number)
        yield place
    finally:
        await place.nodes.close()
        world.close()


async def found(node: Node, words: str, **filters: bool) -> list[Hit]:
    """What a search finds in the end, by number. It must end by itself, and nobody may fail."""
    async with node.search(words, **filters) as search:  # type: ignore[arg-type]
        hits = {hit.number: hit async for hit in search}
    assert search.progress.in_time
    assert not search.errors
    return list(hits.values())


async def names(node: Node, words: str, **filters: bool) -> list[str]:
    """The names of what a search finds, in order."""
    return sorted(hit.name for hit in await found(node, words, **filters))


async def until(true: Callable[[], object], limit_s: float = 60.0) -> float:
    """Wait in virtual time; return how long."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(limit_s):
        while not true():  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.01)
    return loop.time() - began
