"""Provider records as discovery, in a DHT of whole simulated nodes; and what the adapter says of itself."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, cast

import pytest

from tests.services.discovery.test_conformance import Dht, Provider, Stored
from warren import testing
from warren.core import multihash
from warren.core.errors import ConnectionFailed
from warren.core.keys import PrivateKey
from warren.protocols.kad.config import KadConfig
from warren.services.discovery.dht import DhtRouting, key_of
from warren.services.discovery.model import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from warren.services.discovery.discovery import Discovery
    from warren.services.discovery.model import Found

ME = PrivateKey.from_seed(b"m" * 32).peer_id
SERVER = KadConfig(mode="server")


class Middle:
    """Chance without chance."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


async def found_within(discovery: Discovery, namespace: str, seconds: float) -> list[Found]:
    """All that are found in so much time."""
    found: list[Found] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), aclosing(search(discovery, namespace)) as searching:
            async for one in searching:
                found.append(one)  # noqa: PERF401  what came before the timeout counts
    return found


def search(discovery: Discovery, namespace: str) -> AsyncGenerator[Found, None]:
    return cast("AsyncGenerator[Found, None]", discovery.find(namespace))


def test_a_service_is_found_by_its_name_through_others_and_nobody_else_is() -> None:
    async def main() -> None:
        async with testing.network(8, degree=4, dht=SERVER) as nodes:
            await nodes[0].discovery.advertise("chess")
            [found] = await found_within(nodes[4].discovery, "chess", 600.0)
            assert (found.peer, found.source) == (nodes[0].peer_id, "dht")
            assert set(found.addresses) <= {one.without_peer() for one in nodes[0].addresses()}
            assert await found_within(nodes[4].discovery, "go", 600.0) == []
            # Under their own network all are found, by whichever source.
            all_here = {one.peer for one in await found_within(nodes[4].discovery, DEFAULT_NAMESPACE, 600.0)}
            assert all_here == {node.peer_id for node in nodes} - {nodes[4].peer_id}

    testing.run(main())


def test_who_could_tell_nobody_at_first_is_found_all_the_same() -> None:
    async def main() -> None:
        async with testing.network(3, degree=0, dht=SERVER) as nodes:
            await nodes[0].discovery.advertise("chess")
            await asyncio.sleep(100.0)
            for node in nodes[:2]:
                await node.connect(nodes[2].addresses()[0])
            async with asyncio.timeout(1200.0), aclosing(search(nodes[1].discovery, "chess")) as searching:
                assert (await anext(searching)).peer == nodes[0].peer_id

    testing.run(main())


def test_the_key_is_what_other_libp2p_nodes_have_for_a_name() -> None:
    assert key_of("chess") == multihash.sha2_256(b"chess")


class Half(Dht):
    """A DHT in which so many keep what is provided."""

    def __init__(self, stored: int) -> None:
        super().__init__({}, Provider(ME, ()))
        self.stored = stored

    async def provide(self, key: bytes) -> Stored:
        assert key == key_of("chess")
        return Stored(self.stored)


@pytest.mark.parametrize(("stored", "least_s", "most_s"), [(20, 20 * 3600, 48 * 3600), (3, 60, 3600)])
def test_it_is_said_again_sooner_where_few_keep_it(stored: int, least_s: float, most_s: float) -> None:
    routing = DhtRouting(Half(stored), ME, Middle())
    assert least_s <= asyncio.run(routing.advertise("chess")) <= most_s


def test_what_nobody_keeps_is_a_failure() -> None:
    routing = DhtRouting(Half(0), ME, Middle())
    with pytest.raises(ConnectionFailed):
        asyncio.run(routing.advertise("chess"))
