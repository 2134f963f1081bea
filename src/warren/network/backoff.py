"""When an address that failed may be dialled again. Pure: time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr


class Backoff:
    """Doubles the wait with every failure of an address; a success forgets it. Bounded memory."""

    __slots__ = ("_entries", "_entries_max", "_first_s", "_max_s")

    def __init__(self, first_s: float, max_s: float, entries_max: int) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._entries_max = entries_max
        self._entries: dict[Multiaddr, tuple[float, float]] = {}

    def wait_s(self, address: Multiaddr, now: float) -> float:
        """Seconds until `address` may be dialled; 0 when it may be now."""
        until, _ = self._entries.get(address, (0.0, 0.0))
        return max(0.0, until - now)

    def on_failure(self, address: Multiaddr, now: float) -> None:
        """Note a failed dial."""
        _, last_s = self._entries.pop(address, (0.0, 0.0))
        wait_s = min(last_s * 2 or self._first_s, self._max_s)
        if len(self._entries) >= self._entries_max:
            del self._entries[next(iter(self._entries))]
        self._entries[address] = (now + wait_s, wait_s)

    def on_success(self, address: Multiaddr) -> None:
        """Forget the failures of an address."""
        self._entries.pop(address, None)
