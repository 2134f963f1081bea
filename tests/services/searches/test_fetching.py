"""Standing searches of whole nodes: what was announced comes, and no more than that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import town
from warren.core.query import Query, terms_of
from warren.testing import run

if TYPE_CHECKING:
    from tests.services.directory.town import Town


def fetched(place: Town) -> list[str]:
    """What lies in the downloads of node 0."""
    folder = place[0].config.download_dir
    disk = place.world.runtime(place.nodes.host(0)).disk
    try:
        return sorted(one.name for one in disk.scan(folder) if not one.name.startswith("."))
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("whole", [True, False])
def test_a_small_announcement_brings_no_large_file(*, whole: bool) -> None:
    """Of a file that is a share the other one tells the size; of one in a folder nobody does."""

    async def scenario() -> None:
        async with town("weak", "weak") as place:
            await place.connect((0, 1))
            disk = place.world.runtime(place.nodes.host(1)).disk
            disk.make_dirs("/music")
            disk.write_whole("/music/song.mp3", b"z" * 5_000_000)
            disk.write_whole("/music/short-song.mp3", b"z" * 700)
            await place[1].share("/music/song.mp3" if whole else "/music", "public")
            if whole:
                await place[1].share("/music/short-song.mp3", "public")
            await asyncio.sleep(60)  # the folder was looked at again, and is told of no more
            catalog = place.directory(1).catalog
            entries = [one.entry for one in await catalog.page("", {0}) if one.entry.name == "song.mp3"]
            # Its catalog says something else than what is so.
            await catalog.change("public", [one._replace(size=100) for one in entries])
            await asyncio.sleep(1)
            await place[0].searches.save("songs", Query(terms_of("song"), size_max=1000), fetch=True)
            await asyncio.sleep(300)
            told = {one.name: (one.size, one.fetched) for one in await place[0].searches.matches("songs")}
            assert told == {"song.mp3": (100, False), "short-song.mp3": (700, True)}
            assert fetched(place) == ["short-song.mp3"]

    run(scenario())


def test_a_folder_has_the_size_that_was_announced() -> None:
    async def scenario() -> None:
        async with town("weak", "weak") as place:
            await place.connect((0, 1))
            disk = place.world.runtime(place.nodes.host(1)).disk
            disk.make_dirs("/music/songs/old")
            for number in range(3):
                disk.write_whole(f"/music/songs/old/{number}", bytes([number]) * 300_000)
            disk.write_whole("/music/songs/empty", b"")
            await place[1].share("/music/songs", "public")
            await asyncio.sleep(1)
            await place[0].searches.save("songs", Query(terms_of("songs"), suffixes=("dir",)), fetch=True)
            await asyncio.sleep(100)
            assert fetched(place) == ["old", "songs"]

    run(scenario())
