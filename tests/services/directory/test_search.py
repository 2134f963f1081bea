"""A search: many are asked at once, what they find comes at once, and one who fails stops no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.protocols.directory.made import entry, key
from warren.core.errors import MisuseError, Refused
from warren.core.found import Counts, Found
from warren.services.directory.merging import HOLDERS_MAX, Merging
from warren.services.directory.model import SearchProgress
from warren.services.directory.search import PATIENCE_S, Search, Source
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

A, B = key(1).peer_id, key(2).peer_id


def found(path: str) -> Found:
    return Found(A, entry(path), 1.0, online=True)


def merging() -> Merging:
    return Merging(2000, is_here=lambda _: False, latency=lambda _: None)


def source(peer: object, *what: Found | Counts | float | Exception) -> Source:
    """Yields these, sleeps for numbers, raises errors."""

    async def ask() -> AsyncGenerator[Found | Counts, None]:
        for one in what:
            if isinstance(one, Exception):
                raise one
            if isinstance(one, float):
                await asyncio.sleep(one)
            else:
                yield one

    return Source(peer, ask)  # type: ignore[arg-type]


def test_what_is_found_comes_at_once_and_the_end_when_all_have_answered() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        slow = source(B, 2.0, found("b"), Counts(3, 4))
        search = Search([source(A, found("a")), slow, source(None, Counts(1, 2))], merging(), 10.0)
        hit = await anext(search)
        assert (hit.name, loop.time()) == ("a", 0.0)
        assert search.progress == SearchProgress(3, 5, 1, done=False)
        assert [hit.name async for hit in search] == ["b"]
        assert loop.time() == 2.0
        assert search.progress == SearchProgress(7, 9, 2, done=True)
        with pytest.raises(StopAsyncIteration):
            await anext(search)

    run(scenario())


def test_who_fails_is_named_and_stops_no_other() -> None:
    async def scenario() -> None:
        error = Refused("no")
        sources = [
            source(B, found("b"), error),
            source(A, 1.0, found("a")),
            source(None, ValueError("a fault")),
            source(None, Refused("nobody in particular")),
        ]
        search = Search(sources, merging(), 10.0)
        assert [hit.name async for hit in search] == ["b", "a"]
        assert search.errors == {B: error}
        assert search.progress == SearchProgress(4, 4, 2, done=True)

    run(scenario())


def test_it_ends_at_its_deadline_with_what_there_is() -> None:
    async def scenario() -> None:
        search = Search([source(A, found("a"), 100.0, found("b"))], merging(), 3.0)
        assert [hit.name async for hit in search] == ["a"]
        assert asyncio.get_running_loop().time() == 3.0
        assert search.progress == SearchProgress(0, 1, 1, done=True, in_time=False)

    run(scenario())


def test_leaving_the_block_ends_it_and_tells_so() -> None:
    async def scenario() -> None:
        ended: list[bool] = []
        async with Search([source(A, found("a"), 1e6)], merging(), 1e9) as search:
            search.on_end(lambda: ended.append(True))
            async for _ in search:
                break
        assert search.progress.done
        await asyncio.sleep(0)
        assert ended == [True]
        await search.close()

    run(scenario())


def holders(count: int, pause_s: float) -> Source:
    """Finds one content at so many, one after the other, each time as one that fits better."""
    same = entry("a").cid

    def at(number: int) -> Found:
        return Found(key(number).peer_id, entry(f"{number}")._replace(cid=same), number, online=True)

    pauses = (pause_s for _ in range(count))
    return source(A, *(one for number, pause in enumerate(pauses) for one in (at(number), pause)))


def test_of_a_hit_that_nobody_has_taken_the_latest_state_waits() -> None:
    async def scenario() -> None:
        search = Search([holders(20, 0.01)], merging(), 10.0)
        await asyncio.sleep(1)
        (hit,) = [hit async for hit in search]
        assert len(hit.holders) == 20

    run(scenario())


def test_a_hit_of_which_ever_more_is_said_comes_ever_less_often() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        search = Search([holders(1200, 0.008)], merging(), 20.0)
        came = [(round(loop.time(), 1), len(hit.holders)) async for hit in search]
        assert [at for at, _ in came] == [0.0, 0.3, 0.8, 1.8, 3.8, 7.8, 9.6]
        assert came[0][1] == 1
        assert came[-1][1] == HOLDERS_MAX

    run(scenario())


def test_nobody_fills_the_list_before_others_could_answer() -> None:
    async def scenario() -> None:
        eager = source(A, *(found(f"a{number}") for number in range(100)))
        late = source(B, 1.0, found("b"))
        never = source(None, 100.0)
        few = Merging(10, is_here=lambda _: False, latency=lambda _: None)
        loop = asyncio.get_running_loop()
        came = [(loop.time(), hit.name) async for hit in Search([eager, late, never], few, 5.0)]
        assert came[:3] == [(0.0, "a0"), (0.0, "a1"), (0.0, "a2")]
        assert (1.0, "b") in came
        assert len(came) == 10
        assert came[-1][0] == PATIENCE_S  # who never answers holds up nobody longer

    run(scenario())


def test_two_consumers_are_a_mistake() -> None:
    async def scenario() -> None:
        async with Search([source(A, 1.0)], merging(), 10.0) as search:
            first = asyncio.ensure_future(anext(search, None))
            await asyncio.sleep(0)
            with pytest.raises(MisuseError):
                await anext(search)
            assert await first is None

    run(scenario())
