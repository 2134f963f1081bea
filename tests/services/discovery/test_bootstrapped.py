"""Whole simulated nodes that begin with what somebody wrote down: a list, a DNS name, a headless Service."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from warren.config import Config
from warren.core.errors import WarrenError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.node import Node
from warren.runtime.simulated import World
from warren.services.discovery.config import DiscoveryConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PORT = 4101
LISTEN = (f"/ip4/0.0.0.0/tcp/{PORT}",)


def node(world: World, number: int, **discovery: object) -> Node:
    runtime = world.runtime(f"pod-{number}", [f"10.0.0.{number}"])
    config = DiscoveryConfig(mdns=False, **discovery)  # type: ignore[arg-type]
    return Node(Config(listen=LISTEN, discovery=config), runtime=runtime)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60.0):
        while not condition():  # noqa: ASYNC110  virtual time
            await asyncio.sleep(0.05)


def knows(one: Node, others: Sequence[Node]) -> bool:
    return all(one.network.sockets(other.peer_id) for other in others if other is not one)


@pytest.mark.parametrize(
    "how", ["address and id", "address alone", "name and id", "dnsaddr", "dnsaddr by name"]
)
def test_a_node_finds_the_one_that_it_was_told_of(how: str) -> None:
    world = World(seed=how)

    async def main() -> None:
        async with node(world, 1) as first:
            address = f"/ip4/10.0.0.1/tcp/{PORT}"
            world.network.names["first.org"] = ["10.0.0.1"]
            world.network.texts["_dnsaddr.list.org"] = [f"dnsaddr={address}/p2p/{first.peer_id}".encode()]
            choices: dict[str, dict[str, tuple[str, ...]]] = {
                "address and id": {"bootstrap": (f"{address}/p2p/{first.peer_id}",)},
                "address alone": {"bootstrap": (address,)},
                "name and id": {"bootstrap": (f"/dns4/first.org/tcp/{PORT}/p2p/{first.peer_id}",)},
                "dnsaddr": {"bootstrap": ("/dnsaddr/list.org",)},
                "dnsaddr by name": {"dns": ("list.org",)},
            }
            async with node(world, 2, **choices[how]) as second:
                async with asyncio.timeout(5.0):
                    await until(lambda: second.network.sockets(first.peer_id))
                [socket] = second.network.sockets(first.peer_id)
                assert socket.proven is (how != "address alone")

    with world:
        world.run(main())


def test_a_key_met_at_an_address_without_an_id_never_stands_in_for_a_named_peer() -> None:
    world = World(seed=1)

    async def main() -> None:
        async with (
            node(world, 1) as first,
            node(world, 2, bootstrap=(f"/ip4/10.0.0.1/tcp/{PORT}",), connections=1) as second,
        ):
            await until(lambda: second.network.sockets(first.peer_id))
            assert not second.network.is_connected(first.peer_id)
            for socket in first.network.sockets():
                assert socket.proven  # it came to them, with its key
            with pytest.raises(WarrenError):
                await second.request(first.peer_id, "/none/1", b"")

    with world:
        world.run(main())


def test_a_wrong_id_is_refused() -> None:
    world = World(seed=1)

    async def main() -> None:
        async with node(world, 1), node(world, 3) as third:
            wrong = f"/ip4/10.0.0.1/tcp/{PORT}/p2p/{third.peer_id}"
            async with node(world, 2, bootstrap=(wrong,)) as second:
                await asyncio.sleep(60.0)
                status = second.discovery.status()
                assert status.tried >= 1
                assert status.met == 0
                assert second.network.sockets() == []

    with world:
        world.run(main())


def test_a_bootstrap_peer_that_comes_later_is_met_then_and_again_after_its_restart() -> None:
    world = World(seed=1)

    async def main() -> None:
        async with node(world, 2, bootstrap=(f"/ip4/10.0.0.1/tcp/{PORT}",)) as second:
            await asyncio.sleep(200.0)
            for _ in range(2):
                async with node(world, 1) as first:
                    async with asyncio.timeout(600.0):
                        while not second.network.sockets(first.peer_id):  # noqa: ASYNC110  virtual time
                            await asyncio.sleep(0.1)

    with world:
        world.run(main())


def test_pods_behind_a_headless_service_meet_each_other_as_they_come() -> None:
    world = World(seed=1)
    service = (f"warren.default.svc:{PORT}",)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            pods: list[Node] = []
            for number in range(1, 6):
                pods.append(await stack.enter_async_context(node(world, number, dns=service)))
                world.network.names["warren.default.svc"] = [f"10.0.0.{n}" for n in range(1, number + 1)]
                await asyncio.sleep(3.0)
            await until(lambda: all(knows(pod, pods) for pod in pods))
            # Each finds its own address as well, and lets it be; nobody is dialled again and again.
            await asyncio.sleep(300.0)
            assert all(pod.discovery.status().tried <= 5 for pod in pods)
            assert all(not pod.network.sockets(pod.peer_id) for pod in pods)

    with world:
        world.run(main())


def test_discovery_dials_nobody_where_no_connections_are_wanted() -> None:
    world = World(seed=1)

    async def main() -> None:
        async with (
            node(world, 1),
            node(world, 2, bootstrap=(f"/ip4/10.0.0.1/tcp/{PORT}",), connections=0) as second,
        ):
            await asyncio.sleep(60.0)
            assert second.discovery.status().tried == 0
            assert second.discovery.status().found == 1
            stranger = PrivateKey.from_seed(b"s" * 32).peer_id
            await second.peers.heard(stranger, [Multiaddr.tcp("10.0.0.9", PORT)], "exchange")
            await asyncio.sleep(60.0)
            assert second.discovery.status().found == 1  # known peers are not even looked through

    with world:
        world.run(main())
