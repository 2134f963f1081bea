"""How far receive windows may grow: per stream, per connection and for the whole node.

A window is a promise to hold that many bytes when the application does not read.  The initial 256 KiB of
each stream are covered by the limit on streams; what goes beyond is taken from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """Bounds on the growth of receive windows, bytes."""

    stream_bytes_max: int = 16 * 1024 * 1024
    """Largest window of one stream: enough for 1 Gbit/s at 130 ms."""
    connection_bytes_max: int = 24 * 1024 * 1024
    """Growth granted to all streams of one connection: one peer cannot take all."""
    total_bytes_max: int = 64 * 1024 * 1024
    """Growth granted to all connections: what slow readers can make the node hold."""


class TotalBudget:
    """The node's share, counted by every `WindowBudget`."""

    __slots__ = ("granted", "limits")

    def __init__(self, limits: WindowLimits) -> None:
        self.limits = limits
        self.granted = 0


class WindowBudget:
    """The budget of one connection."""

    __slots__ = ("_granted", "_total")

    def __init__(self, total: TotalBudget) -> None:
        self._total = total
        self._granted = 0

    def grant(self, window_bytes: int) -> int:
        """How many bytes a window of `window_bytes` may grow now: it doubles, or stays (0)."""
        limits = self._total.limits
        if (
            2 * window_bytes > limits.stream_bytes_max
            or self._granted + window_bytes > limits.connection_bytes_max
            or self._total.granted + window_bytes > limits.total_bytes_max
        ):
            return 0
        self._granted += window_bytes
        self._total.granted += window_bytes
        return window_bytes

    def give_back(self, grown_bytes: int) -> None:
        """A stream with so much growth ended."""
        self._granted -= grown_bytes
        self._total.granted -= grown_bytes
