"""A transfer of the queue as who asked for it holds it: a `Transfer` like any other.

In:  what is wanted. Out: progress, the outcome. Who leaves it early pauses it; it can go on later.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warren.core.errors import Closed, WarrenError
from warren.runtime.waiting import finish, settle
from warren.services.files.swarm.steering import Steering
from warren.services.files.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.services.files.queue.model import QueuedTransfer, Want
    from warren.services.files.queue.transfers import Transfers
    from warren.services.files.types import Fetched, Progress, SourceState


class QueuedGet(Transfer):
    """Puts `want` into the queue, and follows it until it is done or cannot go on now.

    `result` raises what it failed with also where it waits, and goes on by itself later: for somebody who has
    it, for room on the disk.
    """

    __slots__ = ("_transfers", "_want", "number")

    def __init__(self, transfers: Transfers, want: Want) -> None:
        self._transfers = transfers
        self._want = want
        self.number: int | None = None
        """Its number in the queue, once it is there."""
        super().__init__(self._run, Steering())

    @property
    def root(self) -> Cid | None:
        """The content id of what is fetched, once it is known."""
        return None if (one := self._now()) is None else one.root

    @property
    def name(self) -> str:
        """What it is called."""
        return "" if (one := self._now()) is None else one.name

    def sources(self) -> tuple[SourceState, ...]:
        """Who is asked for it, and how each does."""
        return () if (one := self._now()) is None else one.sources

    def set_cap(self, bytes_per_s: int) -> None:
        """Fetch at most so many bytes a second from now on; 0: no cap. Raises `InputError` for less."""
        if self.number is not None and self.number in self._transfers:
            self._transfers.set_cap(self.number, bytes_per_s)

    def _now(self) -> QueuedTransfer | None:
        number = self.number
        return self._transfers.get(number) if number is not None and number in self._transfers else None

    async def _run(self, report: Callable[[Progress], None]) -> Fetched:
        numbers: list[int] = []
        try:
            self.number = await add_surely(self._transfers, self._want, numbers)
            async for one in self._transfers.follow(self.number):
                if one.progress is not None:
                    report(one.progress)
        except asyncio.CancelledError:
            if numbers and not self._transfers.is_closed:
                await finish(leave(self._transfers, *numbers))
            raise
        return outcome_of(self._transfers, self.number)


def outcome_of(transfers: Transfers, number: int) -> Fetched:
    """What came of a transfer that was followed to its end. Raises what it failed with."""
    if number not in transfers:
        raise WarrenError(f"transfer {number} was cancelled")
    one = transfers.get(number)
    if one.outcome is not None:
        return one.outcome
    if transfers.is_closed:
        raise Closed("the node ended", hint="the transfer goes on when the node runs again")
    failure = transfers.failure(number) if one.error else None
    raise failure or WarrenError(
        f"transfer {number} is paused" + (f": {one.reason}" if one.reason else ""),
        hint=f"go on with: warren transfer resume {number}",
    )


async def add_surely(transfers: Transfers, want: Want, numbers: list[int]) -> int:
    """Add it, and its number to `numbers`: also where this is cancelled once it is in the queue.

    Raises what `Transfers.add` does.
    """
    adding = asyncio.create_task(transfers.add(want))
    try:
        await settle([adding])
    finally:
        if not adding.cancelled() and adding.exception() is None:
            numbers.append(adding.result())
    return adding.result()


async def leave(transfers: Transfers, *numbers: int) -> None:
    """Who followed these from their beginning goes: they are paused if there is anything left to do."""
    for number in numbers:
        if number in transfers and transfers.get(number).state in {"queued", "running"}:
            await transfers.pause(number)
