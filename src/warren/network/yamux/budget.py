"""What peers can make the node hold: per stream, per connection and in all.

Three sums are kept.  Granted: how far receive windows grew beyond the initial 256 KiB.  Held: bytes that
arrived and that nobody has read yet; beyond the bound the stream on which more arrives is reset, because
pausing the whole link could stop just the stream that the application waits for.  Streams: those that peers
opened.
"""

from __future__ import annotations

from dataclasses import dataclass

from warren.core.bounds import check_settings

# A window is a number of 32 bits on the wire; half of that leaves room for what is under way.
WINDOW_BYTES_MAX = 1 << 31


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """Bounds on the growth of receive windows, bytes."""

    stream_bytes_max: int = 16 * 1024 * 1024
    """Largest window of one stream: enough for 1 Gbit/s at 130 ms."""
    connection_bytes_max: int = 24 * 1024 * 1024
    """Growth granted to all streams of one connection: one peer cannot take all."""
    total_bytes_max: int = 64 * 1024 * 1024
    """Growth granted to all connections: what slow readers can make the node hold."""
    held_connection_bytes_max: int = 32 * 1024 * 1024
    """Unread bytes of one connection: stops a thousand streams from filling their initial windows."""
    held_total_bytes_max: int = 96 * 1024 * 1024
    """Unread bytes of all connections."""
    held_reserved_bytes: int = 64 * 1024
    """What a connection may hold even then, so that a few that read nothing cannot stop the others.
    0: nothing."""
    partial_total_bytes_max: int = 64 * 1024 * 1024
    """Sealed messages of all connections that have not arrived whole. Stops thousands of connections that
    begin a message and never end it; beyond it those that have waited longest are closed."""
    streams_total_max: int = 65_536
    """Streams that peers opened, in all: stops many connections from hoarding idle ones."""
    streams_reserved: int = 16
    """Streams that a connection may have even then, so that hoarders cannot lock others out. 0: none."""

    def __post_init__(self) -> None:
        zero, most = ("held_reserved_bytes", "streams_reserved"), {"stream_bytes_max": WINDOW_BYTES_MAX}
        check_settings(self, "network.windows.", zero=zero, most=most)


class TotalBudget:
    """The node's share, counted by every `WindowBudget`."""

    __slots__ = ("granted", "held", "limits", "partial", "streams")

    def __init__(self, limits: WindowLimits) -> None:
        self.limits = limits
        self.granted = 0
        self.held = 0
        self.partial = 0
        """Bytes of messages that have not arrived whole; counted by the sockets."""
        self.streams = 0


class WindowBudget:
    """The budget of one connection."""

    __slots__ = ("_granted", "_held", "_total", "streams")

    def __init__(self, total: TotalBudget) -> None:
        self._total = total
        self._granted = 0
        self._held = 0
        self.streams = 0
        """Streams that the peer has open."""

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

    def hold(self, count: int) -> bool:
        """Count `count` unread bytes; False, and nothing counted, when that is too much."""
        limits, total = self._total.limits, self._total
        held = self._held + count
        if held > limits.held_connection_bytes_max:
            return False
        if total.held + count > limits.held_total_bytes_max and held > limits.held_reserved_bytes:
            return False
        self._held += count
        total.held += count
        return True

    def release(self, count: int) -> None:
        """So many bytes were read, or dropped. After `close` there is nothing to release."""
        count = min(count, self._held)
        self._held -= count
        self._total.held -= count

    def open_stream(self, streams_max: int) -> bool:
        """Count a stream that the peer opens; False, and nothing counted, when there are too many."""
        limits, total = self._total.limits, self._total
        if self.streams >= streams_max:
            return False
        if total.streams >= limits.streams_total_max and self.streams >= limits.streams_reserved:
            return False
        self.streams += 1
        total.streams += 1
        return True

    def close_stream(self) -> None:
        """A stream of the peer is over."""
        self.streams -= 1
        self._total.streams -= 1

    def close(self) -> None:
        """The connection is gone, and with it what it held."""
        self.release(self._held)
        self._total.streams -= self.streams
        self.streams = 0
