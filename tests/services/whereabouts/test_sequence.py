"""Numbers that are never given twice: over restarts, clocks that go back, full disks and damaged files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ReadOnlyTarget
from warren.runtime.simulated import World
from warren.services.whereabouts.sequence import NUMBER_MAX, SequenceFile

if TYPE_CHECKING:
    from warren.runtime.simulated.world import SimulatedRuntime

PATH = "/record.seq"


def reserve(world: World, runtime: SimulatedRuntime, *at_least: int) -> list[int]:
    """What one start of a node reserves."""

    async def main() -> list[int]:
        numbers = SequenceFile(runtime, PATH)
        return [await numbers.reserve(one) for one in at_least]

    return world.run(main())


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=4), min_size=1, max_size=5))
def test_numbers_rise_over_every_restart_whatever_the_clock_says(starts: list[list[int]]) -> None:
    with World() as world:
        runtime = world.runtime("node")
        given_out = [number for clocks in starts for number in reserve(world, runtime, *clocks)]
    clock = [one for clocks in starts for one in clocks]
    assert given_out == sorted(set(given_out))
    assert all(number >= at_least for number, at_least in zip(given_out, clock, strict=True))


def test_the_number_is_on_disk_before_it_is_given() -> None:
    with World() as world:
        runtime = world.runtime("node")
        assert reserve(world, runtime, 7) == [7]
        file = runtime.disk.open_read(PATH)
        assert file.pread(0, 100) == b"7\n"
        file.close()


@pytest.mark.parametrize("content", [b"", b"x\n", b"-5", b"1" * 40, b"%d" % (NUMBER_MAX + 1)])
def test_after_damage_the_clock_decides(content: bytes) -> None:
    with World() as world:
        runtime = world.runtime("node")
        runtime.disk.write_whole(PATH, content)
        assert reserve(world, runtime, 500, 400) == [500, 501]


def test_a_number_that_cannot_be_kept_is_not_given() -> None:
    class Full:
        def __init__(self, runtime: SimulatedRuntime) -> None:
            self._disk = runtime.disk
            self.full = True

        def __getattr__(self, name: str) -> object:
            return getattr(self._disk, name)

        def write_whole(self, path: str, data: bytes) -> None:
            if self.full:
                raise OSError(28, "No space left on device")
            self._disk.write_whole(path, data)

    with World() as world:
        runtime = world.runtime("node")
        disk = Full(runtime)
        runtime.disk = disk  # type: ignore[assignment]
        numbers = SequenceFile(runtime, PATH)

        async def main() -> list[int]:
            with pytest.raises(ReadOnlyTarget, match="No space left") as caught:
                await numbers.reserve(9)
            assert caught.value.hint
            disk.full = False
            return [await numbers.reserve(9)]

        assert world.run(main()) == [9]


def test_without_a_file_numbers_rise_in_memory() -> None:
    with World() as world:
        numbers = SequenceFile(world.runtime("node"), None)

        async def main() -> list[int]:
            return [await numbers.reserve(at_least) for at_least in (5, 5, 4, 9)]

        assert world.run(main()) == [5, 6, 7, 9]
