"""The catalog follows what is shared, also where it could not keep a change at once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tests.services.directory.town import names, town
from warren.core.errors import StorageError
from warren.testing import run

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.services.directory.town import Town


class Full:
    """The catalog's disk, full for as long as a test wants."""

    def __init__(self, place: Town, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        catalog = place.directory(number).catalog
        commit = catalog._commit
        self.refused = 0
        self.is_full = True

        async def try_to(work: Callable[..., int]) -> int:
            if self.is_full:
                self.refused += 1
                raise StorageError("the disk is full")
            return await commit(work)

        monkeypatch.setattr(catalog, "_commit", try_to)


def test_a_change_that_could_not_be_kept_is_made_up_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map1.txt")
            await place.share(1, "map2.txt")
            await place.share(1, "map3.txt")
            await place.registered(1, 0)
            await place.registered(2, 0)

            disk = Full(place, 1, monkeypatch)
            await place.share(1, "map4.txt")
            await place[1].unshare("map2.txt")
            await place[1].share("/shared/map3.txt", "public", name="chart.txt")
            await asyncio.sleep(200)
            assert await names(place[2], "map") == ["map1.txt", "map2.txt", "map3.txt"]
            assert disk.refused < 30

            disk.is_full = False
            await asyncio.sleep(70)
            assert await names(place[2], "map") == ["map1.txt", "map4.txt"]
            assert await names(place[2], "chart") == ["chart.txt"]
            await place.share(1, "map5.txt")
            await asyncio.sleep(5)
            assert await names(place[2], "map") == ["map1.txt", "map4.txt", "map5.txt"]

    with caplog.at_level(logging.WARNING):
        run(main())
    assert "the catalog is behind what is shared" in caplog.text


def test_an_audience_that_changes_meanwhile_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with town("super", "weak", "weak") as place:
            await place.connect((1, 0), (2, 0))
            await place.share(1, "map1.txt")
            await place.registered(1, 0)
            catalog = place.directory(1).catalog
            bring_in_line = catalog.bring_in_line

            async def narrow_first(*arguments: object) -> None:
                monkeypatch.setattr(catalog, "bring_in_line", bring_in_line)
                await place[1].share("/shared/map2.txt", "contacts")
                await bring_in_line(*arguments)  # type: ignore[arg-type]

            disk = Full(place, 1, monkeypatch)
            await place.share(1, "map2.txt")
            monkeypatch.setattr(catalog, "bring_in_line", narrow_first)
            disk.is_full = False
            await asyncio.sleep(100)
            assert await names(place[2], "map") == ["map1.txt"]

    run(main())
