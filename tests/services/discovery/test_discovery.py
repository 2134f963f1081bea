"""All discoveries of a node together: none holds up another, and none outlives it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest

from warren import testing
from warren.core.errors import InputError, RequestTimeout
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.services.discovery.discovery import Discovery
from warren.services.discovery.model import Found, PeerVanished, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from warren.services.discovery.finder import Finder

PEER = PrivateKey.from_seed(b"p" * 32).peer_id
PLACE = Multiaddr.parse("/ip4/10.0.0.1/tcp/1")


class FakeFinder:
    """Notes what it is told."""

    found, tried, met, wanted = 7, 5, 3, 16

    def __init__(self) -> None:
        self.taken: list[Found] = []
        self.gone: list[object] = []

    async def take(self, found: Found) -> None:
        self.taken.append(found)

    def vanished(self, peer: object, source: str) -> None:
        self.gone.append((peer, source))

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()


class FakeSource:
    """Names one peer, or fails so many times before it does; remembers what it was told to advertise."""

    def __init__(self, name: str, *, failures: int = 0, separates: bool = True) -> None:
        self.name = name
        self.separates = separates
        self.failures = failures
        self.open_searches = 0
        self.advertised: list[str] = []
        self.withdrawn: list[str] = []

    @property
    def activity(self) -> tuple[bool, str]:
        return True, "for a test"

    async def find(self, namespace: str) -> AsyncIterator[Found]:
        self.open_searches += 1
        try:
            if self.failures:
                self.failures -= 1
                raise RequestTimeout(namespace)
            yield Found(PEER, (PLACE,), self.name)
            await asyncio.get_running_loop().create_future()
        finally:
            self.open_searches -= 1

    async def advertise(self, namespace: str) -> float:
        self.advertised.append(namespace)
        if self.failures:
            self.failures -= 1
            raise RequestTimeout(namespace)
        return 100.0

    async def withdraw(self, namespace: str) -> None:
        self.withdrawn.append(namespace)


def made(*sources: FakeSource, **more: Any) -> tuple[Discovery, FakeFinder]:
    finder = FakeFinder()
    discovery = Discovery("warren", cast("Finder", finder), discoverers=sources, advertisers=sources, **more)
    return discovery, finder


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_what_every_source_finds_goes_to_the_finder_though_one_fails() -> None:
    async def main() -> None:
        good, bad = FakeSource("good"), FakeSource("bad", failures=3)
        discovery, finder = made(good, bad)
        running = asyncio.ensure_future(discovery.run())
        await asyncio.sleep(1.0)
        assert [one.source for one in finder.taken] == ["good"]
        await asyncio.sleep(120.0)
        assert [one.source for one in finder.taken] == ["good", "bad"]
        await stop(running)
        assert good.open_searches == bad.open_searches == 0

    testing.run(main())


def test_who_is_not_followed_is_asked_by_a_search_alone() -> None:
    async def main() -> None:
        followed, other = FakeSource("followed"), FakeSource("other")
        discovery, finder = made(followed, other, followed=[followed])
        running = asyncio.ensure_future(discovery.run())
        await asyncio.sleep(1.0)
        assert [one.source for one in finder.taken] == ["followed"]
        assert (other.open_searches, other.advertised) == (0, ["warren"])
        async with aclosing(cast("AsyncGenerator[Found, None]", discovery.find("warren"))) as search:
            assert {(await anext(search)).source, (await anext(search)).source} == {"followed", "other"}
        await stop(running)

    testing.run(main())


def test_it_is_advertised_again_before_it_ends_and_no_more_once_withdrawn() -> None:
    async def main() -> None:
        good, bad = FakeSource("good"), FakeSource("bad", failures=1)
        discovery, _ = made(good, bad)
        await discovery.advertise("chess")
        await discovery.advertise("chess")
        assert (good.advertised, bad.advertised) == (["chess"], ["chess"])
        await asyncio.sleep(99.0)
        assert good.advertised == ["chess"] * 2
        assert len(bad.advertised) >= 2
        await discovery.withdraw("chess")
        before = len(good.advertised)
        await asyncio.sleep(1000.0)
        assert len(good.advertised) == before
        assert good.withdrawn == bad.withdrawn == ["chess"]
        await discovery.withdraw("chess")
        assert good.withdrawn == ["chess"]

    testing.run(main())


def test_a_search_joins_all_sources_and_leaves_nothing_when_it_ends() -> None:
    async def main() -> None:
        sources = FakeSource("one"), FakeSource("other")
        discovery, finder = made(*sources)
        before = asyncio.all_tasks()
        found = set()
        async with aclosing(cast("AsyncGenerator[Found, None]", discovery.find("chess"))) as search:
            async for one in search:
                found.add(one.source)
                if len(found) == 2:
                    break
        assert all(one.open_searches == 0 for one in sources)
        assert asyncio.all_tasks() == before
        assert finder.taken == []

    testing.run(main())


def test_a_list_counts_for_the_network_of_the_node_alone() -> None:
    async def sources(discovery: Discovery, namespace: str) -> set[str]:
        found: set[str] = set()
        async with aclosing(cast("AsyncGenerator[Found, None]", discovery.find(namespace))) as search:
            for _ in discovery.sources(namespace):
                found.add((await anext(search)).source)
        return found

    async def main() -> None:
        listed, told = FakeSource("list", separates=False), FakeSource("told")
        discovery, _ = made(listed, told)
        assert await sources(discovery, "warren") == {"list", "told"}
        assert await sources(discovery, "chess") == {"told"}
        assert discovery.sources("chess") == (Source("told", True, "for a test"),)
        discovery, _ = made(listed)
        for doing in (lambda: discovery.sources("chess"), lambda: anext(discovery.find("chess"))):
            with pytest.raises(InputError, match="nothing here can look for 'chess'") as caught:
                await cast("Any", doing())
            assert "discovery.mdns" in caught.value.hint

    testing.run(main())


def test_it_is_advertised_as_long_as_anybody_wants_that() -> None:
    async def main() -> None:
        source = FakeSource("one")
        discovery, _ = made(source)
        before = asyncio.all_tasks()
        async with discovery.advertised("chess"):
            async with discovery.advertised("chess"):
                await asyncio.sleep(1.0)
                assert source.advertised == ["chess"]
            assert source.withdrawn == []
            await asyncio.sleep(99.0)
            assert source.advertised == ["chess"] * 2
        assert source.withdrawn == ["chess"]
        await discovery.advertise("chess")
        async with discovery.advertised("chess"):
            pass
        assert source.withdrawn == ["chess"]
        async with discovery.advertised("chess"):
            await discovery.withdraw("chess")
            assert source.withdrawn == ["chess"]
        assert source.withdrawn == ["chess"] * 2
        assert asyncio.all_tasks() == before

    testing.run(main())


def test_where_nothing_can_say_it_that_is_told() -> None:
    async def main() -> None:
        discovery, _ = made()
        await discovery.advertise("chess")  # as a node does under its own name, whatever it has
        with pytest.raises(InputError, match="nothing here lets this node be found under 'chess'"):
            async with discovery.advertised("chess"):
                pass

    testing.run(main())


def test_the_end_of_a_node_ends_what_it_advertised() -> None:
    async def main() -> None:
        source = FakeSource("one")
        discovery, _ = made(source)
        before = asyncio.all_tasks()
        running = asyncio.ensure_future(discovery.run())
        await asyncio.sleep(1.0)
        await discovery.advertise("chess")
        assert source.advertised == ["warren", "chess"]
        await stop(running)
        assert asyncio.all_tasks() == before
        running = asyncio.ensure_future(discovery.run())  # again, after a fault
        await asyncio.sleep(1.0)
        assert sorted(source.advertised[2:]) == ["chess", "warren"]
        await stop(running)

    testing.run(main())


@pytest.mark.parametrize("namespace", ["", " ", "ü" * 128, "\udcff"])
def test_what_is_no_namespace_is_refused(namespace: str) -> None:
    async def main() -> None:
        discovery, _ = made()
        with pytest.raises(InputError):
            await discovery.advertise(namespace)
        with pytest.raises(InputError):
            await anext(discovery.find(namespace))
        with pytest.raises(InputError):
            discovery.sources(namespace)
        with pytest.raises(InputError):
            async with discovery.advertised(namespace):
                pass

    testing.run(main())


def test_who_vanished_is_told_to_the_finder_and_to_whoever_listens() -> None:
    events: list[object] = []
    discovery, finder = made(emit=events.append)
    discovery.vanished(PEER, "mdns")
    assert finder.gone == [(PEER, "mdns")]
    assert events == [PeerVanished(PEER, "mdns")]


def test_the_status_says_what_each_source_does() -> None:
    discovery, _ = made(FakeSource("one"))
    status = discovery.status()
    assert status.sources == (Source("one", True, "for a test"),)
    assert (status.found, status.tried, status.met, status.wanted) == (7, 5, 3, 16)
