"""Caps on what is fetched, in bytes a second: of one fetch, or of all together.

In: sizes of what is to be asked for. Out: when that may be asked. `Bucket` is pure; `Cap` waits for it. A cap
holds over a second or two, not within it: what is asked for comes as fast as it can.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_S: Final = 0.5
"""What was not used for so long may be made up for."""
LOOK_S: Final = 1.0
"""How soon another cap counts for those who wait."""


class Bucket:
    """Lets so many bytes a second pass; more than there is room for passes too, and is paid for later."""

    __slots__ = ("_debt_bytes", "_seen_at")

    def __init__(self) -> None:
        self._debt_bytes = 0.0
        self._seen_at = float("-inf")

    def take(self, size: int, bytes_per_s: int, now: float) -> float:
        """Take so many bytes, and return 0; or take none, and return in how many seconds to try again."""
        if not bytes_per_s:
            self._debt_bytes = 0.0
            return 0.0
        paid = (now - self._seen_at) * bytes_per_s
        self._debt_bytes = max(self._debt_bytes - paid, -BURST_S * bytes_per_s)
        self._seen_at = now
        if self._debt_bytes >= 1:  # less is what floats make of nothing
            return self._debt_bytes / bytes_per_s
        self._debt_bytes += size
        return 0.0


class Cap:
    """One for all who share it. read: the cap in bytes a second as it is now; 0: none."""

    __slots__ = ("_bucket", "_clock", "_read", "_turn")

    def __init__(self, clock: Callable[[], float], read: Callable[[], int]) -> None:
        self._clock = clock
        self._read = read
        self._bucket = Bucket()
        self._turn = asyncio.Lock()

    @property
    def bytes_per_s(self) -> int:
        """As it is now; 0: none."""
        return self._read()

    async def admit(self, size: int) -> None:
        """Return when so many bytes may be asked for. Who comes first is first."""
        if not self._read():
            return
        async with self._turn:
            wait_s = self._bucket.take(size, self._read(), self._clock())
            while wait_s:
                await asyncio.sleep(min(wait_s, LOOK_S))
                wait_s = self._bucket.take(size, self._read(), self._clock())
