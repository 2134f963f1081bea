"""How much to have outstanding at one source, and whether it stalls. A pure machine.

In: what was asked, the bytes that arrive, at which times in seconds. Out: the bytes to have outstanding,
which are what the source sends in a round trip and `AHEAD_S` beyond that; its rate; whether it stalls.

More than that would only wait in its queue, where others could have fetched it sooner; less lets the line
idle. A source that stalled gets one piece at a time until it has sent `PROBATION_ANSWERS` answers.
"""

from __future__ import annotations

from typing import Final

from warren.services.files.swarm.pieces import CHUNK_BYTES

FIRST_BYTES: Final = 2 * CHUNK_BYTES
"""Until anything is known of the rate."""
LEAST_BYTES: Final = 2 * CHUNK_BYTES
"""Two pieces of full size: while one arrives the next is on its way."""
AHEAD_S: Final = 0.3
"""Gaps in a source's sending that do not let the line idle."""
RATE_S: Final = 1.0
"""The rate is of about so long. Only time in which something is outstanding counts."""
STALL_S: Final = 2.0
STALL_FACTOR: Final = 4.0
"""A source stalls that sends nothing for `STALL_S`, or so many times as long as its next piece should take:
the longer of the two."""
FIRST_ANSWER_S: Final = 5.0
"""The same until it sent anything: it may have to open its files."""
PROBATION_ANSWERS: Final = 3


class Pipeline:
    """One per source. most_bytes: outstanding at most."""

    __slots__ = (
        "_busy_s",
        "_bytes",
        "_heard_at",
        "_heard_bytes_per_s",
        "_most_bytes",
        "_outstanding",
        "_probation",
        "_seen_at",
        "_waiting_since",
        "is_stalled",
        "round_trip_s",
    )

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = self._busy_s = 0.0  # of the last time, older ones fading
        self._seen_at = 0.0
        self._heard_at = self._heard_bytes_per_s = 0.0  # when it last sent something, and the rate then
        self._outstanding = 0
        self._waiting_since: float | None = None
        self._probation = 0
        self.round_trip_s = 0.0
        self.is_stalled = False

    @property
    def bytes_per_s(self) -> float:
        """What it sent while something was asked of it, lately; 0: nothing yet."""
        return self._bytes / self._busy_s if self._busy_s else 0.0

    @property
    def limit_bytes(self) -> int:
        """What may be outstanding."""
        if self._probation:
            return CHUNK_BYTES
        if not self._busy_s:
            return min(FIRST_BYTES, self._most_bytes)
        wanted = self.bytes_per_s * (2 * self.round_trip_s + AHEAD_S)
        return int(min(max(wanted, LEAST_BYTES), self._most_bytes))

    def on_asked(self, size: int, now: float) -> None:
        """So many bytes were asked for."""
        if not self._outstanding:
            self._seen_at = self._heard_at = self._waiting_since = now
        self._outstanding += size

    def on_bytes(self, size: int, now: float) -> None:
        """So many came since the last call, with or without an end; none are fine."""
        if self._waiting_since is not None and size:
            took_s = now - self._waiting_since
            self.round_trip_s = min(self.round_trip_s, took_s) if self.round_trip_s else took_s
            self._waiting_since = None
        passed = now - self._seen_at
        self._seen_at = now
        if not self._outstanding:
            return
        fade = RATE_S / (RATE_S + passed) if self._busy_s >= RATE_S else 1.0
        self._bytes = self._bytes * fade + size
        self._busy_s = self._busy_s * fade + passed
        if size:
            self._heard_at, self._heard_bytes_per_s = now, self.bytes_per_s

    def on_answered(self, size: int) -> None:
        """So many of the bytes that were asked for are done with, the wire's own not counted."""
        self._outstanding -= size
        if self._probation and not self.is_stalled:
            self._probation -= 1

    def on_lost(self) -> None:
        """The way to it broke: nothing is outstanding, and how long it takes may be another thing now."""
        self._outstanding = 0
        self.is_stalled = False
        self.round_trip_s = 0.0

    def check(self, now: float) -> bool:
        """Whether it stalls at this time; after `on_bytes`, which ends that."""
        silent_s = now - self._heard_at
        if not self._outstanding or silent_s == 0 or silent_s < self._patience_s:
            self.is_stalled = False
        else:
            self.is_stalled = True
            self._probation = PROBATION_ANSWERS
        return self.is_stalled

    @property
    def _patience_s(self) -> float:
        if not self._heard_bytes_per_s:
            return FIRST_ANSWER_S
        next_bytes = min(self._outstanding, CHUNK_BYTES)
        return max(STALL_S, STALL_FACTOR * (self.round_trip_s + next_bytes / self._heard_bytes_per_s))
