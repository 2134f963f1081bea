"""What the parts of one fetch share: what is wanted, how far it is, and the signal that something moved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import IntegrityError, ProtocolViolation
from warren.services.files.types import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.runtime.seam import Clock
    from warren.services.files.types import Phase

PROGRESS_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch: a root, and its name and size (content in bytes, None: unknown) as the first one says
    who was asked.

    size_max: so many bytes of content may come. select: says whether the file at a path, relative to the top
    at its source, is wanted; None: all are. sequential: in the order of the files, as a player reads them.
    """

    cid: Cid
    name: str
    size: int | None
    size_max: int | None = None
    select: Callable[[str], bool] | None = None
    sequential: bool = False

    def check_size(self, size: int) -> None:
        """Raises `IntegrityError` if it has more bytes than may come."""
        if self.size_max is not None and size > self.size_max:
            raise IntegrityError(
                f"{self.cid} has {size:,} bytes, and {self.size_max:,} are wanted at most",
                hint="fetch it yourself, if you want all of it",
            )

    def refuse(self, error: ProtocolViolation) -> ProtocolViolation:
        """The same error, which also says of what; whoever serves that content can only serve the same."""
        return ProtocolViolation(f"{self.cid} cannot be fetched: {error}", hint="ask who made it to mend it")


class Ledger:
    """How far one fetch is. `report` takes progress, at most every `PROGRESS_EVERY_S`."""

    __slots__ = (
        "_clock",
        "_report",
        "_reported_at",
        "chunks_fetched",
        "chunks_reused",
        "current",
        "done_bytes",
        "done_files",
        "moved",
        "total_bytes",
        "total_files",
        "wanted",
    )

    def __init__(self, wanted: Wanted, clock: Clock, report: Callable[[Progress], None]) -> None:
        self.wanted = wanted
        self.current = ""
        self.done_bytes = self.total_bytes = 0
        self.done_files = self.total_files = 0
        self.chunks_fetched = self.chunks_reused = 0
        self.moved = asyncio.Event()
        """Set whenever a part did something that another may wait for."""
        self._clock = clock
        self._report = report
        self._reported_at = float("-inf")

    async def wait_moved(self) -> None:
        """Wait for the next signal. Look at what was waited for before and after."""
        self.moved.clear()
        await self.moved.wait()

    def tell(self, phase: Phase, *, at_once: bool = False) -> None:
        """Report, unless that was done a moment ago."""
        now = self._clock.now()
        if not at_once and now < self._reported_at + PROGRESS_EVERY_S:
            return
        self._reported_at = now
        self._report(
            Progress(
                self.done_bytes, self.total_bytes, self.done_files, self.total_files, self.current, phase
            )
        )
