"""Nodes on simulated hosts, and the loop that runs them.

In:  how many nodes, how they are connected, a seed. Out: started nodes, each on a simulated host of its
own, and the world they live in, where a test can part, cut and slow them.

Refuses to run on a real event loop, where no time can be
skipped.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from warren.config import Config
from warren.core.errors import InputError, MisuseError
from warren.network.states import SocketState
from warren.node import Node
from warren.protocols.exchange.config import ExchangeConfig
from warren.protocols.kad.config import KadConfig
from warren.runtime.simulated import Quality, VirtualLoop, World, virtual_loop
from warren.services.directory.config import DirectoryConfig
from warren.services.discovery.config import DiscoveryConfig
from warren.services.peers.config import PeersConfig
from warren.testing.plaintext import plaintext_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable

    from warren.runtime.simulated import SimulatedRuntime

T = TypeVar("T")

# More than this many neighbours each only when asked for: a full mesh grows with the square.
DEGREE_DEFAULT = 8
LIMIT_S = 30 * 86_400.0
# Nodes that are not connected after this much virtual time will not be.
_CONNECT_LIMIT_S = 60.0
_HOME = Path("/home/warren")
_DOWNLOADS = Path("/downloads")
NO_DHT = KadConfig(mode="off")
# Nobody is dialled but whom the test says: the topology is what it asked for.
QUIET = Config(
    dht=NO_DHT,
    discovery=DiscoveryConfig(mdns=False, connections=0),
    exchange=ExchangeConfig(enabled=False),
    peers=PeersConfig(feeler_interval_s=0),
    directory=DirectoryConfig(role="weak"),
)


def run(main: Coroutine[Any, Any, T], *, limit_s: float = LIMIT_S) -> T:
    """Run `main` in virtual time and return its result, as `asyncio.run` does in real time.

    Raises what `main` raises; `Deadlock` when it waits for what cannot come; `SimulationError` after
    `limit_s` virtual seconds; `ExceptionGroup` of errors that nobody handled.
    """
    loop = virtual_loop()
    try:
        return loop.run_main(main, limit_s)
    finally:
        loop.close()


class Nodes(Sequence[Node]):
    """The nodes of `network`, in order; node number i lives on the host `host(i)` of `world`."""

    def __init__(
        self, world: World, *, config: Config | None = None, lan: bool = False, encrypted: bool = True
    ) -> None:
        """config: what all are told alike, without one as `network` says; home, name and download folder are
        each node's own. lan, encrypted: see `network`.
        """
        self.world = world
        self._config = config or QUIET
        self._stack = None if encrypted else plaintext_stack()
        self._lan = lan
        self._lan_hosts: dict[str, None] = {}
        self._nodes: list[Node] = []

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> list[Node]: ...
    def __getitem__(self, index: int | slice) -> Node | list[Node]:
        return self._nodes[index]

    def __len__(self) -> int:
        return len(self._nodes)

    def host(self, number: int) -> str:
        """Return the name of a node's host, for `world.network` and `world.runtime`."""
        return f"node{number}"

    async def start(self, number: int) -> Node:
        """Start a new node on host `number`, with the identity and the files that are there."""
        runtime = self.runtime(number)
        config = replace(self._config, home=_HOME, name=self.host(number), download_dir=_DOWNLOADS)
        node = Node(config, runtime=runtime, stack=self._stack)
        await node.start()
        self._nodes[number : number + 1] = [node]
        return node

    def runtime(self, number: int) -> SimulatedRuntime:
        """Return the host of a node, with its disk; it may be asked for before the node is started."""
        return self._on_lan(number) if self._lan else self._alone(number)

    def _alone(self, number: int) -> SimulatedRuntime:
        return self.world.runtime(self.host(number), ip=_addresses(number))

    def _on_lan(self, number: int) -> SimulatedRuntime:
        host = self.host(number)
        runtime = self.world.runtime(
            host, [f"10.0.{number // 250}.{number % 250 + 1}", f"fd00::{number + 1:x}"]
        )
        self._lan_hosts[host] = None
        self.world.network.set_segment("lan", self._lan_hosts)
        return runtime

    async def restart(self, number: int) -> Node:
        """Close a node and start it again; its neighbours have to connect again."""
        await self[number].close()
        return await self.start(number)

    async def kill(self, number: int) -> None:
        """End a node as kill -9 does: it says goodbye to nobody and commits nothing more. `start` starts it
        again with what it had committed.
        """
        self.world.crash(self.host(number))
        await self[number].close()

    def partition(self, *groups: Iterable[int]) -> None:
        """Let only nodes of one group reach each other; those in no group form one of their own."""
        self.world.network.partition([[self.host(number) for number in group] for group in groups])

    def heal(self) -> None:
        """End the partition."""
        self.world.network.heal()

    def cut(self, a: int, b: int) -> int:
        """Break the connections between two nodes at once; return how many there were."""
        return self.world.network.cut(self.host(a), self.host(b))

    async def close(self) -> None:
        """Close all nodes."""
        for node in self._nodes:
            await node.close()


