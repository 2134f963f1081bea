"""Towns of nodes with a DHT, which bench/dht.py measures at full size: at rest, in churn, among liars."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bench.dht_town import SETTLED_AGE_S, Town, town_config
from warren import testing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bench.dht_town import Tally

GROW_S = 50.0
LOOK_S = 30.0


@asynccontextmanager
async def _town(nodes: int, liars: float, *, encrypted: bool) -> AsyncIterator[Town]:
    world = testing.World("towns", loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    crowd = testing.Nodes(world, config=town_config(), encrypted=encrypted)
    town = Town(crowd, "towns", liars=liars)
    try:
        await town.grow(nodes, nodes / GROW_S)
        await asyncio.sleep(SETTLED_AGE_S)
        yield town
    finally:
        await crowd.close()
        world.close()


def live(
    nodes: int, what: Callable[[Town], Awaitable[Any]], *, liars: float = 0.0, encrypted: bool = False
) -> tuple[Any, str]:
    """Let a town come and settle, and do something in it; return what that returned, and the digest."""

    async def main() -> tuple[Any, str]:
        async with _town(nodes, liars, encrypted=encrypted) as town:
            return await what(town), town.nodes.world.trace_digest()

    return testing.run(main())


def test_at_rest_everybody_finds_everybody() -> None:
    async def look(town: Town) -> tuple[Tally, Tally, int]:
        peers = await town.look_for_peers(80, LOOK_S)
        providers = await town.look_for_providers(20, 0, LOOK_S)
        return peers, providers, max(len(r.node.network.sockets()) for r in town.residents.values())

    (peers, providers, connections), _ = live(80, look)
    assert peers.tried > 60
    assert peers.success == providers.success == 1.0
    summary = peers.summary()
    assert summary["hops_median"] <= 1
    assert summary["hops_p99"] <= 2
    assert summary["requests_mean"] < 20
    assert connections <= 32


def test_in_churn_who_stays_is_found() -> None:
    """Sessions of five minutes in the median: half of the town goes within that."""

    async def look(town: Town) -> tuple[Tally, int]:
        churn = asyncio.get_running_loop().create_task(town.churn(300.0))
        await asyncio.sleep(600)
        peers = await town.look_for_peers(100, 120.0)
        churn.cancel()
        await asyncio.wait([churn])
        return peers, town.left

    (peers, left), _ = live(40, look)
    assert left > 40
    assert peers.tried > 30
    assert peers.success > 0.97


def test_liars_hide_no_provider() -> None:
    """A quarter of the nodes lie, and hold six of the twenty ids nearest to each key: in a town so small few
    keys have more around them by chance.
    """

    async def look(town: Town) -> tuple[Tally, int]:
        return await town.look_for_providers(40, 6, 60.0), sum(r.lies for r in town.residents.values())

    (providers, liars), _ = live(80, look, liars=0.25)
    assert liars > 10
    assert providers.tried == 40
    assert providers.success >= 0.9


def test_without_ciphers_a_town_is_the_same() -> None:
    async def look(town: Town) -> tuple[Tally, int]:
        return await town.look_for_peers(24, LOOK_S), town.nodes.world.deliveries

    sealed, digest = live(24, look, encrypted=True)
    plain, plain_digest = live(24, look, encrypted=False)
    assert plain == sealed
    assert plain_digest != digest
    again, again_digest = live(24, look, encrypted=False)
    assert (again, again_digest) == (plain, plain_digest)
