"""How fast files are read to be hashed: at most so many bytes a second, or not at all for a while.

In:  sizes of what is to be read next, the wish to pause. Out: returns when it may be read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.runtime.seam import Clock

BURST_S: Final = 0.5
"""What was not used for so long may be made up for: small changes are not held up by the cap."""


class Pace:
    """One for all that a node hashes in the background. bytes_per_s: 0 is no cap."""

    def __init__(self, clock: Clock, bytes_per_s: int) -> None:
        self._clock = clock
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0
        self._going = asyncio.Event()
        self._going.set()

    @property
    def is_paused(self) -> bool:
        return not self._going.is_set()

    def pause(self) -> None:
        """Let nothing begin until `resume`; what is being read is finished."""
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    async def going(self) -> None:
        """Return when it is not paused."""
        await self._going.wait()

    async def admit(self, size: int) -> None:
        """Return when so many bytes may be read."""
        await self._going.wait()
        if not self._bytes_per_s:
            return
        now = self._clock.now()
        self._free_at = max(self._free_at, now - BURST_S) + size / self._bytes_per_s
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
            await self._going.wait()
