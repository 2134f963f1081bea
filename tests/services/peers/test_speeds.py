"""Speeds that nobody asked for: of contacts, within the budgets of a day, and from real transfers."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.simulation.peers import stage
from warren import testing
from warren.services.peers.config import PeersConfig
from warren.services.peers.speeds import TRANSFER_BYTES_MIN

if TYPE_CHECKING:
    from tests.simulation.peers import Stage
    from warren.node import Node
    from warren.services.peers.model import Peer
    from warren.services.peers.speeds import Speeds

RATE = 1_000_000


def speeds_of(node: Node) -> Speeds:
    assert node._parts is not None
    return node._parts.measuring.speeds


async def friends(made: Stage, *others: int) -> None:
    for number in others:
        await made.nodes[number].join(await made.nodes[0].invite())
    made.world.network.set_access("node0", up_bytes_per_s=RATE, down_bytes_per_s=2 * RATE)


async def known(made: Stage, number: int) -> Peer:
    found = await made.nodes[0].peers.get(made.nodes[number].peer_id)
    assert found is not None
    return found


def test_contacts_are_measured_by_themselves_and_strangers_are_not() -> None:
    async def main() -> None:
        config = PeersConfig(speedtest_interval_s=600, feeler_interval_s=0)
        async with stage(4, config) as made:
            await friends(made, 1, 2)
            await made.connect(0, 3)
            await asyncio.sleep(6000)
            for number in (1, 2):
                peer = await known(made, number)
                assert peer.download is not None
                assert peer.upload is not None
                assert peer.download.value == pytest.approx(2 * RATE, rel=0.2)
                assert peer.upload.value == pytest.approx(RATE, rel=0.2)
            stranger = await known(made, 3)
            assert stranger.download is stranger.upload is None

    testing.run(main())


def test_a_day_costs_no_more_than_it_may() -> None:
    async def main() -> None:
        budget = 6 << 20
        config = PeersConfig(
            speedtest_interval_s=60,
            speedtest_age_s=1,
            speedtest_bytes_per_day=budget,
            feeler_interval_s=0,
            contact_bytes_per_day=budget,
        )
        async with stage(3, config) as made:
            await friends(made, 1, 2)
            sockets = made.nodes[0].network.sockets()
            before = sum(socket.bytes_in + socket.bytes_out for socket in sockets)
            await asyncio.sleep(6 * 3600)
            moved = sum(socket.bytes_in + socket.bytes_out for socket in sockets) - before
            # Its own tests and those of the two others, each within its budget, and what else is said.
            assert 0.2 * budget < moved < 3.2 * budget

    testing.run(main())


def test_figures_that_are_young_are_not_measured_again() -> None:
    async def main() -> None:
        config = PeersConfig(speedtest_interval_s=60, feeler_interval_s=0)
        async with stage(2, config) as made:
            await friends(made, 1)
            await asyncio.sleep(600)
            first = (await known(made, 1)).download
            await asyncio.sleep(3600)
            assert (await known(made, 1)).download == first
            assert first is not None

    testing.run(main())


def test_a_transfer_counts_if_it_was_long_and_large_enough() -> None:
    async def main() -> None:
        async with stage(2, PeersConfig(speedtest_interval_s=0)) as made:
            await made.connect(0, 1)
            node, peer = made.nodes[0], made.nodes[1].peer_id
            await asyncio.sleep(1)
            await speeds_of(node).transferred(peer, TRANSFER_BYTES_MIN - 1, 10, from_it=True)
            await speeds_of(node).transferred(peer, TRANSFER_BYTES_MIN * 10, 0.5, from_it=True)
            assert (await known(made, 1)).download is None
            await speeds_of(node).transferred(peer, TRANSFER_BYTES_MIN, 4, from_it=True)
            await speeds_of(node).transferred(peer, TRANSFER_BYTES_MIN, 2, from_it=False)
            found = await known(made, 1)
            assert found.download is not None
            assert found.upload is not None
            assert found.download.value == TRANSFER_BYTES_MIN / 4
            assert found.upload.value == TRANSFER_BYTES_MIN / 2

    testing.run(main())


def test_a_fetch_tells_how_fast_its_source_is() -> None:
    async def main() -> None:
        async with stage(2, PeersConfig(speedtest_interval_s=0)) as made:
            await friends(made, 1)
            anna, ben = made.nodes[0], made.nodes[1]
            disk = made.world.runtime("node1").disk
            disk.make_dirs("/shared")
            disk.write_whole("/shared/film", random.Random(1).randbytes(8 << 20))
            await ben.share("/shared/film")
            async with anna.get("x/film", output="/downloads", from_peer=None) as transfer:
                await transfer.result()
            found = await known(made, 1)
            assert found.download is not None
            assert found.download.value == pytest.approx(2 * RATE, rel=0.3)

    testing.run(main())
