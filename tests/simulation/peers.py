"""Nodes for scenarios about the health of peers: quick to measure and to probe, each on a host of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from warren.core.multiaddr import Multiaddr
from warren.node import Node
from warren.runtime.simulated import Quality, World
from warren.services.peers.config import PeersConfig
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from warren.config import Config
    from warren.core.peer_id import PeerId
    from warren.runtime.simulated.loop import VirtualLoop

QUICK = PeersConfig(latency_interval_s=10, feeler_interval_s=5)
PORT = 4101


class Stage:
    """Nodes by number on hosts node0, node1, ...; each has the address 100.N.0.1: a network of its own."""

    def __init__(self, world: World, config: PeersConfig, others: Config = QUIET) -> None:
        """others: what else the nodes are told. By default nothing but the health of peers dials anybody."""
        self.world = world
        self.config = replace(others, peers=config)
        self.nodes: dict[int, Node] = {}

    async def start(self, number: int) -> Node:
        runtime = self.world.runtime(f"node{number}", f"100.{number + 1}.0.1")
        config = replace(
            self.config, home=Path("/home/warren"), listen=(f"/ip4/0.0.0.0/tcp/{PORT}",), name="x"
        )
        node = Node(config, runtime=runtime)
        await node.start()
        self.nodes[number] = node
        return node

    async def stop(self, number: int) -> None:
        await self.nodes.pop(number).close()

    async def close(self) -> None:
        for node in self.nodes.values():
            await node.close()

    def address(self, number: int) -> Multiaddr:
        return Multiaddr.tcp(f"100.{number + 1}.0.1", PORT)

    async def tell(self, node: Node, *others: int) -> None:
        """The node hears of others, as a discovery would tell it."""
        for number in others:
            await node.peers.heard(self.nodes[number].peer_id, [self.address(number)], "test")

    async def connect(self, number: int, *others: int) -> None:
        for other in others:
            target = self.address(other).with_peer(self.nodes[other].peer_id)
            await self.nodes[number].connect(target)

    def cut_off(self, number: int) -> None:
        """Its network is gone: no packet passes."""
        self.world.network.partition([[f"node{number}"]])

    def heal(self) -> None:
        self.world.network.heal()


@asynccontextmanager
async def stage(
    n: int, config: PeersConfig = QUICK, *, latency_s: float = 0.02, others: Config = QUIET
) -> AsyncIterator[Stage]:
    loop: VirtualLoop = asyncio.get_running_loop()  # type: ignore[assignment]
    world = World("peers", loop=loop)
    world.network.set_default(Quality(latency_s=latency_s))
    made = Stage(world, config, others)
    async with AsyncExitStack() as stack:
        stack.callback(world.close)
        stack.push_async_callback(made.close)
        for number in range(n):
            await made.start(number)
        yield made


async def until(condition: Callable[[], Awaitable[object]], within_s: float) -> float:
    """Wait for something that shows in a table; the virtual seconds it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - no event tells of a table
            await asyncio.sleep(0.5)
    return loop.time() - began


async def state_of(node: Node, peer: PeerId) -> str | None:
    """What the table says; None where it does not hold the peer."""
    known = await node.peers.get(peer)
    return known.state if known is not None else None
