"""The numbers of what this node signs of others. Pure but for the clock.

In:  the time. Out: numbers, each higher than any before: milliseconds since 1970 where the clock allows, so
that they rise over restarts with nothing kept on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.runtime.seam import Clock


class Numbers:
    """Of one node."""

    __slots__ = ("_clock", "_last")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """One above all before, the time in milliseconds if that is above."""
        self._last = max(self._last + 1, int(self._clock.wall() * 1000))
        return self._last
