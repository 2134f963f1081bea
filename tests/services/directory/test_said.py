"""What is said of files is found by, and a group admits who is in it; through a super-peer, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.services.directory.test_audiences import befriend, bytes_of_index
from tests.services.directory.town import found, names, town
from warren.core.entry import Metadata
from warren.testing import run

if TYPE_CHECKING:
    from tests.services.directory.town import Town
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


async def two_shares(place: Town, second: str) -> None:
    """The same bytes in a public share of node 1 and in another one."""
    disk = place.world.runtime(place.nodes.host(1)).disk
    for folder, name, audience in (("/pub", "a.txt", "public"), ("/priv", "b.txt", second)):
        disk.make_dirs(folder)
        disk.write_whole(f"{folder}/{name}", b"the same")
        await place[1].share(folder, audience)


def test_what_is_said_of_a_private_copy_is_not_said_of_the_public_one() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0), (1, 2), (1, 3))
            await befriend(place, 1, 2)
            await two_shares(place, "contacts")
            await place[1].resources.edit("priv/b.txt", title="Evidence in the divorce", tags=["secret"])
            await place[1].resources.edit("pub/a.txt", abstract="A few words")
            await finds(place[3], "words", ["a.txt"])
            assert await names(place[3], "divorce") == await names(place[3], "secret") == []
            assert b"divorce" not in await bytes_of_index(place, 0)
            await finds(place[2], "divorce words", ["b.txt"])
            # Nor is it in the signed word, for whoever asks for that.
            said = await place[3].resource_of(place[1].peer_id, "pub/a.txt")
            assert [one.metadata for one in said.others] == [Metadata(abstract="A few words")]
            said = await place[2].resource_of(place[1].peer_id, "priv/b.txt")
            assert [one.metadata.title for one in said.others] == ["Evidence in the divorce"]
            # The user, who said both, sees both; and after a restart it is the same.
            assert (await place[1].resources.show("pub/a.txt")).metadata.title
            await place[1].close()
            await place.start(1)
            await place.connect((1, 0))
            await place.registered(1, 0)
            assert await names(place[3], "divorce") == []
            assert await names(place[3], "words") == ["a.txt"]

    run(scenario())


def test_it_is_said_to_whom_the_share_admits_from_then_on() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await two_shares(place, "contacts")
            await place[1].resources.edit("priv/b.txt", title="Evidence")
            await place.registered(1, 0)
            assert await names(place[2], "evidence") == []
            await place[1].share("/priv", "public")
            await finds(place[2], "evidence", ["a.txt"])  # of two that are the same, one is shown
            (hit,) = await found(place[2], "evidence")
            assert sorted(hit.paths) == ["priv/b.txt", "pub/a.txt"]
            await place[1].share("/priv", "contacts")
            await finds(place[2], "evidence", [])
            assert await names(place[2], "pub") == ["a.txt", "pub"]

    run(scenario())


def test_what_is_said_of_a_content_is_said_wherever_it_lies() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await two_shares(place, "contacts")
            shown = await place[1].resources.show("pub/a.txt")
            await place[1].resources.edit(shown.cid, title="Evidence")
            await finds(place[2], "evidence", ["a.txt"])

    run(scenario())