@asynccontextmanager
async def network(
    n: int,
    *,
    degree: int | None = None,
    seed: object = 0,
    latency_s: float = 0.01,
    lan: bool = False,
    dht: KadConfig = NO_DHT,
    config: Config | None = None,
    encrypted: bool = True,
) -> AsyncIterator[Nodes]:
    """Start `n` nodes, connect each with `degree` others, and close them at the end.

    degree: neighbours of each node, arranged in a ring; by default all others, but no more than 8.
    seed: what keys, jitter and all other chance follow from. latency_s: from any node to any other, one way.
    lan: all are on one local link (`world.network.set_segment` says who is on which), where they find each
    other by themselves; then `degree` is 0 if it is not given.
    dht: the nodes' DHT; off by default, so that each is connected to its neighbours and nobody else.
    config: what all are told alike, in place of all this; home, name and download folder are each node's own.
    encrypted: False spares the ciphers, which cost the most where nodes are thousands; all else stays the
    same.
    Raises MisuseError on an event loop that is not virtual, InputError for a degree that cannot be.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise MisuseError(
            "simulated nodes need a virtual loop", hint="run the coroutine with warren.testing.run()"
        )
    if degree is None:
        degree = 0 if lan else min(n - 1, DEGREE_DEFAULT)
    edges = _ring(n, degree)
    world = World(seed, loop=loop)
    world.network.set_default(Quality(latency_s=latency_s))
    config = config or replace(
        QUIET,
        dht=dht,
        discovery=DiscoveryConfig() if lan else QUIET.discovery,
        directory=DirectoryConfig() if lan else QUIET.directory,
    )
    nodes = Nodes(world, config=config, lan=lan, encrypted=encrypted)
    async with AsyncExitStack() as stack:
        stack.callback(world.close)
        stack.push_async_callback(nodes.close)
        for number in range(n):
            await nodes.start(number)
        await _connect(nodes, edges, degree)
        yield nodes


def _addresses(number: int) -> list[str]:
    """Return the addresses of a host, in networks of its own: nodes mistrust many peers from one network."""
    ip4 = ipaddress.IPv4Address("20.0.0.1") + (number << 8)
    ip6 = ipaddress.IPv6Address("2a00::1") + (number << 80)
    return [str(ip4), str(ip6)]


def _ring(n: int, degree: int) -> list[tuple[int, int]]:
    """Return the edges of a ring in which each is connected to its nearest on both sides, `degree` in all."""
    if n < 1 or not 0 <= degree < n or (n * degree) % 2:
        raise InputError(f"{n} nodes cannot have {degree} neighbours each")
    edges = [(number, (number + step) % n) for step in range(1, degree // 2 + 1) for number in range(n)]
    if degree % 2:
        edges += [(number, number + n // 2) for number in range(n // 2)]
    return edges


async def _connect(nodes: Nodes, edges: list[tuple[int, int]], degree: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for one, other in edges:
            tasks.create_task(nodes[one].connect(nodes[other].addresses()[0]))
    async with asyncio.timeout(_CONNECT_LIMIT_S):
        while not all(_is_settled(node, degree) for node in nodes):  # noqa: ASYNC110 - no time that counts
            await asyncio.sleep(0.001)


def _is_settled(node: Node, degree: int) -> bool:
    sockets = node.network.sockets()
    return len(sockets) >= degree and all(socket.state is SocketState.OPEN for socket in sockets)
