"""What a peer may not see is in nothing that reaches it: no hit, no count, no index of a super-peer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.services.directory.town import names, town, until
from warren.core.query import Query, terms_of
from warren.protocols.directory.messages import End, QueryCall
from warren.testing import run

if TYPE_CHECKING:
    from tests.services.directory.town import Town


async def befriend(place: Town, one: int, other: int) -> None:
    """Make two nodes contacts of each other."""
    await place[one].add_contact(place[other].addresses()[0])
    await place[other].add_contact(place[one].addresses()[0])


async def total(place: Town, asker: int, asked: int, words: str) -> int:
    """How many contents one node counts for another."""
    protocol = place.directory(asker).protocol
    async for answer in protocol.query(place[asked].peer_id, QueryCall(Query(terms_of(words)))):
        if isinstance(answer, End):
            return answer.total
    raise AssertionError("no end")


async def bytes_of_index(place: Town, number: int) -> bytes:
    """All that the index of a node holds."""
    database = place.directory(number).index._database  # type: ignore[attr-defined]
    image: bytes = await database.run(lambda db: db.serialize())
    return image


def test_what_is_for_contacts_never_reaches_a_super_peer_that_is_none() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0), (1, 2), (1, 3))
            await befriend(place, 1, 2)
            await place.share(1, "secret-map.txt", "contacts")
            await place.share(1, "open-map.txt")
            await place.registered(1, 0)
            assert b"open" in await bytes_of_index(place, 0)
            assert b"secret" not in await bytes_of_index(place, 0)
            # Contacts are asked themselves; a stranger that is connected sees what is public, and no more.
            assert await names(place[2], "map") == ["open-map.txt", "secret-map.txt"]
            assert await names(place[3], "map") == ["open-map.txt"]
            assert await total(place, 3, 1, "map") == 1
            assert await total(place, 2, 1, "map") == 2
            await place[1].unshare("secret-map.txt")
            await place.registered(1, 0)
            assert b"secret" not in await bytes_of_index(place, 0)  # nor as something that is gone

    run(scenario())


def test_a_super_peer_that_is_a_contact_keeps_it_for_contacts_alone() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0))
            await befriend(place, 1, 0)
            await befriend(place, 1, 2)
            await place.share(1, "secret-map.txt", "contacts")
            await place.registered(1, 0)
            assert await names(place[2], "map") == ["secret-map.txt"]
            assert await names(place[3], "map") == []
            assert await total(place, 2, 0, "map") == 1
            assert await total(place, 3, 0, "map") == 0
            assert await names(place[0], "map") == ["secret-map.txt"]
            # The super-peer knows the asker if it asks, and cannot list who is admitted.
            assert place[2].peer_id.to_bytes() not in await bytes_of_index(place, 0)

    run(scenario())


def test_who_becomes_a_contact_sees_it_and_who_is_none_any_more_does_not() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await befriend(place, 1, 0)
            await place.share(1, "secret-map.txt", "contacts")
            await place.registered(1, 0)
            assert await names(place[2], "map") == []
            await place[1].add_contact(place[2].peer_id)
            await place.registered(1, 0)
            assert await names(place[2], "map") == ["secret-map.txt"]
            await place[1].contacts.remove(place[2].peer_id)
            await place.registered(1, 0)
            assert await names(place[2], "map") == []
            # The super-peer itself is no contact any more: it forgets what it may not see.
            await place[1].contacts.remove(place[0].peer_id)
            await place.registered(1, 0)
            assert await names(place[0], "map") == []
            await until(lambda: not place.directory(0).index.size(place[1].peer_id))

    run(scenario())


def test_who_is_blocked_finds_nothing_but_what_is_public_until_that_is_over() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0))
            for other in (0, 2, 3):
                await befriend(place, 1, other)
            await place.share(1, "secret-map.txt", "contacts")
            await place.share(1, "own-map.txt", f"peer:{place[2].peer_id},{place[0].peer_id}")
            await place.registered(1, 0)
            assert await names(place[2], "map") == ["own-map.txt", "secret-map.txt"]
            await place[1].peers.block(place[2].peer_id)
            await place.share(1, "second-map.txt", "contacts")
            await place.registered(1, 0)
            await asyncio.sleep(1)
            assert await names(place[2], "map") == []
            assert await names(place[3], "map") == ["second-map.txt", "secret-map.txt"]
            await place[1].peers.unblock(place[2].peer_id)
            await asyncio.sleep(1)
            assert await names(place[2], "map") == ["own-map.txt", "second-map.txt", "secret-map.txt"]

    run(scenario())


def test_a_share_for_named_peers_is_for_them_alone() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0), (3, 0))
            await befriend(place, 1, 0)
            await befriend(place, 1, 2)
            await befriend(place, 1, 3)
            await place.share(1, "secret-map.txt", f"peer:{place[2].peer_id},{place[0].peer_id}")
            await place.registered(1, 0)
            assert await names(place[2], "map") == ["secret-map.txt"]
            assert await names(place[3], "map") == []

    run(scenario())


def test_a_share_that_becomes_private_is_taken_from_super_peers() -> None:
    async def scenario() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map.txt")
            await place.registered(1, 0)
            assert await names(place[2], "map") == ["map.txt"]
            await place.share(1, "map.txt", "contacts")
            await place.registered(1, 0)
            assert await names(place[2], "map") == []
            assert place.directory(0).index.size(place[1].peer_id) == 0

    run(scenario())
