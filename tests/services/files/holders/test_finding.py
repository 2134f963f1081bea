"""Whole nodes find who holds a content: by the record, the directory, contacts, the DHT; and tell the DHT."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import found, town, until
from warren.protocols.kad.config import KadConfig
from warren.services.files.config import FilesConfig
from warren.services.files.holders.announcing import SETTLE_S
from warren.testing import run
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from tests.services.directory.town import Town
    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.node import Node

WITH_DHT = replace(QUIET, dht=KadConfig(mode="server"))


async def holders(node: Node, root: Cid, within_s: float = 4.0) -> set[PeerId]:
    """Whom it finds in its first round."""
    seen: set[PeerId] = set()

    async def look() -> None:
        async for peer in node._running.holders.find(root):
            seen.add(peer)

    looking = asyncio.create_task(look())
    await asyncio.wait([looking], timeout=within_s)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return seen


def root_of(node: Node, name: str) -> Cid:
    return next(one.cid for one in node.shares() if one.name == name)


async def befriend(place: Town, one: int, other: int) -> None:
    for a, b in ((one, other), (other, one)):
        await place[a].contacts.add(place[b].peer_id, None, place[b].addresses())


@pytest.mark.parametrize("audience", ["public", "contacts"])
def test_through_a_super_peer_as_far_as_the_asker_may_see_it(audience: str) -> None:
    async def main() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await befriend(place, 1, 2)
            await befriend(place, 1, 0)
            await place.connect((1, 0), (2, 0), (3, 0))
            await place.share(1, "map.txt", audience)
            await place.registered(1, 0)
            for number in (2, 3):
                await until(lambda number=number: place.directory(number).registrar.registered())  # type: ignore[misc]
            root = root_of(place[1], "map.txt")
            assert await holders(place[2], root) == {place[1].peer_id}
            strangers = {place[1].peer_id} if audience == "public" else set()
            assert await holders(place[3], root) == strangers

    run(main())


def test_from_the_record_over_a_restart_until_it_is_struck() -> None:
    async def main() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map.txt")
            await place.registered(1, 0)
            holder, root = place[1].peer_id, root_of(place[1], "map.txt")
            assert [hit.cid for hit in await found(place[2], "map")] == [root]
            await place[0].close()
            await place[1].close()
            await place[2].close()
            await place.start(2)
            assert await holders(place[2], root) == {holder}
            place[2]._running.holders.gone(root, holder)
            await place[2].close()
            await place.start(2)
            assert await holders(place[2], root) == set()

    run(main())


def test_connected_contacts_are_asked_and_strangers_get_no_answer() -> None:
    async def main() -> None:
        async with town("weak", "weak", "weak") as place:
            await befriend(place, 0, 1)
            await place.connect((1, 0), (2, 0))
            await place.share(0, "map.txt", "contacts")
            root = root_of(place[0], "map.txt")
            place.directory(1).neighbours._known.clear()  # the directory asks nobody
            assert await holders(place[1], root) == {place[0].peer_id}
            assert await holders(place[2], root) == set()

    run(main())


def test_public_roots_are_in_the_dht_for_as_long_as_they_are_shared_and_nothing_else() -> None:
    async def main() -> None:
        async with town("weak", "weak", "weak", others=WITH_DHT, public=True) as place:
            await place.connect((0, 1), (1, 2))
            await place.share(0, "map.txt")
            await place.share(0, "diary.txt", "contacts")
            await asyncio.sleep(2 * SETTLE_S)
            root = root_of(place[0], "map.txt")
            assert [one.cid for one in place[0].dht.published()] == [root]
            assert await holders(place[2], root, within_s=30) == {place[0].peer_id}
            assert place[2].network.addresses(place[0].peer_id)
            await place[0].unshare("map.txt")
            await asyncio.sleep(2 * SETTLE_S)
            assert place[0].dht.published() == []

    run(main())


def test_strangers_are_not_asked_where_the_user_does_not_let_it() -> None:
    async def main() -> None:
        quiet = replace(WITH_DHT, files=FilesConfig(ask_dht=False))
        async with town("weak", "weak", "weak", others=quiet, public=True) as place:
            await place.connect((0, 1), (1, 2))
            await place.share(0, "map.txt")
            await asyncio.sleep(2 * SETTLE_S)
            assert await holders(place[2], root_of(place[0], "map.txt"), within_s=30) == set()

    run(main())
