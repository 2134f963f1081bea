"""What is for those of an origin is told to nobody: no listing, no search, no super-peer, no DHT (F10)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.services.directory.town import names, town, until
from warren.core.keys import PrivateKey
from warren.parts_directory import ShareCircles
from warren.protocols.kad.config import KadConfig
from warren.services.files.holders.announcing import SETTLE_S
from warren.services.files.types import Audience
from warren.testing import run
from warren.testing.nodes import QUIET

ORIGIN = PrivateKey.from_seed(b"o" * 32).peer_id
WITH_DHT = replace(QUIET, dht=KadConfig(mode="server"))


def test_neither_contacts_nor_super_peers_nor_the_dht_hear_of_it() -> None:
    async def main() -> None:
        async with town("super", "weak", "weak", others=WITH_DHT) as place:
            for one, other in ((0, 1), (1, 2)):
                for a, b in ((one, other), (other, one)):
                    await place[a].contacts.add(place[b].peer_id, None, place[b].addresses())
            await place.connect((1, 0), (2, 0), (1, 2))
            await place.share(1, "map of ours.txt", "contacts")
            await place.share(1, "map of theirs.txt", f"origin:{ORIGIN}")
            await place.registered(1, 0)
            await until(place.directory(2).registrar.registered)
            await asyncio.sleep(2 * SETTLE_S)
            assert await names(place[1], "map") == ["map of ours.txt", "map of theirs.txt"]
            assert await names(place[2], "map") == ["map of ours.txt"]
            assert await names(place[0], "map") == ["map of ours.txt"]
            assert [one.name for one in await place[2].list_files(place[1].peer_id)] == ["map of ours.txt"]
            assert place[1].dht.published() == []

    run(main())


def test_its_audience_has_no_members() -> None:
    circles = ShareCircles(None, None, lambda _: False)  # type: ignore[arg-type]
    assert circles.members(str(Audience("origin", (ORIGIN,)))) == []
