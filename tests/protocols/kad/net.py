"""Networks of simulated nodes with a DHT and nothing else, each on a host and in a subnet of its own.

async def main(nodes: Sequence[KadNode]) -> None: ...
run_net(20, main)
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.identify import Identify
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.kad import Kad
from warren.protocols.kad.lookup import LookupConfig
from warren.protocols.kad.messages import PeerInfo
from warren.protocols.kad.namespaces import namespaces_of
from warren.protocols.kad.routing_table import TableConfig
from warren.protocols.kad.signed import SignedRecord
from warren.protocols.kad.store import Providers, Records
from warren.runtime.simulated import Quality, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.protocols.kad.messages import Kind, Message

PORT = 4101
SMALL = KadConfig(table=TableConfig(bucket_peers_max=8), lookup=LookupConfig(k=8, alpha=4))
"""For networks that shall be large for their tables, with few nodes."""
SETTLE_S = 60.0
"""After so long everybody has looked itself up as often as it will for now."""
_LATENCY_S = 0.02


class KadNode:
    """One node. `run_net` starts and stops it."""

    def __init__(self, world: World, number: int, config: KadConfig, network: NetworkConfig | None = None):
        self.number = number
        self.name = f"host{number}"
        self.host = f"60.{number >> 8 & 255}.{number & 255}.1"
        self.key = PrivateKey.from_seed(number.to_bytes(32))
        self.network = Network(world.runtime(self.name, self.host), self.key, network)
        self.advertised = [Multiaddr.tcp(self.host, PORT)]
        self.identify = Identify(self.network, "warren/test", lambda: self.advertised)
        self.network.router.on_changed = self.identify.push
        self.records, self.providers = Records(config.store), Providers(config.store)
        wall = world.clock.wall
        self.kad = Kad(
            self.network,
            config,
            self.records,
            self.providers,
            namespaces_of(config.protocol, wall),
            lambda: self.advertised,
        )
        self._running: asyncio.Task[None] | None = None

    @property
    def peer(self) -> PeerId:
        return self.network.peer_id

    @property
    def info(self) -> PeerInfo:
        return PeerInfo(self.peer, tuple(self.advertised))

    async def start(self) -> None:
        await self.network.listen([Multiaddr.tcp("0.0.0.0", PORT)])
        self._running = asyncio.create_task(self.kad.run())

    async def meet(self, other: KadNode) -> None:
        """Connect, and stay connected."""
        socket = await self.network.connect(other.peer, other.advertised)
        await socket.wait_open()

    async def stop(self) -> None:
        """Leave, as a process that ends does."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self.network.stop()

    def signed(self, name: bytes, sequence: int, value: bytes) -> tuple[bytes, bytes]:
        """A key of ours, and a value that proves itself under it."""
        record = SignedRecord(self.peer, name, sequence, value)
        return record.key, record.seal(self.key)


def run_net(
    count: int,
    main: Callable[[Sequence[KadNode]], Awaitable[None]],
    *,
    config: KadConfig | Callable[[int], KadConfig] | None = None,
    network: NetworkConfig | None = None,
    before: Callable[[Sequence[KadNode]], None] = lambda _: None,
    seed: object = 0,
    settle_s: float = SETTLE_S,
) -> World:
    """Start nodes that meet up to three of those before them, let them settle, and run `main` with them.

    config: for all, or for each by its number. before: what to do to the nodes before they start.
    """
    config_of = config if callable(config) else lambda _: config or KadConfig()
    with World(seed) as world:
        world.network.set_default(Quality(latency_s=_LATENCY_S))

        async def run() -> None:
            nodes = [KadNode(world, number, config_of(number), network) for number in range(1, count + 1)]
            before(nodes)
            async with AsyncExitStack() as stack:
                for at, node in enumerate(nodes):
                    stack.push_async_callback(node.stop)
                    await node.start()
                    # Chance of the world, so that the same seed makes the same network.
                    below = node.network.runtime.entropy.below
                    for other in sorted({below(at) for _ in range(3)} if at else ()):
                        await node.meet(nodes[other])
                await asyncio.sleep(settle_s)
                await main(nodes)

        world.run(run())
        return world


def corrupt(node: KadNode, lies: Mapping[Kind, Callable[[Message], Message | None]]) -> None:
    """Let a node answer requests of these kinds as it is told here."""
    server = node.kad._server
    honest = server.answer

    def answer(peer: PeerId, place: Multiaddr | None, request: Message) -> Message | None:
        lie = lies.get(request.kind)
        return lie(request) if lie is not None else honest(peer, place, request)

    server.__class__ = type("Liar", (type(server),), {"__slots__": (), "answer": staticmethod(answer)})
