"""Whole simulated nodes on local links: they find each other, notice who goes, and liars cost them little."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from warren import testing
from warren.config import Config
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.node import Node
from warren.protocols.mdns.records import KIND, texts_of
from warren.runtime.seam import LocalService
from warren.runtime.simulated import World
from warren.runtime.simulated.transport import SimulatedTransport
from warren.services.discovery.config import DiscoveryConfig
from warren.services.discovery.model import PeerDiscovered, PeerVanished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

E = TypeVar("E")


async def until_connected(node: Node, others: list[Node]) -> None:
    while not all(node.network.is_connected(one.peer_id) for one in others):  # noqa: ASYNC110  virtual time
        await asyncio.sleep(0.01)


async def first(events: AsyncIterator[object], kind: type[E]) -> E:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError("the node ended")


def test_nodes_on_one_link_connect_within_two_seconds() -> None:
    async def main() -> None:
        async with testing.network(4, lan=True) as nodes:
            async with asyncio.timeout(2.0):
                for node in nodes:
                    await until_connected(node, [one for one in nodes if one is not node])

    testing.run(main())


def test_a_newcomer_is_found_by_who_is_there() -> None:
    async def main() -> None:
        async with testing.network(2, lan=True) as nodes:
            await asyncio.sleep(300.0)
            events = nodes[0].events()
            newcomer = await nodes.start(2)
            async with asyncio.timeout(2.0):
                found = await first(events, PeerDiscovered)
                assert (found.peer, found.source) == (newcomer.peer_id, "mdns")
                assert set(found.addresses) == {one.without_peer() for one in newcomer.addresses()}
                await until_connected(nodes[0], [newcomer])

    testing.run(main())


def test_nodes_on_different_links_do_not_hear_each_other() -> None:
    world = World(seed=2)

    async def main() -> None:
        here, there = (
            world.runtime(name, [ip]) for name, ip in (("here", "10.0.0.1"), ("there", "10.0.1.1"))
        )
        world.network.set_segment("one", ["here"])
        world.network.set_segment("other", ["there"])
        async with Node(runtime=here) as node, Node(runtime=there) as other:
            await asyncio.sleep(60.0)
            assert not node.network.is_connected(other.peer_id)
            world.network.set_segment("one", ["here", "there"])
            await until_connected(node, [other])

    with world:
        world.run(main())


@pytest.mark.parametrize("how", ["closed", "cut off"])
def test_who_goes_is_noticed(how: str) -> None:
    async def main() -> float:
        async with testing.network(3, lan=True) as nodes:
            await until_connected(nodes[0], nodes[1:])
            await asyncio.sleep(100.0)
            events = nodes[0].events()
            begun = asyncio.get_running_loop().time()
            if how == "closed":
                await nodes[2].close()
            else:
                nodes.partition([0, 1], [2])
            gone = await first(events, PeerVanished)
            took_s = asyncio.get_running_loop().time() - begun
            assert gone == PeerVanished(nodes[2].peer_id, "mdns")
            nodes.heal()
            return took_s

    assert testing.run(main()) < (4.0 if how == "closed" else 15.0)


def test_who_is_there_is_never_said_to_be_gone() -> None:
    async def main() -> None:
        async with testing.network(5, lan=True) as nodes:
            events = nodes[0].events()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(900.0):
                    await first(events, PeerVanished)

    testing.run(main())


def test_nodes_that_were_parted_find_each_other_again() -> None:
    async def main() -> None:
        async with testing.network(3, lan=True) as nodes:
            await until_connected(nodes[0], nodes[1:])
            nodes.partition([0], [1, 2])
            await asyncio.sleep(3600.0)
            nodes.heal()
            async with asyncio.timeout(120.0):
                await until_connected(nodes[0], nodes[1:])

    testing.run(main())


async def lie(world: World, addresses: list[str]) -> None:
    """Announce a peer that nobody is at each of the addresses."""
    links = await world.runtime("liar").multicast.join(["10.9.9.9"], lambda _: None)
    for number, address in enumerate(addresses):
        peer = PrivateKey.from_seed(number.to_bytes(32, "big")).peer_id
        texts = texts_of(peer, [Multiaddr.parse(address)])
        await links.announce(LocalService(KIND, f"liar-{number}", 1, texts, ("10.9.9.9",)))


@pytest.mark.parametrize(("hosts", "dials_max"), [(2000, 20), (1, 8)])
def test_a_liar_who_announces_thousands_causes_few_dials_and_hides_nobody(
    monkeypatch: pytest.MonkeyPatch, hosts: int, dials_max: int
) -> None:
    dialled: list[str] = []
    connect = SimulatedTransport.connect

    async def counted(self: SimulatedTransport, factory: Any, host: str, port: int, **more: Any) -> Any:
        if self._host.name == "node0":
            dialled.append(host)
        return await connect(self, factory, host, port, **more)

    async def main() -> None:
        async with testing.network(2, lan=True) as nodes:
            nodes.world.runtime("liar", ["10.9.9.9"])
            nodes.world.network.set_segment("lies", [nodes.host(0), nodes.host(1), "liar"])
            addresses = [
                f"/ip4/10.8.{number % hosts // 250}.{number % hosts % 250 + 1}/tcp/{1000 + number}"
                for number in range(400)
            ]
            await lie(nodes.world, addresses)
            await asyncio.sleep(60.0)
            assert nodes[0].network.is_connected(nodes[1].peer_id)
            assert nodes[0].discovery.status().found <= 300

    monkeypatch.setattr(SimulatedTransport, "connect", counted)
    testing.run(main())
    lies = [host for host in dialled if host.startswith("10.8.")]
    assert 1 <= len(lies) <= dials_max


def test_a_node_on_loopback_alone_says_nothing_on_any_link() -> None:
    world = World(seed=3)
    heard: list[object] = []

    async def main() -> None:
        runtime = world.runtime("quiet", ["10.0.0.1"])
        ear = world.runtime("ear", ["10.0.0.2"])
        world.network.set_segment("lan", ["quiet", "ear"])
        world.network.host("ear").ears.append(heard.append)
        async with Node(Config(listen=("/ip4/127.0.0.1/tcp/0",)), runtime=runtime) as node:
            await asyncio.sleep(60.0)
            status = {one.name: one for one in node.discovery.status().sources}["mdns"]
            assert (status.active, status.note) == (False, "listens on no local link")
        assert ear.name == "ear"

    with world:
        world.run(main())
    assert heard == []


def test_mdns_can_be_switched_off() -> None:
    world = World(seed=4)
    heard: list[object] = []

    async def main() -> None:
        runtime = world.runtime("quiet", ["10.0.0.1"])
        world.runtime("ear", ["10.0.0.2"])
        world.network.set_segment("lan", ["quiet", "ear"])
        world.network.host("ear").ears.append(heard.append)
        config = Config(home=Path("/home"), discovery=DiscoveryConfig(mdns=False))
        async with Node(config, runtime=runtime) as node:
            await asyncio.sleep(60.0)
            assert "mdns" not in [one.name for one in node.discovery.status().sources]

    with world:
        world.run(main())
    assert heard == []
