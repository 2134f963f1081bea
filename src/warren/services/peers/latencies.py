"""`Latencies`: which of many round trips are new, and when a figure is worth to be noted again.

In:  sockets with the round trip of their newest probe; round trips of pings. Out: the smoothed figure and its
deviation, when it changed by something that people would see or the last one is old. No IO.

A probe on a busy link waits behind the data: it tells of the queue, and not how far the peer is. It counts
only where nothing better was measured for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.services.peers.estimate import RoundTrips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.peer_id import PeerId

AWAY_MAX: Final = 1024
"""Peers whose round trips are remembered though they are not connected; Fault: memory that grows with all
peers ever met."""
FIRST_SAMPLES: Final = 3
"""Taken soon after one another when a peer connects: the first was measured amid all that a connection begins
with."""
FIRST_LOOKS_MAX: Final = 32
"""Who answers no probe, or is busy all the time, is not looked at so often for ever."""
BUSY_BYTES_PER_S: Final = 64 * 1024
"""What moves more since the last look is busy."""
NOTED_AGAIN_S: Final = 600.0
"""A figure that stays the same is noted again after so long, for its age."""
NOTED_SHARE: Final = 0.05
"""A figure that changed by less is not noted: each note is a write to the disk."""

FigureNow = tuple[float, "float | None"]


class HasRoundTrip(Protocol):
    """A connection as far as its round trip is concerned."""

    @property
    def rtt_s(self) -> float | None: ...

    @property
    def rtt_at(self) -> float | None: ...

    @property
    def bytes_in(self) -> int: ...

    @property
    def bytes_out(self) -> int: ...


class _Trips:
    __slots__ = (
        "looked_at",
        "looks",
        "measured_at",
        "moved_bytes",
        "noted_at",
        "noted_s",
        "samples",
        "taken_at",
        "trips",
    )

    def __init__(self) -> None:
        self.trips = RoundTrips()
        self.looks = self.samples = 0
        self.looked_at = float("-inf")
        self.moved_bytes = 0
        self.taken_at = self.measured_at = float("-inf")
        self.noted_at = float("-inf")
        self.noted_s = 0.0

    def is_busy(self, moved_bytes: int, now: float) -> bool:
        """Whether much moved since the last look."""
        since_s, moved = now - self.looked_at, moved_bytes - self.moved_bytes
        self.looked_at, self.moved_bytes = now, moved_bytes
        self.looks += 1
        return moved > since_s * BUSY_BYTES_PER_S


class Latencies:
    """The round trips of all peers that are connected, and of some that are not."""

    __slots__ = ("_away", "_here")

    def __init__(self) -> None:
        self._here: dict[PeerId, _Trips] = {}
        self._away: dict[PeerId, _Trips] = {}

    def is_fresh(self, peer: PeerId) -> bool:
        """Whether too little was measured of a connected peer to be sure: it should be asked again soon."""
        one = self._here.get(peer)
        return one is not None and one.samples < FIRST_SAMPLES and one.looks < FIRST_LOOKS_MAX

    def look(self, peer: PeerId, sockets: Sequence[HasRoundTrip], now: float) -> FigureNow | None:
        """Take what the sockets of a connected peer measured since the last look; the figure, if it is worth
        to be noted. Of several sockets the shortest way counts.
        """
        one = self._here.get(peer)
        if one is None:
            one = self._here[peer] = self._take_back(peer)
        busy = one.is_busy(sum(socket.bytes_in + socket.bytes_out for socket in sockets), now)
        fresh = [
            socket.rtt_s
            for socket in sockets
            if socket.rtt_s is not None and socket.rtt_at is not None and socket.rtt_at > one.taken_at
        ]
        if not fresh:
            return None
        one.taken_at = now
        if busy and now - one.measured_at < NOTED_AGAIN_S:
            return None
        one.measured_at = now
        one.samples += 1
        one.trips.add(min(fresh))
        return self._worth_noting(one, now)

    def add(self, peer: PeerId, rtt_s: float) -> FigureNow:
        """Take a round trip that was measured just now; the figure."""
        one = self._here.get(peer)
        if one is None:
            one = self._take_back(peer)
            self._keep(peer, one)
        one.trips.add(rtt_s)
        return one.trips.rtt_s or rtt_s, one.trips.jitter_s

    def leave(self, peer: PeerId) -> None:
        """The peer is not connected any more."""
        one = self._here.pop(peer, None)
        if one is not None:
            self._keep(peer, one)

    def _take_back(self, peer: PeerId) -> _Trips:
        return self._away.pop(peer) if peer in self._away else _Trips()

    def _keep(self, peer: PeerId, one: _Trips) -> None:
        while len(self._away) >= AWAY_MAX:
            del self._away[next(iter(self._away))]
        self._away[peer] = one

    @staticmethod
    def _worth_noting(one: _Trips, now: float) -> FigureNow | None:
        rtt_s = one.trips.rtt_s
        if rtt_s is None:
            return None
        changed = abs(rtt_s - one.noted_s) > NOTED_SHARE * one.noted_s
        if not changed and now - one.noted_at < NOTED_AGAIN_S:
            return None
        one.noted_at, one.noted_s = now, rtt_s
        return rtt_s, one.trips.jitter_s
