"""Standing searches: what is new is told once and fetched once, over restarts, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from warren import testing as simulated
from warren.core.cid import Cid
from warren.core.errors import ConnectionFailed, InputError, LimitReached, NotFound
from warren.core.keys import PrivateKey
from warren.core.query import Query, Term, terms_of
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.searches import searches as module
from warren.services.searches.model import Match, SearchMatched
from warren.services.searches.searches import FETCH_BYTES_MAX, LOOK_EVERY_S, SETTLE_S, Searches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PEERS = [PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in range(3)]
MAPS = Query(terms_of('old "map"'), suffixes=("pdf",), size_min=5, author="x")


def match(number: int, *, online: bool = True) -> Match:
    cid = Cid.raw_sha256(number.to_bytes(32))
    return Match(cid, f"{number}.pdf", "file", 10, "T", tuple(PEERS[:2]), online=online)


class Bench:
    def __init__(self, runtime: Any, state: Any) -> None:
        self.state = state
        self.there: list[Match] = []
        self.told: list[Any] = []
        self.fetched: list[str] = []
        self.asked: list[Query] = []
        self.broken = False
        self.searches = Searches(state, runtime.clock, self.search, self.fetch, self.told.append)

    async def search(self, query: Query) -> list[Match]:
        self.asked.append(query)
        if self.broken:
            raise ConnectionFailed("nobody is there")
        return self.there

    async def fetch(self, one: Match) -> bool:
        self.fetched.append(one.name)
        return not self.broken and one.name != "7.pdf"

    @property
    def names(self) -> list[str]:
        return [event.match.name for event in self.told]


@asynccontextmanager
async def bench(runtime: Any, state: Any) -> AsyncIterator[Bench]:
    made = Bench(runtime, state)
    await made.searches.load()
    running = asyncio.create_task(made.searches.run())
    try:
        yield made
    finally:
        running.cancel()


def run(main: Any) -> None:
    async def whole() -> None:
        runtime = World(1, loop=asyncio.get_running_loop()).runtime("a")  # type: ignore[arg-type]
        state = await runtime.open_database(":memory:", numbered_scripts("warren.services.searches"))
        await main(runtime, state)
        await state.close()

    simulated.run(whole())


def test_what_is_new_is_told_once() -> None:
    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            it.there = [match(1)]
            await it.searches.save("maps", MAPS)
            await asyncio.sleep(0.1)
            assert it.told == [SearchMatched("maps", it.told[0].match)]
            it.there = [match(1), match(2)]
            await asyncio.sleep(LOOK_EVERY_S + SETTLE_S)
            assert it.names == ["1.pdf", "2.pdf"]
            it.there = [match(3)]
            it.searches.wake()
            await asyncio.sleep(SETTLE_S + 0.1)
            assert it.names == ["1.pdf", "2.pdf", "3.pdf"]
            assert it.searches.count("maps") == 3
            assert it.fetched == []
            assert set(it.asked) == {MAPS}
            assert [one.holders for one in await it.searches.matches("maps")] == [tuple(PEERS[:2])] * 3

    run(main)


def test_it_is_kept_over_restarts() -> None:
    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            it.there = [match(1)]
            await it.searches.save("maps", MAPS, fetch=True)
            await asyncio.sleep(0.1)
        async with bench(runtime, state) as it:
            it.there = [match(1), match(2)]
            assert [(one.name, one.query, one.fetch) for one in it.searches.all()] == [("maps", MAPS, True)]
            await asyncio.sleep(SETTLE_S + 0.1)
            assert it.names == ["2.pdf"]
            assert it.fetched == ["2.pdf"], "the other one was fetched before"
            await it.searches.forget("maps")
        async with bench(runtime, state) as it:
            assert it.searches.all() == []

    run(main)


def test_what_cannot_be_fetched_yet_is_fetched_later() -> None:
    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            it.there = [match(1, online=False), match(7), match(3)]
            await it.searches.save("maps", MAPS, fetch=True)
            await asyncio.sleep(0.1)
            assert it.fetched == ["7.pdf", "3.pdf"]
            it.there = [match(1)]
            it.searches.wake()
            await asyncio.sleep(SETTLE_S + 0.1)
            assert it.fetched == ["7.pdf", "3.pdf", "1.pdf"]
            assert [one.fetched for one in await it.searches.matches("maps")] == [True, False, True]

    run(main)


def test_what_can_never_be_fetched_is_tried_ever_less_often() -> None:
    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            it.there = [match(7)]
            await it.searches.save("maps", MAPS, fetch=True)
            await asyncio.sleep(86400)
            assert 24 <= len(it.fetched) <= 24 + 6
            it.there = [match(7), match(8)]
            await asyncio.sleep(LOOK_EVERY_S + SETTLE_S)
            assert it.fetched[-1] == "8.pdf"
            await it.searches.forget("maps")
            await it.searches.save("maps", MAPS, fetch=True)
            await asyncio.sleep(0.1)
            assert it.fetched[-2:] == ["7.pdf", "8.pdf"]  # asked for anew

    run(main)


def test_what_is_very_large_is_told_and_fetched_only_where_the_query_allows_it() -> None:
    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            large = replace(match(1), size=FETCH_BYTES_MAX + 1)
            it.there = [large, replace(match(2), size=FETCH_BYTES_MAX)]
            await it.searches.save("maps", MAPS, fetch=True)
            await asyncio.sleep(0.1)
            assert (it.names, it.fetched) == (["1.pdf", "2.pdf"], ["2.pdf"])
            await it.searches.save("large", replace(MAPS, size_max=1 << 40), fetch=True)
            await asyncio.sleep(LOOK_EVERY_S)
            assert it.fetched == ["2.pdf", "1.pdf", "2.pdf"]

    run(main)


def test_a_search_that_fails_is_tried_again() -> None:
    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            it.broken = True
            it.there = [match(1)]
            await it.searches.save("maps", MAPS)
            await asyncio.sleep(0.1)
            it.broken = False
            assert it.names == []
            await asyncio.sleep(LOOK_EVERY_S + SETTLE_S)
            assert it.names == ["1.pdf"]

    run(main)


def test_nothing_is_asked_where_nothing_is_saved() -> None:
    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            it.searches.wake()
            await asyncio.sleep(10 * LOOK_EVERY_S)
            await it.searches.save("maps", MAPS)
            await it.searches.forget("maps")
            await asyncio.sleep(10 * LOOK_EVERY_S)
            assert len(it.asked) <= 1

    run(main)


def test_names_and_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEARCHES_MAX", 2)
    monkeypatch.setattr(module, "MATCHES_MAX", 3)

    async def main(runtime: Any, state: Any) -> None:
        async with bench(runtime, state) as it:
            it.there = [match(number) for number in range(5)]
            await it.searches.save("maps", MAPS)
            with pytest.raises(InputError, match="already"):
                await it.searches.save("maps", MAPS)
            for name in ("", "  ", "x" * 101):
                with pytest.raises(InputError, match="1 to 100 characters"):
                    await it.searches.save(name, MAPS)
            await it.searches.save("b", Query((Term("b"),)))
            with pytest.raises(LimitReached, match="2 searches are saved"):
                await it.searches.save("c", MAPS)
            for ask in (it.searches.forget, it.searches.matches):
                with pytest.raises(NotFound, match="no search is saved as 'zz'"):
                    await ask("zz")
            await asyncio.sleep(0.1)
            assert len(await it.searches.matches("maps")) == it.searches.count("maps") == 3

    run(main)
