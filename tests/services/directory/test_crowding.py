"""Who answers more than all others, or never stops, takes from none of them, and is named where it lies."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tests.protocols.directory.made import entry
from tests.services.directory.town import names, town
from warren.core.found import Found
from warren.protocols.directory.messages import End, HitsAnswer
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest

    from tests.services.directory.town import Town
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.messages import Answer, Call


class Eager:
    """Answers a query with these hits, so often."""

    def __init__(self, hits: list[Found], times: int = 1, pause_s: float = 0.0) -> None:
        self.hits, self.times, self.pause_s = hits, times, pause_s

    def converse(self, _: object) -> Eager:
        return self

    def end(self) -> None:
        pass

    async def answer(self, _: Call) -> AsyncGenerator[Answer, None]:
        for _time in range(self.times):
            yield HitsAnswer(tuple(self.hits))
            await asyncio.sleep(self.pause_s)
        yield End(0, exact=True)


def maps(owner: PeerId, name: str = "map") -> list[Found]:
    return [Found(owner, entry(f"{name}-{number}.txt"), 1e9, online=True) for number in range(64)]


async def three(place: Town) -> PeerId:
    await place.connect((0, 1), (0, 2))
    await place.share(2, "map.txt")
    return place[1].peer_id


def test_hits_without_number_leave_room_for_those_of_others() -> None:
    async def scenario() -> None:
        async with town("weak", "weak", "weak") as place:
            liar = await three(place)
            place.directory(1).protocol._answerer = Eager(maps(liar))
            for _ in range(3):
                shown = await names(place[0], "map")
                assert len(shown) == 50
                assert "map.txt" in shown

    run(scenario())


def test_who_names_what_nobody_asked_for_until_the_deadline_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with town("weak", "weak", "weak") as place:
            liar = await three(place)
            strays = maps(liar, "casino")[:1]
            place.directory(1).protocol._answerer = Eager(strays, times=10_000, pause_s=0.05)
            async with place[0].search("map") as search:
                assert [hit.name async for hit in search] == ["map.txt"]
            assert not search.progress.in_time
            assert f"{liar} named" in caplog.text

    with caplog.at_level(logging.WARNING):
        run(scenario())


def test_who_answers_without_an_end_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with town("weak", "weak", "weak") as place:
            liar = await three(place)
            place.directory(1).protocol._answerer = Eager(maps(liar), times=1000)
            async with place[0].search("map") as search:
                assert "map.txt" in [hit.name async for hit in search]
            assert list(search.errors) == [liar]
            assert f"{liar} answers what is no answer" in caplog.text

    with caplog.at_level(logging.WARNING):
        run(scenario())
