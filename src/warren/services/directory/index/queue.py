"""The queue of changes to an index: several of them in one transaction.

In:  functions over a `Batch`, with what they cost. Out: what they return, once it is committed. A transaction
for each would make FTS5 write a segment for each, and merge them all again. When nothing is queued after many
changes, segments are merged: a search looks into each of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from warren.core.errors import Closed, InputError, StorageError
from warren.runtime.gate import Gate
from warren.services.directory.index.interface import Gap, Stale
from warren.services.directory.index.writing import Batch, merge_some

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import Database
    from warren.services.directory.index.writing import Known

T = TypeVar("T")
_log = logging.getLogger(__name__)

COST_MAX: Final = 1000
"""Entries in one transaction, unless one change has more: some 20 ms, for which all others wait."""
SMALL: Final = 50
"""A change of so many entries waits for one of the larger ones at most. Attack: large snapshots from many
sides, to hold up what others change."""
MERGE_AFTER: Final = 64
"""Transactions after which it is time to merge."""


class Queue:
    """Makes changes one batch after another: small ones and larger ones in turn."""

    __slots__ = (
        "_closed",
        "_database",
        "_known",
        "_large",
        "_small",
        "_unmerged",
        "_was_small",
        "_working",
        "gate",
    )

    def __init__(self, database: Database, known: Known) -> None:
        self.gate = Gate()
        self._database = database
        self._known = known
        self._small: deque[_Job[Any]] = deque()
        self._large: deque[_Job[Any]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._was_small = False
        self._unmerged = 0
        """Transactions since the last merge."""
        self._closed = False

    async def do(self, change: Callable[[Batch], T], cost: int, then: Callable[[T], None] | None = None) -> T:
        """Make a change. cost: entries that it touches. then: called as soon as it is committed, even if
        nobody waits any more. Raises what `change` raises, `StorageError`, `Closed`.
        """
        if self._closed:
            raise Closed("the index is closed")
        job = _Job(change, cost, then)
        (self._small if cost <= SMALL else self._large).append(job)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await job.done

    async def close(self) -> None:
        """Finish what is queued; take no more."""
        self._closed = True
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is queued, and what there is to merge is merged."""
        while self._working is not None:
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        try:
            while True:
                if self._small or self._large:
                    self._unmerged += 1
                    await self._make(self._next_batch())
                elif self._unmerged >= MERGE_AFTER and not self._closed:
                    await self._merge()  # what is queued meanwhile waits for this loop
                else:
                    return
        finally:
            self._working = None

    def _next_batch(self) -> list[_Job[Any]]:
        self._was_small = bool(self._small) and not (self._was_small and self._large)
        queue = self._small if self._was_small else self._large
        jobs = [queue.popleft()]
        cost = jobs[0].cost
        while queue and cost + queue[0].cost <= COST_MAX:
            jobs.append(queue.popleft())
            cost += jobs[-1].cost
        return jobs

    async def _merge(self) -> None:
        """Merge some segments; note when there are no more to merge."""
        try:
            if await self._database.run(merge_some):
                return
        except StorageError as error:
            _log.warning("cannot merge the segments of the index: %s", error)
        self._unmerged = 0

    async def _make(self, jobs: Sequence[_Job[Any]]) -> None:
        try:
            changes = await self._database.run(lambda db: _make_all(db, self._known, jobs, self.gate))
        except BaseException as error:
            for job in jobs:
                job.fail(error)
            if not isinstance(error, Exception):
                raise
            return
        changes.commit(self._known)
        for job in jobs:
            job.finish()


class _Job(Generic[T]):
    """One change, and who waits for it."""

    __slots__ = ("change", "cost", "done", "outcome", "refusal", "then")

    def __init__(self, change: Callable[[Batch], T], cost: int, then: Callable[[T], None] | None) -> None:
        self.change = change
        self.cost = cost
        self.then = then
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.outcome: T
        self.refusal: Exception | None = None

    def make(self, batch: Batch) -> None:
        """In the database's thread. A change that is refused has changed nothing; others go on."""
        try:
            self.outcome = self.change(batch)
        except (Gap, Stale, InputError) as error:
            self.refusal = error

    def finish(self) -> None:
        if self.refusal is not None:
            self.fail(self.refusal)
            return
        if self.then is not None:
            self.then(self.outcome)
        if not self.done.done():
            self.done.set_result(self.outcome)

    def fail(self, error: BaseException) -> None:
        if self.done.done():
            return
        if isinstance(error, Exception):
            self.done.set_exception(error)
        else:
            self.done.cancel()


def _make_all(db: sqlite3.Connection, known: Known, jobs: Sequence[_Job[Any]], gate: Gate) -> Any:
    with gate.closed():
        batch = Batch(db, known, gate)
        for job in jobs:
            job.make(batch)
        return batch.finish()
