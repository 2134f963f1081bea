"""Uploads that wait for their turn, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from warren.core.keys import PrivateKey
from warren.runtime.simulated import World
from warren.services.files.uploads.scheduler import UploadLimits
from warren.services.files.uploads.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.runtime.seam import Clock

ANNA, BEN = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in (1, 2))


def in_virtual_time(main: Callable[[Clock], Awaitable[None]]) -> None:
    with World() as world:
        clock = world.runtime("host").clock

        async def run() -> None:
            await main(clock)

        world.run(run())


def test_a_cap_makes_it_wait_and_a_new_cap_counts_at_once() -> None:
    async def main(clock: Clock) -> None:
        uploads = Uploads(clock, UploadLimits(bytes_per_s=1000))
        for _ in range(10):
            uploads.end(await uploads.begin(ANNA, 1000))
        assert clock.now() == pytest.approx(9, abs=0.1)
        waiting = [asyncio.create_task(uploads.begin(ANNA, 1000)) for _ in range(2)]
        await asyncio.sleep(0)
        uploads.note(BEN, "b")
        assert [(one.peer, one.state, one.name) for one in uploads.states()] == [(ANNA, "waiting", "")]
        uploads.set_limits(UploadLimits())
        assert uploads.turn_bytes() > 1000
        for turn in await asyncio.gather(*waiting):
            uploads.end(turn)
        assert clock.now() == pytest.approx(9, abs=0.1)
        (state,) = uploads.states()
        assert (state.state, state.bytes_sent) == ("idle", 12_000)
        uploads.close()

    in_virtual_time(main)


def test_who_stops_to_wait_leaves_its_place_to_others() -> None:
    async def main(clock: Clock) -> None:
        uploads = Uploads(clock, UploadLimits(slots=1))
        turn = await uploads.begin(ANNA, 10)
        waiting = asyncio.create_task(uploads.begin(BEN, 10))
        after = asyncio.create_task(uploads.begin(ANNA, 10))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert [one.state for one in uploads.states()] == ["sending"]
        uploads.end(turn)
        uploads.end(await after, sent=False)
        assert [one.bytes_sent for one in uploads.states()] == [10]
        uploads.gave(BEN, 5)
        uploads.close()

    in_virtual_time(main)


def test_a_turn_that_was_granted_to_who_no_longer_waits_goes_back() -> None:
    async def main(clock: Clock) -> None:
        uploads = Uploads(clock, UploadLimits(slots=1))
        turn = await uploads.begin(ANNA, 10)
        waiting = asyncio.create_task(uploads.begin(BEN, 10))
        await asyncio.sleep(0)
        uploads.end(turn)  # BEN's turn begins, before BEN's task runs
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        uploads.end(await uploads.begin(ANNA, 10))
        uploads.close()

    in_virtual_time(main)
