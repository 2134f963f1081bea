"""When a fetch commits what it wrote: behind its back, and once more when it stops.

In:  each leaf that was written, on the event loop. Out: commits, in a thread, one at a time: `COMMIT_BYTES`
after the last one, or `COMMIT_S` after the first leaf since. The fetch waits for none of them but the last. A
commit that fails is told to `on_failure` at once: the disk then loses what was written, or is full, or gone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageError
from warren.runtime.waiting import run_out, settle
from warren.services.files.staging.record import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.runtime.seam import Runtime
    from warren.services.files.staging.staging import Staging

COMMIT_BYTES: Final = 64 * 1024 * 1024
COMMIT_S: Final = 5.0
COMMIT_GAP_S: Final = 1.0
"""What a loss of power may cost of a fetch that runs: so many bytes, or what comes in so many seconds, and
what comes while the disk syncs that. No commit begins sooner than the gap after the one before: a fetch of a
GiB in a second would make sixteen, and the disk be busy with nothing else."""


class Commits:
    """The commits of one fetch. `close` it, also after a failure, when nothing is written any more."""

    __slots__ = (
        "_batch",
        "_begun_at",
        "_closed",
        "_failure",
        "_on_failure",
        "_runtime",
        "_staging",
        "_task",
        "_timer",
    )

    def __init__(
        self, runtime: Runtime, staging: Staging, on_failure: Callable[[StorageError], object]
    ) -> None:
        self._runtime = runtime
        self._staging = staging
        self._on_failure = on_failure
        self._failure: StorageError | None = None
        self._batch = Batch()
        self._begun_at = float("-inf")
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def on_stored(self, number: int, path: str, length: int) -> None:
        """The leaf of this number was verified and written to the file `path`; it has so many bytes."""
        self._batch.add(number, path, length)
        if self._task is not None or self._failure is not None:
            return
        if self._batch.bytes >= COMMIT_BYTES and self._runtime.clock.now() >= self._begun_at + COMMIT_GAP_S:
            self._begin()
        else:
            self._start_timer()

    async def close(self, *, keep: bool) -> None:
        """Commit no more; with `keep` only after all that was written is committed.

        Without it a commit that syncs at this moment is not waited for: what it would note is of no use.
        Raises `StorageError` where that or an earlier one failed; the next attempt then hashes what it finds.
        """
        self._closed = True
        self._stop_timer()
        if self._task is not None and (keep or not self._staging.end_commits()):
            await settle([self._task])
        if self._failure is not None:
            raise self._failure
        batch, self._batch = self._batch, Batch()
        if keep:
            await run_out(self._runtime, self._staging.commit, batch)

    def _begin(self) -> None:
        self._stop_timer()
        self._begun_at = self._runtime.clock.now()
        batch, self._batch = self._batch, Batch()
        self._task = asyncio.create_task(self._commit(batch))

    async def _commit(self, batch: Batch) -> None:
        try:
            await self._runtime.offload(self._staging.commit, batch)
        except StorageError as error:
            self._failure = error
            self._on_failure(error)
        finally:
            self._task = None
            if self._batch.numbers and self._failure is None and not self._closed:  # more came meanwhile
                self._start_timer()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COMMIT_S, self._begin)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
