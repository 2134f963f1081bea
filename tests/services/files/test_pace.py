"""How fast is read: a cap, and a pause, in virtual time."""

from __future__ import annotations

import asyncio

from warren.runtime.simulated import World
from warren.services.files.pace import BURST_S, Pace


def test_no_more_is_read_than_the_cap_allows() -> None:
    with World() as world:
        clock = world.runtime("host").clock

        async def main() -> float:
            await asyncio.sleep(10)
            pace = Pace(clock, 1000)
            begun = clock.now()
            for _ in range(10):
                await pace.admit(500)
            return clock.now() - begun

        assert world.run(main()) == 10 * 0.5 - BURST_S


def test_without_a_cap_nothing_waits_but_for_a_pause() -> None:
    with World() as world:
        clock = world.runtime("host").clock

        async def main() -> float:
            pace = Pace(clock, 0)
            await pace.admit(1 << 40)
            assert clock.now() == 0
            pace.pause()
            assert pace.is_paused
            asyncio.get_running_loop().call_later(5, pace.resume)
            await pace.going()
            await pace.admit(1)
            return clock.now()

        assert world.run(main()) == 5
