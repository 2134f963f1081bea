from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.cid import Cid
from warren.core.errors import ContentUnknown
from warren.services.files.swarm.steering import Steering
from warren.services.files.transfer import Transfer
from warren.services.files.types import Fetched, Progress

if TYPE_CHECKING:
    from collections.abc import Callable

FETCHED = Fetched(Path("/to/name"), Cid.raw_sha256(bytes(32)), (), 1, 2, 3.0)


def progress(done: int) -> Progress:
    return Progress(done, 10, 0, 1, "", "fetching")


class Steered:
    """A fetch that does what the test says."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.report: Callable[[Progress], None]

    async def start(self, report: Callable[[Progress], None]) -> Fetched:
        self.report = report
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return FETCHED


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_each_who_watches_sees_the_newest_and_the_end() -> None:
    async def main() -> None:
        fetch = Steered()
        transfer = Transfer(fetch.start, Steering())
        seen: list[list[int]] = [[], []]

        async def watch(into: list[int]) -> None:
            into.extend([one.done_bytes async for one in transfer])

        first = asyncio.create_task(watch(seen[0]))
        await turns()
        for done in (1, 2):
            fetch.report(progress(done))  # the first is over before anybody looks
        await turns()
        second = asyncio.create_task(watch(seen[1]))
        await turns()
        fetch.report(progress(3))
        await turns()
        ended: list[bool] = []
        transfer.when_ended(lambda: ended.append(transfer.done))
        fetch.gate.set()
        await asyncio.gather(first, second)
        assert seen == [[2, 3], [2, 3]]
        assert await transfer.result() == FETCHED.path
        assert transfer.outcome == FETCHED
        await turns()
        assert ended == [True]

    run(main())


def test_a_failure_shows_in_the_result_alone() -> None:
    async def main() -> None:
        fetch = Steered()
        fetch.error = ContentUnknown("not there")
        async with Transfer(fetch.start, Steering()) as transfer:
            fetch.gate.set()
            assert [one async for one in transfer] == []
            await transfer.wait_ended()
            assert transfer.outcome is None
            with pytest.raises(ContentUnknown):
                await transfer.result()

    run(main())


def test_who_waits_may_be_cancelled_and_the_transfer_goes_on() -> None:
    async def main() -> None:
        fetch = Steered()
        transfer = Transfer(fetch.start, Steering())
        waiter = asyncio.create_task(transfer.result())
        await turns()
        waiter.cancel()
        await turns()
        assert waiter.cancelled()
        assert not transfer.done
        fetch.gate.set()
        assert await transfer.result() == FETCHED.path

    run(main())


@pytest.mark.parametrize("way", ["cancel", "leave"])
def test_cancelling_and_leaving_stop_it(way: str) -> None:
    async def main() -> None:
        fetch = Steered()
        async with Transfer(fetch.start, Steering()) as transfer:
            await turns()
            if way == "cancel":
                transfer.cancel()
                await transfer.wait_ended()
        assert transfer.done
        assert transfer.outcome is None
        with pytest.raises(asyncio.CancelledError):
            await transfer.result()
        assert [one async for one in transfer] == []

    run(main())
