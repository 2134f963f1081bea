"""Conformance of `seam.Runtime`: clocks, chance and work off the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.runtime.settings import Setting


def test_the_clock_is_the_loops(setting: Setting) -> None:
    async def main() -> None:
        clock, loop = setting.server.clock, asyncio.get_running_loop()
        assert clock.now() == pytest.approx(loop.time(), abs=0.5)
        before, wall = clock.now(), clock.wall()
        await asyncio.sleep(0.02)
        assert clock.now() - before >= 0.019
        assert clock.wall() > wall > 1_700_000_000

    setting.run(main())


def test_chance_keeps_its_bounds(setting: Setting) -> None:
    entropy = setting.server.entropy
    assert [len(entropy.bytes(n)) for n in (0, 1, 32)] == [0, 1, 32]
    assert entropy.bytes(16) != entropy.bytes(16)
    assert {entropy.below(3) for _ in range(200)} == {0, 1, 2}
    assert all(2.0 <= entropy.uniform(2.0, 3.0) <= 3.0 for _ in range(100))


def test_offloaded_work_returns_or_raises(setting: Setting) -> None:
    async def main() -> None:
        assert await setting.server.offload(divmod, 17, 5) == (3, 2)
        with pytest.raises(ZeroDivisionError):
            await setting.server.offload(divmod, 1, 0)
        assert await asyncio.gather(*(setting.server.offload(pow, n, 2) for n in range(20))) == [
            n * n for n in range(20)
        ]
        await setting.server.close()
        await setting.server.close()

    setting.run(main())


def test_others_get_a_turn_while_work_is_offloaded(setting: Setting) -> None:
    async def main() -> None:
        turns: list[str] = []
        other = asyncio.create_task(setting.client.offload(turns.append, "other"))
        await asyncio.sleep(0)
        await setting.server.offload(turns.append, "mine")
        await other
        assert sorted(turns) == ["mine", "other"]

    setting.run(main())
