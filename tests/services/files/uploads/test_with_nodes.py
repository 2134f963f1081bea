"""Whole nodes: an upload cap holds, is shared fairly, and the user's friends go first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from warren import testing
from warren.services.files.config import FilesConfig
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from warren.node import Node
    from warren.testing import Nodes

SIZE = 4_000_000
CAP = 1_000_000
ALL = range(1, 4)


def put_file(nodes: Nodes, number: int, path: str, data: bytes) -> None:
    disk = nodes.runtime(number).disk
    disk.make_dirs(path.rpartition("/")[0])
    file = disk.open_write(path, create=True)
    file.pwrite(0, data)
    file.close()


async def fetched_s(node: Node, sharer: Node) -> float:
    """Seconds until `node` has what `sharer` shares."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await node.get("film.bin", from_peer=sharer.peer_id, output="/got").result()
    return loop.time() - begun


def test_a_capped_line_is_shared_and_who_is_favoured_is_done_first() -> None:
    async def main() -> None:
        files = FilesConfig(up_bytes_per_s=CAP, favoured_group="family")
        async with testing.network(4, config=replace(QUIET, files=files)) as nodes:
            sharer = nodes[0]
            put_file(nodes, 0, "/films/film.bin", bytes(range(250)) * (SIZE // 250))
            await sharer.share("/films/film.bin", "public")
            for number in ALL:
                await sharer.contacts.add(nodes[number].peer_id, f"friend{number}")
            await sharer.groups.add("family", [nodes[3].peer_id])
            took = await asyncio.gather(*(fetched_s(nodes[number], sharer) for number in ALL))
            assert max(took) == pytest.approx(3 * SIZE / CAP, rel=0.05)
            assert took[0] == pytest.approx(took[1], rel=0.1)
            assert took[2] < 0.6 * min(took[:2])
            states = {state.peer: state for state in sharer.uploads.states()}
            assert {states[nodes[number].peer_id].name for number in ALL} == {"film.bin"}
            assert all(states[nodes[number].peer_id].bytes_sent >= SIZE for number in ALL)

    testing.run(main())
