"""`Purse`: how much somebody may cause. Pure: time is an argument."""

from __future__ import annotations


class Purse:
    """So many attempts at once, and one more each so many seconds."""

    __slots__ = ("_burst", "_every_s", "_left", "_since")

    def __init__(self, burst: int, every_s: float, now: float) -> None:
        self._burst = burst
        self._every_s = every_s
        self._left = float(burst)
        self._since = now

    def left(self, now: float) -> int:
        """How many may be paid for now."""
        self._left = min(self._burst, self._left + max(0.0, now - self._since) / self._every_s)
        self._since = now
        return int(self._left + 1e-9)

    def pay(self, attempts: int) -> None:
        """Take them out; a negative number gives them back."""
        self._left = min(self._burst, self._left - attempts)

    def ready_at(self, now: float) -> float:
        """When one may be paid for."""
        return now if self.left(now) else now + (1.0 - self._left) * self._every_s
