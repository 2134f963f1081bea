"""Knowing one peer is enough: in a line of five all come to know all, simulated and over real sockets."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulation.five_in_a_line import play, until_all_know_all
from tests.support import require, run
from warren.config import Config
from warren.core.multiaddr import Multiaddr
from warren.node import Node
from warren.protocols.exchange.config import ExchangeConfig
from warren.protocols.kad.config import KadConfig
from warren.runtime.simulated import Quality, World
from warren.services.discovery.config import DiscoveryConfig

if TYPE_CHECKING:
    from warren.runtime.seam import Runtime

COUNT = 5
# What was promised, in virtual time. Real time depends on the machine, and only has to end.
PROMISED_S = 10.0
REAL_LIMIT_S = 60.0
ALL_KNOW_ALL = [set(range(COUNT)) - {number} for number in range(COUNT)]
FAMILIES = {"ipv4": ("/ip4/0.0.0.0/tcp/4101", "192.0.2."), "ipv6": ("/ip6/::/tcp/4101", "2001:db8:")}


# Nobody dials for a discovery or a look-up: the line stays one, and only the exchange makes known.
KEPT_IN_LINE = DiscoveryConfig(mdns=False, connections=0)
NO_DHT = KadConfig(mode="off")


def config(listen: str, number: int, **more: Any) -> Config:
    settings = {"home": Path("/home/warren"), "discovery": KEPT_IN_LINE, "dht": NO_DHT, **more}
    return Config(name=f"node{number}", listen=(listen,), **settings)


async def line(configs: list[Config], runtimes: list[Runtime | None], limit_s: float) -> list[set[int]]:
    async with AsyncExitStack() as stack:
        nodes = []
        for one, runtime in zip(configs, runtimes, strict=True):
            nodes.append(await stack.enter_async_context(Node(one, runtime=runtime)))
        return await play(nodes, limit_s)


def simulated(family: str, *, seed: int = 0) -> tuple[list[set[int]], float, str]:
    """What came of it, how long it took, and the digest of all that was delivered."""
    listen, network = FAMILIES[family]
    hosts = [f"{network}{':' if ':' in network else ''}{number + 1}" for number in range(COUNT)]
    with World(seed) as world:
        world.network.set_default(Quality(latency_s=0.05))
        runtimes: list[Runtime | None] = [
            world.runtime(f"n{number}", host) for number, host in enumerate(hosts)
        ]
        configs = [config(listen, number) for number in range(COUNT)]
        known = world.run(line(configs, runtimes, PROMISED_S))
        return known, world.clock.now(), world.trace_digest()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_all_know_all_within_ten_seconds(family: str) -> None:
    known, took_s, digest = simulated(family)
    assert known == ALL_KNOW_ALL
    assert took_s <= PROMISED_S
    assert simulated(family)[2] == digest  # the same each time


@pytest.mark.parametrize("listen", ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"])
def test_real_sockets_come_to_the_same(listen: str, tmp_path: Path) -> None:
    require("127" in listen or _has_ipv6(), "IPv6 on loopback")
    configs = [config(listen, number, home=tmp_path / str(number)) for number in range(COUNT)]
    known = run(line(configs, [None] * COUNT, REAL_LIMIT_S), timeout_s=2 * REAL_LIMIT_S)
    assert known == ALL_KNOW_ALL == simulated("ipv4")[0]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_with_discovery_as_it_is_all_know_all_too(family: str) -> None:
    """Each node is started with the address of the one before it, and knows nothing else."""
    listen, network = FAMILIES[family]
    hosts = [f"{network}{':' if ':' in network else ''}{number + 1}" for number in range(COUNT)]

    async def main(world: World) -> list[set[int]]:
        async with AsyncExitStack() as stack:
            nodes = []
            for number, host in enumerate(hosts):
                before = (str(Multiaddr.tcp(hosts[number - 1], 4101)),) if number else ()
                discovery = DiscoveryConfig(bootstrap=before, mdns=False)
                found = config(listen, number, discovery=discovery, dht=KadConfig())
                node = Node(found, runtime=world.runtime(f"n{number}", host))
                nodes.append(await stack.enter_async_context(node))
            return await until_all_know_all(nodes, PROMISED_S)

    with World() as world:
        world.network.set_default(Quality(latency_s=0.05))
        assert world.run(main(world)) == ALL_KNOW_ALL


def test_without_exchange_only_neighbours_are_known() -> None:
    async def main(world: World) -> list[set[int]]:
        runtimes: list[Runtime | None] = [world.runtime(f"n{n}", f"192.0.2.{n + 1}") for n in range(3)]
        off = ExchangeConfig(enabled=False)
        configs = [config(FAMILIES["ipv4"][0], number, exchange=off) for number in range(3)]
        with pytest.raises(TimeoutError, match=r"\[\{1\}, \{0, 2\}, \{1\}\]"):
            await line(configs, runtimes, PROMISED_S)
        return []

    with World() as world:
        world.run(main(world))


def test_what_a_node_says_of_itself_is_known_at_the_end_of_the_line() -> None:
    async def main(world: World) -> None:
        async with AsyncExitStack() as stack:
            nodes = []
            for number in range(COUNT):
                runtime = world.runtime(f"n{number}", f"192.0.2.{number + 1}")
                node = Node(config(FAMILIES["ipv4"][0], number), runtime=runtime)
                nodes.append(await stack.enter_async_context(node))
            await play(nodes, PROMISED_S)
            first, last = nodes[0], nodes[-1]
            await first.peers.own.set("room", "B 12")
            await asyncio.sleep(PROMISED_S)
            seen = await last.peers.get(first.peer_id)
            assert seen is not None
            assert seen.metadata == {"room": "B 12"}
            assert not last.network.is_connected(first.peer_id)
            await last.connect(first.peer_id)  # its addresses came along

    with World() as world:
        world.run(main(world))


def _has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True
