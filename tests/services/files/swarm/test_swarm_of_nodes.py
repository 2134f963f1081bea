"""Whole nodes under the simulator: receivers that are sources for each other while they receive."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from warren import testing
from warren.core.errors import ContentUnknown
from warren.network.config import FOR_MANY
from warren.services.files.config import FilesConfig
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from warren.services.files.types import Fetched
    from warren.testing.nodes import Nodes

MIB = 1024 * 1024
RATE = 4e6
FILM = random.Random(5).randbytes(32 * MIB)


async def fetch(made: Nodes, number: int) -> Fetched:
    origin = made[0]
    (share,) = origin.shares()
    fetcher = made[number]._running.fetcher
    async with fetcher.get(share.cid, "/downloads", peers=[origin.peer_id]) as transfer:
        await transfer.result()
        assert transfer.outcome is not None
        return transfer.outcome


async def share(made: Nodes, audience: str) -> None:
    disk = made.runtime(0).disk
    disk.make_dirs("/shared")
    disk.write_whole("/shared/film", FILM)
    await made[0].share("/shared/film", audience)
    made.world.network.set_access(made.host(0), up_bytes_per_s=RATE)


def test_receivers_are_sources_for_each_other() -> None:
    async def main() -> None:
        async with testing.network(4, encrypted=False) as made:
            await share(made, "public")
            begun = made.world.clock.now()
            outcomes = await asyncio.gather(*(fetch(made, number) for number in (1, 2, 3)))
            took_s = made.world.clock.now() - begun
            assert took_s < 1.45 * len(FILM) / RATE  # each for itself it would be 3
            given = [
                sum(one.bytes_fetched for one in outcome.sources if one.peer != made[0].peer_id)
                for outcome in outcomes
            ]
            assert min(given) > 16 * MIB
            for number in (1, 2, 3):
                disk = made.runtime(number).disk
                assert disk.open_read(Path("/downloads/film")).pread(0, 1 << 30) == FILM

    testing.run(main())


def test_many_more_receivers_than_each_asks_are_no_slower() -> None:
    async def main() -> None:
        count, pieces, rate = 40, 8, 2e6
        files = FilesConfig(sources_max=6, serve_strangers_max=64)
        config = replace(QUIET, files=files, network=FOR_MANY)
        async with testing.network(1 + count, degree=0, config=config, encrypted=False) as made:
            disk = made.runtime(0).disk
            disk.make_dirs("/shared")
            disk.write_whole("/shared/film", FILM[: pieces * MIB])
            share = await made[0].share("/shared/film", "public")
            for number in range(1 + count):
                made.world.network.set_access(made.host(number), up_bytes_per_s=rate * (1 if number else 2))
            begun = made.world.clock.now()

            async def receive(number: int) -> None:
                await made[number].connect(made[0].addresses()[0])
                await made[number].get(share.cid, holders=[made[0].peer_id]).result()

            await asyncio.gather(*(receive(number) for number in range(1, 1 + count)))
            took_s = made.world.clock.now() - begun
        # Half a second for each doubling of a piece, before which most have nothing to give.
        assert took_s < 6 * 0.6 + 2 * count * pieces * MIB / ((count + 2) * rate)

    testing.run(main())


def test_what_is_for_contacts_goes_to_those_whom_the_origin_admits() -> None:
    async def main() -> None:
        async with testing.network(4, encrypted=False) as made:
            for number in (1, 2):
                card = made[number].network.listen_addrs[0].with_peer(made[number].peer_id)
                await made[0].contacts.add(made[number].peer_id, f"friend {number}", [card])
            await share(made, "contacts")
            outcomes = await asyncio.gather(fetch(made, 1), fetch(made, 2), return_exceptions=True)
            assert [one for one in outcomes if isinstance(one, BaseException)] == []
            (share_of_it,) = made[0].shares()
            for peer in (0, 1, 2):
                fetcher = made[3]._running.fetcher
                ask = fetcher.get(share_of_it.cid, "/x", peers=[made[peer].peer_id], only=True)
                with pytest.raises(ContentUnknown):
                    await ask.result()

    testing.run(main())
