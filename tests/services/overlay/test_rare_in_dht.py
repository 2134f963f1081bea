"""Whole nodes: what no neighbour knows of is found by what a super-peer says in the DHT, and nothing is said
there but what everybody may see."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.services.directory.town import Town, found, until
from tests.services.overlay.test_whole_nodes import NEWS_S, ask, overlay
from warren import testing
from warren.config import Config
from warren.protocols.kad.config import KadConfig
from warren.runtime.simulated import Quality, World
from warren.services.directory.config import DirectoryConfig
from warren.services.overlay import summarising
from warren.services.overlay.rare import key_of
from warren.services.overlay.summarising import PROVIDE_AFTER_S
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from warren.protocols.kad.kad import Kad, PutReport

SEEKER, HOLDER, WEAK, HUB = 0, 1, 2, 3
ROLES = ["super", "super", "weak", "off", "off", "off", "off", "off"]
SAID_S = PROVIDE_AFTER_S + 60


def kad(town: Town, number: int) -> Kad:
    one: Kad = town[number].dht.kad
    return one


def keepers(town: Town, word: str) -> list[int]:
    """Who keeps that somebody has the word."""
    return [number for number in range(len(ROLES)) if kad(town, number)._keeping.providers(key_of(word))]


@asynccontextmanager
async def two_overlays() -> AsyncIterator[Town]:
    """Two super-peers that have no neighbours, in a DHT with others that are nothing else. A weak peer is
    registered with the second one.
    """
    world = World("rare words", loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    world.network.set_default(Quality(latency_s=0.001))
    config = replace(QUIET, dht=KadConfig(mode="server"), overlay=replace(Config().overlay, degree=0))
    town = Town(world, ROLES, config, DirectoryConfig(super_peers=1), public=True)
    try:
        for number in range(len(ROLES)):
            await town.start(number)
        for number in range(len(ROLES)):
            if number != HUB:
                await town[number].connect(town[HUB].addresses()[0])
        await town.connect((WEAK, HOLDER))
        await town.registered(WEAK, HOLDER)
        yield town
        assert town.directory(SEEKER).index.position(town[WEAK].peer_id) is None
    finally:
        await town.nodes.close()
        world.close()


def test_a_rare_word_leads_to_a_super_peer_that_the_overlay_does_not_reach() -> None:
    async def main() -> None:
        async with two_overlays() as town:
            await town.share(WEAK, "lighthouse.pdf")
            await town.registered(WEAK, HOLDER)
            await asyncio.sleep(NEWS_S)
            assert (await ask(town, SEEKER, "lighthouse", 5))[0] == []
            await asyncio.sleep(SAID_S)
            assert len(keepers(town, "lighthouse")) > 2
            assert overlay(town, SEEKER).neighbours == overlay(town, HOLDER).neighbours == ()
            paths, counts = await ask(town, SEEKER, "lighthouse", 5)
            assert paths == ["lighthouse.pdf"]
            assert counts.asked == 1

    testing.run(main())


def test_what_is_not_for_everybody_is_not_in_the_dht() -> None:
    async def main() -> None:
        async with two_overlays() as town:
            await town[HOLDER].add_contact(town[WEAK].addresses()[0])
            await town[WEAK].add_contact(town[HOLDER].addresses()[0])
            await town.share(WEAK, "windmill.pdf", "contacts")
            await town.share(HOLDER, "sawmill.pdf", "contacts")
            await town.share(WEAK, "lighthouse.pdf")
            await town.registered(WEAK, HOLDER)
            assert [hit.name for hit in await found(town[HOLDER], "windmill")] == ["windmill.pdf"]
            await asyncio.sleep(SAID_S)
            assert keepers(town, "lighthouse")
            assert keepers(town, "windmill") == keepers(town, "sawmill") == []
            # Even who is led there by something else hears of what is public alone.
            for word in ("windmill", "sawmill"):
                await kad(town, HOLDER).provide(key_of(word))
                assert (await ask(town, SEEKER, word, 5)) == ([], (1, 1))

    testing.run(main())


def test_what_is_public_no_more_is_neither_found_nor_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarising, "PROVIDE_AGAIN_S", 300.0)

    async def main() -> None:
        async with two_overlays() as town:
            await town.share(WEAK, "lighthouse.pdf")
            await town.share(HOLDER, "windmill.pdf")
            await asyncio.sleep(SAID_S)
            assert (await ask(town, SEEKER, "lighthouse", 5))[0] == ["lighthouse.pdf"]
            said: list[bytes] = []
            provide = kad(town, HOLDER).provide

            async def saying(key: bytes) -> PutReport:
                said.append(key)
                return await provide(key)

            monkeypatch.setattr(kad(town, HOLDER), "provide", saying)
            assert HOLDER in keepers(town, "lighthouse")
            (share,) = town[WEAK].shares()
            await town[WEAK].unshare(share.name)
            await until(lambda: HOLDER not in keepers(town, "lighthouse"))
            assert keepers(town, "lighthouse")  # others keep it until it has grown old
            assert (await ask(town, SEEKER, "lighthouse", 5)) == ([], (1, 1))
            await asyncio.sleep(1000)
            assert key_of("windmill") in said
            assert key_of("lighthouse") not in said

    testing.run(main())
