"""Looking again and again, and naming only what is new."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from warren import testing
from warren.core.errors import RequestTimeout
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.services.discovery import looking
from warren.services.discovery.looking import LookPolicy, News, look_again
from warren.services.discovery.model import Found

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

PEER = PrivateKey.from_seed(b"p" * 32).peer_id
ONE, OTHER = (Multiaddr.parse(f"/ip4/10.0.0.{number}/tcp/1") for number in (1, 2))


class Middle:
    """Chance without chance."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def times_of_looks(failing: bool, until: float) -> list[float]:
    """When a look is taken, if all fail or all succeed."""
    times: list[float] = []

    async def look() -> AsyncIterator[Found]:
        times.append(asyncio.get_running_loop().time())
        if failing:
            raise RequestTimeout("nobody answers")
        yield Found(PEER, (ONE,), "test")

    async def main() -> None:
        search = look_again(look, LookPolicy(every_s=60.0, first_s=2.0), Middle(), "looking")
        try:
            async with asyncio.timeout(until), aclosing(cast("AsyncGenerator[Found, None]", search)):
                async for _ in search:
                    pass
        except TimeoutError:
            pass

    testing.run(main())
    return times


def test_looks_that_succeed_keep_their_pace() -> None:
    assert times_of_looks(failing=False, until=200.0) == [0.0, 60.0, 120.0, 180.0]


def test_looks_that_fail_back_off_up_to_that_pace() -> None:
    assert times_of_looks(failing=True, until=200.0) == [0.0, 2.0, 6.0, 14.0, 30.0, 62.0, 122.0, 182.0]


def test_a_peer_is_named_again_with_a_new_address_only() -> None:
    news = News()
    assert news.of(Found(PEER, (ONE,), "test")) == Found(PEER, (ONE,), "test")
    assert news.of(Found(PEER, (ONE,), "test")) is None
    both = Found(PEER, (ONE, OTHER), "test")
    assert news.of(both) == both
    assert news.of(Found(PEER, (OTHER,), "test")) is None


def test_of_addresses_only_the_new_ones_are_named() -> None:
    news = News()
    assert news.of(Found(None, (ONE, ONE), "test")) == Found(None, (ONE,), "test")
    assert news.of(Found(None, (ONE, OTHER), "test")) == Found(None, (OTHER,), "test")
    assert news.of(Found(None, (ONE, OTHER), "test")) is None


def test_what_is_remembered_is_bounded() -> None:
    news = News()
    for number in range(looking.NAMED_MAX + 10):
        news.of(
            Found(None, (Multiaddr.tcp(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1),), "test")
        )
    assert news.of(Found(None, (Multiaddr.tcp("10.0.0.1", 1),), "test")) is not None
