from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from warren.core.errors import DiskFull
from warren.runtime.simulated import World
from warren.services.files.staging.commits import COMMIT_BYTES, COMMIT_GAP_S, COMMIT_S, Commits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from warren.core.errors import StorageError
    from warren.runtime.seam import Clock, Runtime
    from warren.services.files.staging import Batch, Staging

HALF = COMMIT_BYTES // 2


class FakeStaging:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failure: Exception | None = None
        self.writing = False

    def commit(self, batch: Batch) -> None:
        if self.failure is not None:
            raise self.failure
        self.batches.append(batch.numbers)

    def end_commits(self) -> bool:
        return not self.writing


class SlowRuntime:
    """Work in threads takes a second."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def offload(self, call: Callable[..., object], *arguments: object) -> object:
        await asyncio.sleep(1)
        return call(*arguments)


class Made:
    """Commits over a staging that keeps the batches; `slow` makes each take a second."""

    def __init__(self, world: World, *, slow: bool = False) -> None:
        self.staging = FakeStaging()
        self.failures: list[StorageError] = []
        staging: Staging = self.staging  # type: ignore[assignment]
        runtime: Runtime = SlowRuntime(world.runtime("a").clock) if slow else world.runtime("a")  # type: ignore[assignment]
        self.commits = Commits(runtime, staging, self.failures.append)


def simulate(main: Callable[[World], Coroutine[None, None, None]]) -> None:
    world = World()
    world.run(main(world))


def test_so_many_bytes_are_committed_at_once() -> None:
    async def main(world: World) -> None:
        made = Made(world)
        made.commits.on_stored(0, "a", HALF)
        await asyncio.sleep(1)
        assert made.staging.batches == []
        made.commits.on_stored(1, "a", HALF)
        await asyncio.sleep(1)
        assert made.staging.batches == [[0, 1]]

    simulate(main)


def test_however_much_comes_a_moment_lies_between_commits() -> None:
    async def main(world: World) -> None:
        made = Made(world)
        made.commits.on_stored(0, "a", COMMIT_BYTES)
        for number in range(1, 4):
            await asyncio.sleep(COMMIT_GAP_S * 0.3)
            made.commits.on_stored(number, "a", COMMIT_BYTES)
        await asyncio.sleep(0.1)
        assert made.staging.batches == [[0]]
        await asyncio.sleep(0.1)
        made.commits.on_stored(4, "a", 1)
        await asyncio.sleep(0.1)
        assert made.staging.batches == [[0], [1, 2, 3, 4]]

    simulate(main)


def test_little_is_committed_after_a_while_and_then_nothing_more() -> None:
    async def main(world: World) -> None:
        made = Made(world)
        made.commits.on_stored(0, "a", 1)
        await asyncio.sleep(COMMIT_S - 1)
        made.commits.on_stored(1, "a", 1)
        assert made.staging.batches == []
        await asyncio.sleep(2)
        assert made.staging.batches == [[0, 1]]
        await asyncio.sleep(10 * COMMIT_S)
        assert made.staging.batches == [[0, 1]]

    simulate(main)


def test_what_comes_during_a_commit_is_in_the_next_one() -> None:
    async def main(world: World) -> None:
        made = Made(world, slow=True)
        made.commits.on_stored(0, "a", COMMIT_BYTES)
        await asyncio.sleep(0.5)
        made.commits.on_stored(1, "a", COMMIT_BYTES)
        made.commits.on_stored(2, "a", COMMIT_BYTES)
        await asyncio.sleep(1)
        assert made.staging.batches == [[0]]
        await asyncio.sleep(COMMIT_S + 1)
        assert made.staging.batches == [[0], [1, 2]]

    simulate(main)


@pytest.mark.parametrize(("keep", "writing"), [(True, False), (False, True), (False, False)])
def test_the_end_waits_for_a_commit_that_counts_and_makes_the_last_one(keep: bool, writing: bool) -> None:
    async def main(world: World) -> None:
        made = Made(world, slow=True)
        made.commits.on_stored(0, "a", COMMIT_BYTES)
        await asyncio.sleep(0.5)
        made.commits.on_stored(1, "a", 1)
        made.staging.writing = writing
        await made.commits.close(keep=keep)
        assert made.staging.batches == ([[0], [1]] if keep else [[0]] if writing else [])
        await asyncio.sleep(10 * COMMIT_S)
        assert len(made.staging.batches) == 1 + keep

    simulate(main)


def test_a_commit_that_fails_is_told_once_and_raised_at_the_end() -> None:
    async def main(world: World) -> None:
        made = Made(world, slow=True)
        made.staging.failure = DiskFull("full")
        made.commits.on_stored(0, "a", COMMIT_BYTES)
        await asyncio.sleep(0.5)
        made.commits.on_stored(1, "a", COMMIT_BYTES)
        await asyncio.sleep(1)
        made.commits.on_stored(2, "a", COMMIT_BYTES)
        await asyncio.sleep(10 * COMMIT_S)
        assert made.failures == [made.staging.failure]
        with pytest.raises(DiskFull):
            await made.commits.close(keep=True)
        assert made.staging.batches == []

    simulate(main)
