"""A hundred weak peers with one super-peer that is killed and started again: all come back, not as one."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.storm_town import Town
from warren.network.config import FOR_MANY
from warren.testing import run

if TYPE_CHECKING:
    from bench.storm_town import Storm

PEERS = 100
FEWER = 40


def most_in_one_second(town: Town) -> int:
    """How many of the connections of the super-peer began in the same second."""
    return max(Counter(int(one.opened_at) for one in town.nodes[0].network.sockets()).values())


async def storm(town: Town, *, down_s: float, index_is_lost: bool = False) -> Storm:
    await town.kill()
    await asyncio.sleep(down_s)
    return await town.come_back(index_is_lost=index_is_lost)


def test_all_come_back_to_a_super_peer_that_was_killed_and_send_only_what_it_lacks() -> None:
    async def scenario() -> None:
        town = Town(PEERS, 1, encrypted=False)
        try:
            await town.grow()
            await asyncio.sleep(120)  # two leases
            assert (town.connections, town.registered, town.online) == (PEERS, PEERS, PEERS)
            after_short, most = await storm(town, down_s=2), most_in_one_second(town)
            assert after_short.took_s is not None
            assert after_short.took_s < 15
            assert most < PEERS * 0.8
            assert after_short.registrations == {"lease: Held": PEERS}
            assert not after_short.refused
            assert await town.found(20) == 20
            after_long = await storm(town, down_s=180, index_is_lost=True)
            assert after_long.took_s is not None
            assert after_long.took_s < 35
            assert most_in_one_second(town) < PEERS / 8
            assert after_long.registrations["snapshot: Held"] == PEERS
            assert after_long.registrations.keys() == {"lease: Held", "snapshot: Held"}
            assert await town.found(20) == 20
        finally:
            await town.close()

    run(scenario())


def test_who_is_turned_away_in_the_storm_comes_again() -> None:
    async def scenario() -> None:
        town = Town(FEWER, 2, encrypted=False, limits=replace(FOR_MANY, handshakes_max=2))
        try:
            await town.grow()
            after = await storm(town, down_s=2)
            assert after.refused["handshakes_max"] > FEWER / 10
            assert after.took_s is not None
            assert after.took_s < 60
            assert after.registrations == {"lease: Held": FEWER}
        finally:
            await town.close()

    run(scenario())
