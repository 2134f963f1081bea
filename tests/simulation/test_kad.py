"""The DHT of a hundred nodes: who is looked for is found, in few steps, with few connections; and what is
provided is found among liars.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.protocols.kad.net import SMALL, corrupt, run_net
from warren.protocols.kad.keyspace import position, shared_bits
from warren.protocols.kad.messages import Kind, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.protocols.kad.net import KadNode

CONNECTIONS_MAX = 32
FEW = replace(SMALL, connections_max=8)


def place(node: KadNode) -> int:
    return position(node.peer.to_bytes())


def nearest(nodes: Sequence[KadNode], target: int, count: int) -> list[KadNode]:
    return sorted(nodes, key=lambda node: place(node) ^ target)[:count]


def test_peers_are_found_in_few_steps_and_connections_stay_few() -> None:
    """With tables of 8 a bucket, so that 100 nodes are as many for them as 250 are for the usual 20."""
    connections: list[int] = []

    async def watch(nodes: Sequence[KadNode]) -> None:
        while True:
            await asyncio.sleep(1)
            connections.append(max(len(node.network.sockets()) for node in nodes))

    async def main(nodes: Sequence[KadNode]) -> None:
        watching = asyncio.create_task(watch(nodes))
        await asyncio.sleep(300)
        rng = random.Random(1)
        hops = []
        for _ in range(60):
            asker, target = rng.sample(nodes, 2)
            found = await asker.kad.find_peer(target.peer)
            assert found is not None
            assert found.reached
            assert found.addresses == target.info.addresses
            hops.append(found.hops)
            await asyncio.sleep(5)
        watching.cancel()
        assert median(hops) <= 2
        assert max(hops) <= 4
        assert max(connections) <= CONNECTIONS_MAX
        await asyncio.sleep(120)
        assert sum(node.kad.stats.connections for node in nodes) <= len(nodes)

    run_net(100, main, config=FEW, settle_s=0)


def test_among_liars_what_is_provided_is_found() -> None:
    """A fifth lies: names liars only, keeps no provider, and holds 8 of the 20 ids nearest to each key."""
    size, tries = 100, 20
    rng = random.Random(7)
    regions = [b"\x12\x20" + hashlib.sha256(rng.randbytes(8)).digest() for _ in range(2)]

    def liars_of(nodes: Sequence[KadNode]) -> list[KadNode]:
        chosen = random.Random(7)
        liars = {n.number: n for key in regions for n in chosen.sample(nearest(nodes, position(key), 20), 8)}
        others = [node for node in nodes if node.number not in liars]
        return [*liars.values(), *chosen.sample(others, size // 5 - len(liars))]

    def near(key: bytes) -> bytes:
        """Another key with the same peers around it, but for some."""
        while True:
            other = b"\x12\x20" + hashlib.sha256(rng.randbytes(8)).digest()
            if shared_bits(position(key), position(other)) >= 6:
                return other

    def before(nodes: Sequence[KadNode]) -> None:
        liars = liars_of(nodes)

        def name_liars(asked: Message) -> Message:
            named = nearest(liars, position(asked.key), 20)
            return Message(asked.kind, asked.key, closer=[node.info for node in named])

        kinds = (Kind.FIND_NODE, Kind.GET_PROVIDERS, Kind.GET_VALUE)
        for liar in liars:
            corrupt(liar, {**dict.fromkeys(kinds, name_liars), Kind.ADD_PROVIDER: lambda _: None})

    async def main(nodes: Sequence[KadNode]) -> None:
        liars = liars_of(nodes)
        honest = [node for node in nodes if node not in liars]
        found: Counter[bool] = Counter()
        while found.total() < tries:
            key = near(regions[found.total() % 2])
            if sum(node in liars for node in nearest(nodes, position(key), 20)) < 8:
                continue
            provider, asker = rng.sample(honest, 2)
            await provider.kad.provide(key)
            found[provider.peer in {one.peer async for one in asker.kad.find_providers(key)}] += 1
        assert found[True] / tries >= 0.9

    run_net(size, main, before=before, settle_s=120)


@pytest.mark.parametrize("seed", [1])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    async def main(nodes: Sequence[KadNode]) -> None:
        await nodes[0].kad.closest(b"key")

    digests = {run_net(25, main, config=SMALL, seed=seed).trace_digest() for _ in range(2)}
    assert len(digests) == 1
