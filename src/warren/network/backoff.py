"""When what failed may be dialled again: a peer at an address. Pure: time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class Backoff:
    """Doubles the wait with every failure of a target; a success forgets it. Bounded memory."""

    __slots__ = ("_entries", "_entries_max", "_first_s", "_max_s")

    def __init__(self, first_s: float, max_s: float, entries_max: int) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._entries_max = entries_max
        self._entries: dict[Hashable, tuple[float, float]] = {}

    def wait_s(self, target: Hashable, now: float) -> float:
        """Seconds until `target` may be dialled; 0 when it may be now."""
        until, _ = self._entries.get(target, (0.0, 0.0))
        return max(0.0, until - now)

    def on_failure(self, target: Hashable, now: float) -> None:
        """Note a failed dial."""
        _, last_s = self._entries.pop(target, (0.0, 0.0))
        wait_s = min(last_s * 2 or self._first_s, self._max_s)
        if len(self._entries) >= self._entries_max:
            del self._entries[next(iter(self._entries))]
        self._entries[target] = (now + wait_s, wait_s)

    def on_success(self, target: Hashable) -> None:
        """Forget the failures of a target."""
        self._entries.pop(target, None)
