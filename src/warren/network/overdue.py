"""Which streams have waited too long for their peer: a pure machine, asked at each sweep.

In: the streams that only the peer can bring on (it has not named a protocol, or not ended what was closed
here), and the time.  Out: those of which nothing moved for `limit_s`.  No timer per stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.network.stream import Stream


class OverdueStreams:
    """Since when each stream has waited."""

    __slots__ = ("_limit_s", "_since")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: dict[Stream, tuple[float, int]] = {}
        """The time, and how much of ours was unsent then: while that shrinks, the peer still reads."""

    def look(self, waiting: Iterable[Stream], now: float) -> list[Stream]:
        """Note all that wait at `now` (seconds); return those that are overdue, and forget them."""
        since: dict[Stream, tuple[float, int]] = {}
        overdue = []
        for stream in waiting:
            unsent = stream.unsent_bytes
            began, unsent_then = self._since.get(stream, (now, unsent))
            if unsent != unsent_then:
                began = now
            if now - began >= self._limit_s:
                overdue.append(stream)
            else:
                since[stream] = (began, unsent)
        self._since = since
        return overdue
