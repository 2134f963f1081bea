"""What a super-peer says of a registration is believed as far as it concerns itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.town import names, town, until
from warren.protocols.directory.messages import End, Held, QueryCall
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from warren.protocols.directory.messages import Answer, Call


class Liar:
    """Says that it holds a later registration than any; each time a still later one, if it climbs."""

    def __init__(self, epoch: int, *, climbs: bool) -> None:
        self.epoch, self.climbs = epoch, climbs

    def converse(self, _: object) -> Liar:
        return self

    def end(self) -> None:
        pass

    async def answer(self, call: Call) -> AsyncGenerator[Answer, None]:
        if isinstance(call, QueryCall):
            yield End(0, exact=True)
        else:
            self.epoch += 10**6 if self.climbs else 0
            yield Held((self.epoch, 5))


@pytest.mark.parametrize("climbs", [False, True])
def test_a_super_peer_that_lies_about_what_it_holds_changes_nothing_elsewhere(climbs: bool) -> None:
    async def scenario() -> None:
        async with town("super", "weak", "super") as place:
            await place.connect((1, 0))
            await place.share(1, "map-1.txt")
            await place.registered(1, 0)
            catalog, clock = place.directory(1).catalog, place[1].network.runtime.clock
            epoch = catalog.position.epoch + 10**6 if climbs else (1 << 63) - 2
            place.directory(2).protocol._answerer = Liar(epoch, climbs=climbs)
            await place.connect((1, 2))
            epochs = set()
            for _ in range(60):
                await asyncio.sleep(10)
                epochs.add(catalog.position.epoch)
            assert len(epochs) <= 3
            assert max(epochs) <= clock.wall() * 1000
            await place.share(1, "map-2.txt")
            await until(lambda: place.directory(0).index.size(place[1].peer_id) == 2)
            for number in (0, 1):
                assert await names(place[number], "map") == ["map-1.txt", "map-2.txt"]

    run(scenario())


def test_a_catalog_that_was_led_astray_is_mended_at_the_start() -> None:
    async def scenario() -> None:
        async with town("super", "weak") as place:
            await place.connect((1, 0))
            await place.share(1, "map-1.txt")
            far = (1 << 63) - 1
            catalog = place.directory(1).catalog
            await catalog._database.run(
                lambda db: db.execute("UPDATE catalog_state SET epoch = ?1, seq = ?1, floor = ?1", (far,))
            )
            await catalog.refresh()
            await place.registered(1, 0)
            await place[1].close()
            await place.start(1)
            await place.connect((1, 0))
            await place.share(1, "map-2.txt")
            await until(lambda: place.directory(0).index.size(place[1].peer_id) == 2)
            assert place.directory(0).index.position(place[1].peer_id) == place.directory(1).catalog.position
            for number in (0, 1):
                assert await names(place[number], "map") == ["map-1.txt", "map-2.txt"]

    run(scenario())
