"""`Transfer`: a fetch under way, as its user holds it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.services.files.streaming.growing import Growing
    from warren.services.files.swarm.steering import Steering
    from warren.services.files.types import Fetched, Progress, SourceState


class Transfer:
    """A fetch that runs by itself. It ends when it is done, fails, or is cancelled.

        async with fetcher.get(...) as transfer:    # leaving the block early cancels
            async for progress in transfer: ...
            path = await transfer.result()

    Cancelling who waits does not cancel the transfer; `cancel` does, and so does leaving its `async with`.
    What was verified stays for the next attempt.
    """

    __slots__ = ("_progress", "_steering", "_task", "_version", "_waiters")

    def __init__(
        self,
        start: Callable[[Callable[[Progress], None]], Coroutine[None, None, Fetched]],
        steering: Steering,
    ) -> None:
        self._steering = steering
        self._progress: Progress | None = None
        self._version = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._task = asyncio.create_task(start(self._on_progress))
        self._task.add_done_callback(lambda _: self._wake())

    @property
    def done(self) -> bool:
        """Whether it ended, well or not."""
        return self._task.done()

    @property
    def cancelled(self) -> bool:
        """Whether it ended because it was told to."""
        return self._task.cancelled()

    @property
    def outcome(self) -> Fetched | None:
        """All that is known of it, once it is done."""
        task = self._task
        if not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    async def result(self) -> Path:
        """Where it lies, once it is complete. Raises what made it fail.

        `BadContent`, `ContentUnknown`, `SourceChanged`, `SourceVanished`, `DiskFull`, `ReadOnlyTarget`,
        `StorageError`, `ConnectionFailed` and its kind, `LimitReached`, `RemoteError`.
        """
        return (await asyncio.shield(self._task)).path

    async def __aiter__(self) -> AsyncIterator[Progress]:
        """The progress, from the newest on, until the transfer ends; failures show in `result` alone."""
        seen = 0
        while True:
            if self._progress is not None and self._version != seen:
                seen = self._version
                yield self._progress
            elif self._task.done():
                return
            else:
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter

    @property
    def root(self) -> Cid | None:
        """The content id of what is fetched, once it is known."""
        return self._steering.root

    @property
    def name(self) -> str:
        """What it is called; "" before that is known."""
        return self._steering.name

    @property
    def growing(self) -> Growing | None:
        """What is there already, for who reads it while it comes; None before the fetch began."""
        return self._steering.growing

    def sources(self) -> tuple[SourceState, ...]:
        """Who is asked for it, and how each does; those that were dropped too."""
        return self._steering.sources()

    def set_cap(self, bytes_per_s: int) -> None:
        """Fetch at most so many bytes a second from now on, of all sources together; 0: no cap.

        Raises `InputError` for less.
        """
        self._steering.set_cap(bytes_per_s)

    def add_source(self, peer: PeerId) -> None:
        """This peer may have it, too."""
        self._steering.add(peer)

    async def moved(self) -> None:
        """Wait until something may be known of it that was not, or it ended."""
        if self.done:
            return
        if self.growing is not None:
            await self.growing.moved()
        else:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def cancel(self) -> None:
        """Stop it; `result` then raises `asyncio.CancelledError`."""
        self._task.cancel()

    async def wait_ended(self) -> None:
        """Wait until it ended, without its outcome."""
        await asyncio.wait([self._task])

    def when_ended(self, call: Callable[[], object]) -> None:
        """Call `call` once it ended, well or not."""
        self._task.add_done_callback(lambda _: call())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await self.wait_ended()

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress
        self._version += 1
        self._wake()

    def _wake(self) -> None:
        if self.growing is not None and self.done:
            self.growing.wake()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
