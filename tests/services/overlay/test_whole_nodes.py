"""Super-peers of whole nodes pass queries on, under the simulator."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import Town, found, names, until
from warren import testing
from warren.config import Config
from warren.core.found import Counts
from warren.core.query import Query, terms_of
from warren.runtime.simulated import Quality, World
from warren.services.directory.config import DirectoryConfig
from warren.testing.nodes import QUIET

NEWS_S = 5.0
"""After so long two hops away it is known what there is: on each hop a change waits two seconds at most."""

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.services.overlay.overlay import Overlay


@asynccontextmanager
async def supers(count: int, edges: list[tuple[int, int]], *, weak: int = 0) -> AsyncIterator[Town]:
    """Super-peers that are neighbours as `edges` say and know nobody else; then so many weak peers."""
    world = World(count, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    world.network.set_default(Quality(latency_s=0.001))
    config = replace(QUIET, overlay=replace(Config().overlay, degree=32))
    roles = ["super"] * count + ["weak"] * weak
    town = Town(world, roles, config, DirectoryConfig(), public=False)
    try:
        for number in range(len(roles)):
            await town.start(number)
        await town.connect(*edges)
        degrees = [sum(number in edge for edge in edges) for number in range(count)]
        await until(lambda: [len(overlay(town, one).neighbours) for one in range(count)] == degrees)
        yield town
    finally:
        await town.nodes.close()
        world.close()


def overlay(town: Town, number: int) -> Overlay:
    return town[number]._running.overlay


async def ask(town: Town, number: int, text: str, ttl: int) -> tuple[list[str], Counts]:
    """The paths that the overlay finds, and how many looked."""
    query, paths, counts = Query(terms_of(text)), [], Counts(0, 0)
    async for one in overlay(town, number).search(query, ttl):
        if isinstance(one, Counts):
            counts = one
        else:
            paths.append(one.entry.path)
    return sorted(paths), counts


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 10])
def test_a_line_needs_as_many_hops_as_it_is_long(count: int) -> None:
    async def main() -> None:
        async with supers(count, [(one, one + 1) for one in range(count - 1)]) as town:
            await town.share(count - 1, "lighthouse.pdf")
            await until(lambda: town.directory(count - 1).index.position(town[count - 1].peer_id))
            assert (await ask(town, 0, "lighthouse", count - 1))[0] == ["lighthouse.pdf"]  # before summaries
            await asyncio.sleep(NEWS_S)
            for ttl in range(count):
                paths, counts = await ask(town, 0, "lighthouse", ttl)
                assert paths == (["lighthouse.pdf"] if ttl == count - 1 else [])
                assert counts.asked <= ttl

    testing.run(main())


@pytest.mark.parametrize("count", [2, 4, 7])
def test_a_weak_peer_asks_as_far_as_its_super_peer(count: int) -> None:
    """Whoever searches from one end for what a weak peer at the other end shares."""

    async def main() -> None:
        line = [(one, one + 1) for one in range(count - 1)]
        async with supers(count, line, weak=2) as town:
            asker, holder = count, count + 1
            await town.connect((asker, 0), (holder, count - 1))
            await town.share(holder, "lighthouse.pdf")
            await town.registered(holder, count - 1)
            await until(town.directory(asker).registrar.registered)
            await asyncio.sleep(NEWS_S)
            for ttl, there in (0, False), (count - 2, False), (count - 1, True), (count, True):
                async with town[asker].search("lighthouse", ttl=ttl) as search:
                    hits = [hit async for hit in search]
                assert [hit.name for hit in hits] == (["lighthouse.pdf"] if there else [])
                assert search.progress.in_time

    testing.run(main())


@pytest.mark.parametrize(("count", "near", "far"), [(3, 1, 2), (5, 2, 4), (7, 1, 6), (7, 5, 6)])
def test_two_responders_of_a_line_both_arrive_and_the_nearer_alone_with_fewer_hops(
    count: int, near: int, far: int
) -> None:
    async def main() -> None:
        async with supers(count, [(one, one + 1) for one in range(count - 1)]) as town:
            await town.share(near, "lighthouse near.pdf")
            await town.share(far, "lighthouse far.pdf")
            await asyncio.sleep(NEWS_S)
            both = ["lighthouse far.pdf", "lighthouse near.pdf"]
            assert (await ask(town, 0, "lighthouse", far))[0] == both
            assert (await ask(town, 0, "lighthouse", far - 1))[0] == ["lighthouse near.pdf"]
            assert (await ask(town, 0, "lighthouse", near - 1))[0] == []

    testing.run(main())


def test_the_same_content_at_two_responders_is_one_hit_with_both() -> None:
    async def main() -> None:
        async with supers(5, [(one, one + 1) for one in range(4)]) as town:
            for number in (2, 4):
                disk = town.world.runtime(town.nodes.host(number)).disk
                disk.make_dirs("/shared")
                disk.write_whole("/shared/lighthouse.pdf", b"the same")
                await town[number].share("/shared/lighthouse.pdf", "public")
            await asyncio.sleep(NEWS_S)
            (hit,) = await found(town[0], "lighthouse")
            assert {one.peer for one in hit.holders} == {town[2].peer_id, town[4].peer_id}

    testing.run(main())


def test_two_responders_of_a_ring_both_arrive_once() -> None:
    async def main() -> None:
        count = 6
        async with supers(count, [(one, (one + 1) % count) for one in range(count)]) as town:
            await town.share(2, "lighthouse east.pdf")
            await town.share(4, "lighthouse west.pdf")
            await asyncio.sleep(NEWS_S)
            paths, counts = await ask(town, 0, "lighthouse", 5)
            assert paths == ["lighthouse east.pdf", "lighthouse west.pdf"]
            assert counts.asked == count - 1
            assert await names(town[0], "lighthouse") == paths

    testing.run(main())


def test_what_is_not_for_everybody_is_nowhere_in_the_overlay() -> None:
    async def main() -> None:
        async with supers(3, [(0, 1), (1, 2)]) as town:
            await town.share(2, "lighthouse secret.pdf", "contacts")
            await town.share(2, "windmill.pdf")
            await asyncio.sleep(NEWS_S)
            paths, counts = await ask(town, 0, "lighthouse", 2)
            assert paths == []
            assert counts.asked == 2
            assert (await ask(town, 0, "windmill", 2))[0] == ["windmill.pdf"]
            assert overlay(town, 1)._summaries.holders("windmill") == 1
            assert overlay(town, 1)._summaries.holders("lighthouse") == 0
            assert set(overlay(town, 2)._summarising._own.words) == {"windmill", "pdf"}

    testing.run(main())
