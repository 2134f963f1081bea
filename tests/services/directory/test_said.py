"""What is said of files is found by, and a group admits who is in it; through a super-peer, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.services.directory.test_audiences import befriend, bytes_of_index
from tests.services.directory.town import names, town
from warren.testing import run

if TYPE_CHECKING:
    from warren.node import Node


async def finds(node: Node, words: str, expected: list[str]) -> None:
    """Wait in virtual time until a search finds just this."""
    async with asyncio.timeout(5):
        while await names(node, words) != expected:  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.1)


def test_what_is_said_of_a_file_is_found_by_until_it_is_taken_back() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map.txt")
            await place[1].resources.edit("map.txt", title="An atlas of apples", tags=["fruit"])
            await finds(place[2], "apples fruit", ["map.txt"])
            await place[1].resources.clear("map.txt")
            await finds(place[2], "apples", [])
            assert await names(place[2], "map") == ["map.txt"]

    run(scenario())


def test_a_group_admits_who_is_in_it_at_a_super_peer_that_is_in_it() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0))
            for other in (0, 2, 3):
                await befriend(place, 1, other)
            await place[1].groups.add("family", [place[0].peer_id, place[2].peer_id])
            await place.share(1, "secret-map.txt", "group:family")
            await place.registered(1, 0)
            assert await names(place[2], "map") == ["secret-map.txt"]
            assert await names(place[3], "map") == []
            await place[1].groups.take_out("family", [place[2].peer_id])
            await finds(place[2], "map", [])
            await place[1].groups.remove("family")
            await finds(place[0], "map", [])

    run(scenario())


def test_a_group_is_nothing_to_a_super_peer_outside_of_it() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (1, 2))
            for other in (0, 2):
                await befriend(place, 1, other)
            await place[1].groups.add("family", [place[2].peer_id])
            await place.share(1, "secret-map.txt", "group:family")
            await place.share(1, "open-map.txt")
            await place.registered(1, 0)
            assert b"open" in await bytes_of_index(place, 0)
            assert b"secret" not in await bytes_of_index(place, 0)
            assert await names(place[2], "map") == ["open-map.txt", "secret-map.txt"]

    run(scenario())
