"""How fast something goes, lately: a pure machine, two numbers a piece."""

from __future__ import annotations

import math
from typing import Final

SPAN_S: Final = 3.0
"""What was that long ago counts for a third."""


class Meter:
    """A rate that forgets: `add` what came, ask `rate` at any later time; both in bytes and seconds."""

    __slots__ = ("_at", "_level", "_span_s", "total")

    def __init__(self, span_s: float = SPAN_S) -> None:
        self._span_s = span_s
        self._level = 0.0
        self._at = 0.0
        self.total = 0

    def add(self, size: int, now: float) -> None:
        """So many bytes went at the time `now`."""
        self.total += size
        self._level = self._faded(now) + size
        self._at = now

    def rate(self, now: float) -> float:
        """Bytes a second, lately."""
        return self._faded(now) / self._span_s

    def _faded(self, now: float) -> float:
        return self._level * math.exp((self._at - now) / self._span_s) if self._level else 0.0
