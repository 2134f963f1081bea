"""Hashing what changed in a share, in threads, beside everything else.

In:  files as they were listed. Out: their outcomes, when they are asked for; none for a file that was
forgotten or listed otherwise meanwhile. Small files go in batches, a few at a time, and are given up when the
update that wants them ends; large ones go one after another, however long that takes, and are taken in by
whichever update comes next.

Memory: the chunks of a bounded number of batches and of one large file.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from warren.services.files.hashing import assemble, hash_files, hash_span
from warren.services.files.importer import BATCH_BYTES_MAX, BATCH_FILES_MAX, SPAN_BYTES
from warren.services.files.revising import place_of
from warren.services.files.types import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from warren.runtime.seam import Runtime
    from warren.services.files.hashing import Hashed, Scanned
    from warren.services.files.pace import Pace

    Outcome = tuple[Scanned, Hashed | str]

JOBS: Final = 3
"""Batches under way for one share."""


class Listener(Protocol):
    """Who is told how it goes."""

    def ready(self) -> None:
        """A large file is hashed."""
        ...

    def progressed(self) -> None:
        """`Rehashing.progress` is further."""
        ...


def batches(files: Sequence[Scanned]) -> Iterator[list[Scanned]]:
    """Files cut into batches, each for one job."""
    batch: list[Scanned] = []
    size = 0
    for file in files:
        if batch and (len(batch) == BATCH_FILES_MAX or size + file.size > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


class Rehashing:
    """Of one share. slots: jobs in threads, shared with other shares."""

    def __init__(
        self, runtime: Runtime, pace: Pace, slots: asyncio.Semaphore, top: str, listener: Listener
    ) -> None:
        self._runtime = runtime
        self._pace = pace
        self._slots = slots
        self._top = top
        self._listener = listener
        self._wanted: dict[str, Scanned] = {}
        """By path; an outcome of anything else is of no use any more."""
        self._small: set[asyncio.Task[list[Outcome]]] = set()
        self._large: dict[str, Scanned] = {}
        self._large_done: list[Outcome] = []
        self._hashing_large: asyncio.Task[None] | None = None
        self._done_files = self._total_files = self._done_bytes = self._total_bytes = 0
        self._current = ""

    @property
    def has_news(self) -> bool:
        """Whether a large file waits to be taken in."""
        return bool(self._large_done)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be waited for or to be taken in."""
        return not (self._small or self._large_done)

    @property
    def is_full(self) -> bool:
        """Whether an outcome should be taken before more is begun."""
        return len(self._small) >= JOBS

    @property
    def progress(self) -> Progress | None:
        """How far it is; None where there is nothing to do."""
        if self._done_files >= self._total_files:
            return None
        return Progress(
            self._done_bytes, self._total_bytes, self._done_files, self._total_files, self._current, "hashing"
        )

    def begin(self, files: Sequence[Scanned]) -> None:
        """Hash a batch, but for those that are being hashed as they are."""
        small: list[Scanned] = []
        for file in files:
            if self._wanted.get(file.path) == file:
                continue
            self._wanted[file.path] = file
            self._total_files += 1
            self._total_bytes += file.size
            if file.size > SPAN_BYTES:
                self._large[file.path] = file
            else:
                small.append(file)
        if small:
            self._small.add(asyncio.create_task(self._hash_small(small)))
        if self._large and (self._hashing_large is None or self._hashing_large.done()):
            self._hashing_large = asyncio.create_task(self._hash_large())

    def forget(self, path: str) -> None:
        """Nothing lies there any more, nor below."""
        for one in [one for one in self._wanted if f"{one}/".startswith(f"{path}/")]:
            del self._wanted[one]

    def forget_all_but(self, folder: str, names: Collection[str]) -> None:
        """Of the files of a folder there are only these left."""
        for one in list(self._wanted):
            above, name = place_of(one)
            if above == folder and name not in names:
                del self._wanted[one]

    async def collect(self, *, wait: bool) -> list[Outcome]:
        """What is hashed. wait: until something is, if anything is under way."""
        if self._small and wait:
            await asyncio.wait(self._small, return_when=asyncio.FIRST_COMPLETED)
        found: list[Outcome] = []
        for task in [task for task in self._small if task.done()]:
            self._small.remove(task)
            found += task.result()
        self._done_bytes += sum(file.size for file, _ in found)
        found += self._large_done
        self._large_done = []
        self._done_files += len(found)
        if found:
            self._current = found[-1][0].path
        self._listener.progressed()
        wanted = [(file, outcome) for file, outcome in found if self._wanted.get(file.path) == file]
        for file, _ in wanted:
            del self._wanted[file.path]
        return wanted

    def give_up(self) -> None:
        """The update ends: begin nothing more for it. Large files go on."""
        for task in self._small:
            task.cancel()
        self._small.clear()
        large = (*self._large.values(), *(file for file, _ in self._large_done))
        self._wanted = {file.path: file for file in large if self._wanted.get(file.path) == file}
        if not self._large:
            self._done_files = self._total_files = self._done_bytes = self._total_bytes = 0

    async def close(self) -> None:
        """Stop hashing."""
        self.give_up()
        if self._hashing_large is not None:
            self._hashing_large.cancel()
            await asyncio.gather(self._hashing_large, return_exceptions=True)

    async def _hash_small(self, files: list[Scanned]) -> list[Outcome]:
        await self._pace.admit(sum(file.size for file in files))
        async with self._slots:
            outcomes = await self._runtime.offload(
                hash_files, self._runtime.disk, self._top, files, self._now_ns()
            )
        return list(zip(files, outcomes, strict=True))

    async def _hash_large(self) -> None:
        while self._large:
            path, file = next(iter(self._large.items()))
            outcome = await self._hash_one_large(file)
            if self._large.get(path) == file:  # else it has changed since, and comes again
                del self._large[path]
                self._large_done.append((file, outcome))
                self._listener.ready()

    async def _hash_one_large(self, file: Scanned) -> Hashed | str:
        leaves: list[tuple[bytes, int]] = []
        for start in range(0, file.size, SPAN_BYTES):
            end = min(file.size, start + SPAN_BYTES)
            await self._pace.admit(end - start)
            async with self._slots:
                part = await self._runtime.offload(hash_span, self._runtime.disk, self._top, file, start, end)
            self._done_bytes += end - start
            self._current = file.path
            self._listener.progressed()
            if isinstance(part, str):
                return part
            leaves += part
        return await self._runtime.offload(assemble, leaves, file, self._now_ns())

    def _now_ns(self) -> int:
        return int(self._runtime.clock.wall() * 1e9)
