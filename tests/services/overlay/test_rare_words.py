"""What no neighbour knows of is found by a word that somebody says in the DHT to have."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.services.directory.town import until
from tests.services.overlay.test_whole_nodes import NEWS_S, ask, overlay, supers
from warren import testing
from warren.core.errors import ConnectionFailed
from warren.services.overlay import summarising
from warren.services.overlay.asking import RARE_S
from warren.services.overlay.interfaces import Holder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest

    from tests.services.directory.town import Town


class Dht:
    """Of all of them: word -> numbers."""

    def __init__(self, town: Town, number: int, provided: dict[str, list[int]]) -> None:
        self.town, self.number, self.provided = town, number, provided
        self.broken = False

    async def provide(self, word: str) -> None:
        if self.broken:
            raise ConnectionFailed("nobody is there")
        self.provided.setdefault(word, []).append(self.number)

    def withdraw(self, word: str) -> None:
        self.provided[word].remove(self.number)

    async def find(self, word: str) -> AsyncGenerator[Holder, None]:
        if self.broken:
            raise ConnectionFailed("nobody is there")
        for number in self.provided.get(word, ()):
            node = self.town[number]
            yield Holder(node.peer_id, tuple(node._running.whereabouts.reachable()))


def with_dht(town: Town) -> tuple[dict[str, list[int]], list[Dht]]:
    """Give each a DHT, and let it begin anew with it."""
    provided: dict[str, list[int]] = {}
    made = [Dht(town, number, provided) for number in range(len(town.nodes))]
    for number, one in enumerate(made):
        overlay(town, number)._rare = one
    return provided, made


def test_who_says_to_have_a_rare_word_is_asked() -> None:
    async def main() -> None:
        async with supers(4, [(0, 1)]) as town:
            provided, dhts = with_dht(town)
            for number in (2, 3):
                overlay(town, number).set_active(False)
                await asyncio.sleep(1)
                overlay(town, number).set_active(True)
                await town.share(number, f"lighthouse {number}.pdf")
            await asyncio.sleep(NEWS_S)
            assert (await ask(town, 0, "lighthouse", 5))[0] == []
            await asyncio.sleep(summarising.PROVIDE_AFTER_S + 30)
            assert sorted(provided["lighthouse"]) == [2, 3]
            dhts[0].broken = True
            assert (await ask(town, 0, "lighthouse", 5))[0] == []
            dhts[0].broken = False
            provided["lighthouse"].append(0)  # ourselves: not asked
            paths, counts = await ask(town, 0, "lighthouse", 5)
            assert paths == ["lighthouse 2.pdf", "lighthouse 3.pdf"]
            assert counts.asked == 3
            town.kill(3)
            began = asyncio.get_running_loop().time()
            assert (await ask(town, 0, "lighthouse", 5))[0] == ["lighthouse 2.pdf"]
            assert asyncio.get_running_loop().time() - began < 2 * RARE_S

    testing.run(main())


def test_a_word_is_said_again_when_it_could_not_be() -> None:
    async def main() -> None:
        async with supers(2, [(0, 1)]) as town:
            provided, dhts = with_dht(town)
            dhts[1].broken = True
            overlay(town, 1).set_active(False)
            await asyncio.sleep(1)
            overlay(town, 1).set_active(True)
            await town.share(1, "lighthouse.pdf")
            await asyncio.sleep(summarising.PROVIDE_AFTER_S + 30)
            assert not provided
            dhts[1].broken = False
            await asyncio.sleep(summarising.PROVIDE_AFTER_S + 30)
            assert provided["lighthouse"] == [1]
            await asyncio.sleep(3600)
            assert provided["lighthouse"] == [1]

    testing.run(main())


def test_words_that_come_and_go_with_their_owners_are_not_said_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summarising, "PROVIDE_AGAIN_S", 1000.0)

    async def main() -> None:
        async with supers(2, [(0, 1)]) as town:
            provided, _ = with_dht(town)
            overlay(town, 1).set_active(False)
            await asyncio.sleep(1)
            overlay(town, 1).set_active(True)
            await town.share(1, "lighthouse.pdf")
            await asyncio.sleep(summarising.PROVIDE_AFTER_S + 30)
            assert provided["lighthouse"] == [1]
            (share,) = town[1].shares()
            await town[1].unshare(share.name)
            await until(lambda: provided["lighthouse"] == [])
            await town.share(1, "lighthouse.pdf")
            await asyncio.sleep(2 * summarising.PROVIDE_AFTER_S)
            assert provided["lighthouse"] == []  # those who were told keep it meanwhile
            await asyncio.sleep(summarising.PROVIDE_AGAIN_S)
            assert provided["lighthouse"] == [1]

    testing.run(main())


def test_an_owner_with_other_words_each_minute_does_not_fill_the_dht(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarising, "PROVIDED_MAX", 2)

    async def main() -> None:
        async with supers(2, [(0, 1)]) as town:
            provided, _ = with_dht(town)
            overlay(town, 1)._config = replace(overlay(town, 1)._config, rare_words=1)
            overlay(town, 1).set_active(False)
            await asyncio.sleep(1)
            overlay(town, 1).set_active(True)
            for number in range(4):
                await town.share(1, f"lighthouse{number}")
                await asyncio.sleep(summarising.PROVIDE_AFTER_S + 10)
                (share,) = town[1].shares()
                await town[1].unshare(share.name)
                await asyncio.sleep(NEWS_S)
            assert set(provided) == {"lighthouse0", "lighthouse1"}

    testing.run(main())
