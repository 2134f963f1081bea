"""Anchors over restarts, on real parts of a simulated host. Which ones they are is test_anchors.py's."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.simulation.peers import stage
from warren import testing
from warren.services.peers.anchoring import GROWN_S, LOOK_S
from warren.services.peers.anchors import FILE_NAME
from warren.services.peers.config import PeersConfig

if TYPE_CHECKING:
    from tests.simulation.peers import Stage

QUIET = PeersConfig(feeler_interval_s=0, speedtest_interval_s=0)
FILE = Path("/home/warren") / FILE_NAME


def anchors_of(made: Stage, number: int) -> set[str]:
    """Names of hosts whose nodes are anchors of this one: those that are protected and no contacts."""
    here = made.nodes[number]
    contacts = {one.peer_id for one in here.contacts.all()}
    protected = {n for n, node in made.nodes.items() if here.network.is_protected(node.peer_id)}
    return {f"node{n}" for n in protected if made.nodes[n].peer_id not in contacts}


def test_what_this_node_dialled_and_had_for_long_becomes_an_anchor() -> None:
    async def main() -> None:
        async with stage(6, QUIET) as made:
            await made.connect(0, 1, 2)
            await made.connect(3, 0)  # who came to us is none
            contact = await made.nodes[0].join(await made.nodes[4].invite())
            assert contact.peer_id == made.nodes[4].peer_id  # nor is a contact, which is dialled anyway
            await asyncio.sleep(GROWN_S - LOOK_S)
            assert anchors_of(made, 0) == set()
            await asyncio.sleep(2 * LOOK_S + 1)
            assert anchors_of(made, 0) == {"node1", "node2"}
            assert anchors_of(made, 3) == {"node0"}

    testing.run(main())


def test_an_anchor_that_was_away_is_dialled_again() -> None:
    async def main() -> None:
        async with stage(3, QUIET) as made:
            await made.connect(0, 1)
            await asyncio.sleep(GROWN_S + LOOK_S + 1)
            await made.stop(1)
            await asyncio.sleep(LOOK_S)
            assert made.nodes[0].network.peers() == []
            await made.start(1)
            await asyncio.sleep(LOOK_S + 1)
            assert made.nodes[0].network.peers() == [made.nodes[1].peer_id]

    testing.run(main())


def test_a_file_that_is_damaged_or_cannot_be_written_costs_the_anchors_alone() -> None:
    async def main() -> None:
        async with stage(2, QUIET) as made:
            await made.connect(0, 1)
            await asyncio.sleep(GROWN_S + LOOK_S + 1)
            disk = made.world.runtime("node0").disk
            await made.stop(0)
            disk.write_whole(FILE, b"\xff not ours")
            node = await made.start(0)
            await asyncio.sleep(5)
            assert node.network.peers() == []
            await made.connect(0, 1)
            disk.fail_next("write_whole", errno.ENOSPC)
            await asyncio.sleep(GROWN_S + LOOK_S + 1)
            assert anchors_of(made, 0) == {"node1"}
            assert node.network.peers() == [made.nodes[1].peer_id]

    testing.run(main())


def test_without_anchors_nothing_is_kept() -> None:
    async def main() -> None:
        async with stage(2, PeersConfig(anchors=0)) as made:
            await made.connect(0, 1)
            await asyncio.sleep(GROWN_S + 2 * LOOK_S)
            with pytest.raises(FileNotFoundError):
                made.world.runtime("node0").disk.stat(FILE)

    testing.run(main())
