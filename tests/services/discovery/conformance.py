"""What every `Discoverer` and `Advertiser` must do, whatever is behind it.

In:  a `Case`, which makes somebody findable by one implementation. Out: failures of the tests below, which a
test module takes in with `from tests.services.discovery.conformance import *` and a fixture `case`.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, cast

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.services.discovery.model import DEFAULT_NAMESPACE, Found

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from warren.core.peer_id import PeerId
    from warren.runtime.simulated import World
    from warren.services.discovery.interfaces import Advertiser, Discoverer

LONG_S = 3000.0
PEERS = [PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in range(1, 6)]


def place(number: int) -> Multiaddr:
    return Multiaddr.parse(f"/ip4/10.0.0.{number}/tcp/4101")


class Case(Protocol):
    """One implementation in a simulated world.

    world: where it lives. grows: whether somebody can become findable while a search runs. tells_peers:
    whether it knows the peer ids. separates: whether it tells namespaces apart.
    """

    world: World
    grows: bool
    tells_peers: bool
    separates: bool

    @property
    def discoverer(self) -> Discoverer: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def put(self, peer: PeerId, address: Multiaddr, namespace: str) -> None:
        """Make a peer findable there."""

    def set_broken(self, broken: bool) -> bool:
        """Let looking fail, or work again; False where it cannot fail."""


async def take(discoverer: Discoverer, count: int, namespace: str = DEFAULT_NAMESPACE) -> list[Found]:
    """The first that are found."""
    found: list[Found] = []
    async with asyncio.timeout(LONG_S):
        async with aclosing(cast("AsyncGenerator[Found, None]", discoverer.find(namespace))) as search:
            async for one in search:
                found.append(one)
                if len(found) == count:
                    return found
    raise AssertionError("the search ended")


async def take_all(discoverer: Discoverer, namespace: str = DEFAULT_NAMESPACE) -> list[Found]:
    """All that are found within a long time."""
    found: list[Found] = []
    try:
        async with asyncio.timeout(LONG_S):
            async with aclosing(cast("AsyncGenerator[Found, None]", discoverer.find(namespace))) as search:
                async for one in search:
                    found.append(one)  # noqa: PERF401  what came before the timeout counts
    except TimeoutError:
        return found
    raise AssertionError("the search ended")


def run(case: Case, main: Any) -> None:
    async def started() -> None:
        await case.start()
        try:
            await main()
        finally:
            await case.stop()

    case.world.run(started())


def said(case: Case, number: int, *addresses: Multiaddr) -> Found:
    peer = PEERS[number] if case.tells_peers else None
    return Found(peer, addresses or (place(number + 1),), case.discoverer.name)


def test_all_that_are_there_are_found(case: Case) -> None:
    async def main() -> None:
        for number in range(3):
            await case.put(PEERS[number], place(number + 1), DEFAULT_NAMESPACE)
        found = await take(case.discoverer, 3)
        assert sorted(found, key=lambda one: one.addresses) == [said(case, number) for number in range(3)]

    run(case, main)


def test_nobody_is_named_twice_without_news(case: Case) -> None:
    async def main() -> None:
        for number in range(2):
            await case.put(PEERS[number], place(number + 1), DEFAULT_NAMESPACE)
        assert len(await take_all(case.discoverer)) == 2

    run(case, main)


def test_who_comes_later_is_found(case: Case) -> None:
    if not case.grows:
        return  # what is given at the start is all there is

    async def main() -> None:
        searching = asyncio.ensure_future(take(case.discoverer, 2))
        await case.put(PEERS[0], place(1), DEFAULT_NAMESPACE)
        await asyncio.sleep(100.0)
        await case.put(PEERS[1], place(2), DEFAULT_NAMESPACE)
        assert await searching == [said(case, 0), said(case, 1)]

    run(case, main)


def test_two_searches_do_not_take_from_each_other(case: Case) -> None:
    async def main() -> None:
        for number in range(2):
            await case.put(PEERS[number], place(number + 1), DEFAULT_NAMESPACE)
        one, other = await asyncio.gather(take(case.discoverer, 2), take(case.discoverer, 2))
        assert set(one) == set(other) == {said(case, 0), said(case, 1)}

    run(case, main)


def test_a_search_that_is_left_leaves_nothing_behind(case: Case) -> None:
    async def main() -> None:
        await case.put(PEERS[0], place(1), DEFAULT_NAMESPACE)
        before = asyncio.all_tasks()
        await take(case.discoverer, 1)
        waiting = asyncio.ensure_future(take(case.discoverer, 2))
        await asyncio.sleep(10.0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert asyncio.all_tasks() == before

    run(case, main)


def test_what_fails_is_tried_again(case: Case) -> None:
    async def main() -> None:
        await case.put(PEERS[0], place(1), DEFAULT_NAMESPACE)
        if not case.set_broken(True):
            return
        searching = asyncio.ensure_future(take(case.discoverer, 1))
        await asyncio.sleep(100.0)
        assert not searching.done()
        case.set_broken(False)
        assert await searching == [said(case, 0)]

    run(case, main)


def test_namespaces_are_told_apart_where_they_can_be(case: Case) -> None:
    async def main() -> None:
        await case.put(PEERS[0], place(1), DEFAULT_NAMESPACE)
        await case.put(PEERS[1], place(2), "chess")
        assert case.discoverer.separates is case.separates
        found = set(await take_all(case.discoverer, "chess"))
        assert found == ({said(case, 1)} if case.separates else {said(case, 0), said(case, 1)})

    run(case, main)


def test_it_says_what_it_does(case: Case) -> None:
    async def main() -> None:
        await case.put(PEERS[0], place(1), DEFAULT_NAMESPACE)
        active, note = case.discoverer.activity
        assert active
        assert note

    run(case, main)


class AdvertiserCase(Protocol):
    """An advertiser, and a discoverer of somebody else who finds by the same way.

    forgets: whether a search that begins after `withdraw` does not find it any more.
    """

    world: World
    me: PeerId
    forgets: bool

    @property
    def advertiser(self) -> Advertiser: ...

    @property
    def other(self) -> Discoverer: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def check_advertiser(case: AdvertiserCase) -> None:
    """Who advertises is found under that namespace and under no other, and no more once it has withdrawn."""

    async def main() -> None:
        await case.start()
        try:
            assert await case.advertiser.advertise("chess") > 0
            assert await case.advertiser.advertise("chess") > 0  # again, before it ends
            assert [one.peer for one in await take(case.other, 1, "chess")] == [case.me]
            assert await take_all(case.other, "go") == []
            await case.advertiser.withdraw("chess")
            await case.advertiser.withdraw("never said")
            if case.forgets:
                await asyncio.sleep(30.0)
                assert await take_all(case.other, "chess") == []
        finally:
            await case.stop()

    case.world.run(main())
