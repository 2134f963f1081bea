"""The origin leaves and others still serve: whole nodes, simulated."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import found, town, until
from warren.core.errors import WarrenError
from warren.protocols.kad.config import KadConfig
from warren.runtime.simulated import Quality
from warren.runtime.waiting import settle
from warren.services.files.config import FilesConfig
from warren.services.files.holders.announcing import SETTLE_S
from warren.testing import run
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.services.directory.town import Town
    from warren.config import Config
    from warren.core.cid import Cid
    from warren.services.files.types import Fetched, Share

SUPER, ANNA, BEN, CARA = range(4)
MIB = 1024 * 1024


def with_files(base: Config = QUIET, **settings: object) -> Config:
    return replace(base, files=FilesConfig(**settings))  # type: ignore[arg-type]


WITH_DHT = replace(QUIET, dht=KadConfig(mode="server"))


async def befriend(place: Town, *pairs: tuple[int, int]) -> None:
    for one, other in pairs:
        for a, b in ((one, other), (other, one)):
            await place[a].contacts.add(place[b].peer_id, None, place[b].addresses())


async def share(place: Town, number: int, audience: str, size: int = 3 * MIB + 5) -> Cid:
    """Share a folder "maps" with a large and a small file; its root."""
    disk = place.world.runtime(place.nodes.host(number)).disk
    disk.make_dirs("/shared/maps/old")
    data = b"".join(at.to_bytes(8) for at in range(size // 8 + 1))[:size]
    disk.write_whole("/shared/maps/large.bin", data)
    disk.write_whole("/shared/maps/old/small.txt", b"small")
    return (await place[number].share("/shared/maps", audience)).cid


async def get(place: Town, number: int, root: Cid, peers: Sequence[int] = (), **options: object) -> Fetched:
    """Fetch it, from these and whoever else has it."""
    known = [place[one].peer_id for one in peers]
    fetcher = place[number]._running.fetcher
    async with fetcher.get(root, "/downloads", peers=known, name="maps", **options) as transfer:  # type: ignore[arg-type]
        await transfer.result()
        assert transfer.outcome is not None
        await settle(fetcher._keeping.copy())
        return transfer.outcome


def givers(place: Town, outcome: Fetched) -> set[int]:
    """Who gave something."""
    peers = {source.peer for source in outcome.sources if source.bytes_fetched}
    return {number for number in range(len(place.nodes)) if place[number].peer_id in peers}


def replica(place: Town, number: int) -> Share:
    (share,) = place[number].shares()
    return share


async def super_knows(place: Town, *numbers: int) -> None:
    for number in numbers:
        await until(lambda number=number: place.directory(number).registrar.registered())  # type: ignore[misc]
        await place.registered(number, SUPER)


def test_what_is_public_is_found_at_who_fetched_it_when_the_origin_is_gone() -> None:
    async def main() -> None:
        async with town("super", "weak", "weak", "weak") as place:
            await place.connect((ANNA, SUPER), (BEN, SUPER), (CARA, SUPER), (BEN, ANNA), (CARA, BEN))
            root = await share(place, ANNA, "public")
            await get(place, BEN, root, [ANNA])
            kept = replica(place, BEN)
            assert (kept.replica, kept.cid, str(kept.audience)) == (True, root, "public")
            await super_knows(place, BEN, CARA)
            (hit,) = [hit for hit in await found(place[CARA], "maps") if hit.cid == root]
            assert {one.peer for one in hit.holders if one.online} == {place[n].peer_id for n in (ANNA, BEN)}
            place.kill(ANNA)
            outcome = await get(place, CARA, root)
            assert givers(place, outcome) == {BEN}
            assert replica(place, CARA).cid == root

    run(main())


def test_what_is_public_is_found_through_the_dht_where_there_is_no_directory() -> None:
    async def main() -> None:
        async with town("off", "off", "off", "off", others=WITH_DHT, public=True) as place:
            for one, other in ((ANNA, SUPER), (BEN, ANNA), (BEN, SUPER), (CARA, SUPER)):
                await place[one].connect(place[other].addresses()[0])
            root = await share(place, ANNA, "public")
            await get(place, BEN, root, [ANNA])
            await asyncio.sleep(2 * SETTLE_S)
            assert [one.cid for one in place[BEN].dht.published()] == [root]
            await place[ANNA].close()
            outcome = await get(place, CARA, root)
            assert givers(place, outcome) == {BEN}

    run(main())


def test_whom_the_origin_let_have_it_gets_it_from_others_and_nobody_else_does() -> None:
    """Cara was let have it by the origin; Super is a contact of Ben, whom the origin does not know (F10)."""

    async def main() -> None:
        async with town("weak", "weak", "weak", "weak", others=with_files(no_source_s=20)) as place:
            await befriend(place, (ANNA, BEN), (ANNA, CARA), (BEN, CARA), (BEN, SUPER))
            await place.connect((BEN, ANNA), (CARA, ANNA), (BEN, SUPER), (CARA, BEN))
            root = await share(place, ANNA, "contacts")
            await get(place, BEN, root, [ANNA])
            kept = replica(place, BEN)
            assert (kept.replica, str(kept.audience)) == (True, f"origin:{place[ANNA].peer_id}")

            await place[CARA]._running.swarms.exchange(place[ANNA].peer_id, root)
            place.kill(ANNA)
            for peers in ((), (BEN,)):
                with pytest.raises(WarrenError):
                    await get(place, SUPER, root, peers)
            assert place[SUPER].shares() == []

            await place[CARA].close()  # what it was let have, it knows over a restart
            await place.start(CARA)
            await place.connect((CARA, BEN))
            outcome = await get(place, CARA, root)
            assert givers(place, outcome) == {BEN}
            assert str(replica(place, CARA).audience) == f"origin:{place[ANNA].peer_id}"

    run(main())


def test_a_fetch_goes_on_at_others_when_its_origin_dies_in_the_middle() -> None:
    """Of which the origin alone told, and the ticket that it gave is good for them."""

    async def main() -> None:
        async with town("weak", "weak", "weak", "weak") as place:
            await befriend(place, (ANNA, BEN), (ANNA, CARA))
            await place.connect((BEN, ANNA), (CARA, ANNA))
            root = await share(place, ANNA, "contacts", size=12 * MIB)
            await get(place, BEN, root, [ANNA])
            assert replica(place, BEN).replica
            for number in (ANNA, BEN):
                host = place.nodes.host(number)
                place.world.network.set_path(
                    host, place.nodes.host(CARA), Quality(latency_s=0.01, bytes_per_s=5e5)
                )
            under_way = asyncio.create_task(get(place, CARA, root, [ANNA]))
            await asyncio.sleep(6)
            assert not under_way.done()
            place.kill(ANNA)
            outcome = await under_way
            assert givers(place, outcome) == {ANNA, BEN}
            assert outcome.bytes == 12 * MIB + 5
            assert str(replica(place, CARA).audience) == f"origin:{place[ANNA].peer_id}"

    run(main())


def test_who_lost_it_is_struck_and_another_is_asked() -> None:
    async def main() -> None:
        async with town("super", "weak", "weak", "weak", "weak") as place:
            eve = 4
            await place.connect((ANNA, SUPER), (BEN, SUPER), (CARA, SUPER), (eve, SUPER))
            await place.connect((BEN, ANNA), (eve, ANNA), (CARA, BEN), (CARA, eve))
            root = await share(place, ANNA, "public")
            for number in (BEN, eve):
                await get(place, number, root, [ANNA])
            await super_knows(place, BEN, eve, CARA)
            assert [hit for hit in await found(place[CARA], "maps") if hit.cid == root]
            place.kill(ANNA)
            await place[BEN].unshare("maps")
            outcome = await get(place, CARA, root, [BEN])
            assert givers(place, outcome) == {eve}
            record = place[CARA]._running.holders._record
            assert place[BEN].peer_id not in [one.peer for one in await record.known(root)]

    run(main())


def test_nothing_is_kept_where_the_user_wants_none() -> None:
    async def main() -> None:
        async with town("weak", "weak", "weak", "weak", others=with_files(keep_sharing=False)) as place:
            await place.connect((BEN, ANNA))
            root = await share(place, ANNA, "public")
            await get(place, BEN, root, [ANNA])
            assert place[BEN].shares() == []
        async with town("weak", "weak", "weak", "weak") as place:
            await place.connect((BEN, ANNA))
            root = await share(place, ANNA, "public")
            await get(place, BEN, root, [ANNA], keep=False)
            assert place[BEN].shares() == []

    run(main())
