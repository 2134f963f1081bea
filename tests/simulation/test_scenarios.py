"""Whole nodes under faults: what a user of `warren.testing` can do to them, and that they come through it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from warren import testing
from warren.core.errors import WarrenError

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream
    from warren.node import Node

HELLO = "/warren/test/hello/1.0.0"
BULK = "/warren/test/bulk/1.0.0"


def now() -> float:
    return asyncio.get_running_loop().time()


def greet(peer: PeerId, payload: bytes) -> bytes:
    return b"hello " + payload


async def ask(node: Node, other: Node, *, timeout_s: float = 10.0) -> bytes:
    return await node.request(other.peer_id, HELLO, b"you", timeout_s=timeout_s)


async def connected(nodes: testing.Nodes, expected: bool, *, within_s: float) -> float:
    """Wait until all nodes are connected to each other, or none is; return how long that took."""
    start = now()
    async with asyncio.timeout(within_s):
        while any(len(node.network.peers()) != (len(nodes) - 1) * expected for node in nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return now() - start


@pytest.mark.parametrize("latency_s", [0.0, 0.001, 0.25])
def test_ping_measures_the_latency_of_the_path(latency_s: float) -> None:
    async def main() -> None:
        async with testing.network(2, latency_s=latency_s) as (alice, bob):
            for seconds in await alice.ping(bob.peer_id, 5):
                assert seconds == pytest.approx(2 * latency_s, abs=1e-9)

    testing.run(main())


def test_each_pair_has_its_own_latency() -> None:
    async def main() -> None:
        async with testing.network(4) as nodes:
            for a in range(4):
                for b in range(a):
                    quality = testing.Quality(latency_s=0.01 * (a + b))
                    nodes.world.network.set_path(nodes.host(a), nodes.host(b), quality)
            for a in range(4):
                for b in range(a):
                    (seconds,) = await nodes[a].ping(nodes[b].peer_id)
                    assert seconds == pytest.approx(0.02 * (a + b))

    testing.run(main())


def test_a_short_partition_delays_and_loses_nothing() -> None:
    async def main() -> None:
        async with testing.network(2) as nodes:
            alice, bob = nodes
            bob.handle(HELLO, greet)
            nodes.partition([0], [1])
            asked = asyncio.create_task(ask(alice, bob, timeout_s=30))
            await asyncio.sleep(5)
            assert not asked.done()
            nodes.heal()
            assert await asked == b"hello you"
            assert alice.network.is_connected(bob.peer_id)

    testing.run(main())


def test_a_long_partition_is_noticed_and_after_it_nodes_connect_again() -> None:
    async def main() -> None:
        async with testing.network(4) as nodes:
            for node in nodes:
                node.handle(HELLO, greet)
            nodes.partition([0], [1], [2], [3])
            assert 15 < await connected(nodes, expected=False, within_s=120) < 60
            with pytest.raises(WarrenError):
                await ask(nodes[0], nodes[1])
            nodes.heal()
            for one in nodes:
                for other in nodes:
                    if one is not other:
                        await one.connect(other.addresses()[0])
                        assert await ask(one, other) == b"hello you"

    testing.run(main())


def test_the_sides_of_a_partition_live_on_by_themselves() -> None:
    async def main() -> None:
        async with testing.network(6) as nodes:
            for node in nodes:
                node.handle(HELLO, greet)
            nodes.partition([0, 1, 2], [3, 4, 5])
            await asyncio.sleep(120)
            for side in ([0, 1, 2], [3, 4, 5]):
                for number in side:
                    peers = {nodes[other].peer_id for other in side if other != number}
                    assert set(nodes[number].network.peers()) == peers
                    report = await nodes[number].broadcast(HELLO, b"side")
                    assert set(report.reached) == peers

    testing.run(main())


def test_a_cut_connection_ends_its_requests_and_the_next_one_dials_anew() -> None:
    async def never(peer: PeerId, payload: bytes) -> bytes:
        await asyncio.sleep(1000)
        return payload

    async def main() -> None:
        async with testing.network(2) as nodes:
            alice, bob = nodes
            bob.handle(HELLO, never)
            asked = asyncio.create_task(ask(alice, bob, timeout_s=500))
            await asyncio.sleep(1)
            start = now()
            assert nodes.cut(0, 1) == 1
            with pytest.raises(WarrenError):
                await asked
            assert now() - start < 1
            assert not alice.network.is_connected(bob.peer_id)
            await alice.connect(bob.addresses()[0])
            (seconds,) = await alice.ping(bob.peer_id)
            assert seconds == pytest.approx(0.02)

    testing.run(main())


def test_connections_that_keep_breaking_lose_no_request_that_is_tried_again() -> None:
    async def main() -> int:
        async with testing.network(2) as nodes:
            alice, bob = nodes
            bob.handle(HELLO, greet)
            quality = testing.Quality(latency_s=0.05, mean_life_s=3.0)
            nodes.world.network.set_path(nodes.host(0), nodes.host(1), quality)
            nodes.cut(0, 1)
            answered = broken = 0
            while answered < 200:
                try:
                    await alice.connect(bob.addresses()[0])
                    assert await ask(alice, bob) == b"hello you"
                    answered += 1
                except WarrenError:
                    broken += 1
                await asyncio.sleep(0.1)
            return broken

    assert testing.run(main()) > 3


def test_a_transfer_takes_what_the_bandwidth_says_and_a_ping_beside_it_stays_quick() -> None:
    rate, size = 1_000_000, 20_000_000

    async def take(stream: Stream) -> None:
        total = 0
        while data := await stream.read():
            total += len(data)
        await stream.write(total.to_bytes(8, "big"))
        await stream.close()

    async def main() -> None:
        async with testing.network(2) as nodes:
            alice, bob = nodes
            bob.handle_stream(BULK, take)
            quality = testing.Quality(latency_s=0.02, bytes_per_s=rate)
            nodes.world.network.set_path(nodes.host(0), nodes.host(1), quality)
            start = now()
            sending = asyncio.create_task(send(alice, bob))
            await asyncio.sleep(5)
            (seconds,) = await alice.ping(bob.peer_id)
            assert await sending == size
            # Noise and Yamux add a little; the window opens in the first round trips.
            assert size / rate < now() - start < size / rate * 1.05 + 0.5
            assert seconds < 0.5

    async def send(alice: Node, bob: Node) -> int:
        stream = await alice.network.open_stream(bob.peer_id, BULK)
        for _ in range(size // 50_000):
            await stream.write(bytes(50_000))
        stream.close_write()
        return int.from_bytes(await stream.read_exactly(8), "big")

    testing.run(main())


def test_a_node_that_restarts_is_the_same_peer() -> None:
    async def main() -> None:
        async with testing.network(2) as nodes:
            alice, bob = nodes
            before = bob.peer_id
            bob = await nodes.restart(1)
            assert nodes[1] is bob
            assert bob.peer_id == before
            await connected(nodes, expected=False, within_s=1)
            await alice.connect(bob.addresses()[0])
            assert len(await alice.ping(bob.peer_id, 2)) == 2

    testing.run(main())


def test_nodes_can_become_contacts() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as (alice, bob):
            contact = await bob.join(await alice.invite())
            assert contact.peer_id == alice.peer_id
            assert alice.contacts.is_contact(bob.peer_id)

    testing.run(main())
