"""The leases that this node gives out. Pure but for the signing.

In:  the time. Out: sealed leases, each with a higher number than any before.

Numbers are milliseconds since 1970 where the clock allows, so that they rise over restarts with nothing
kept on disk. Where a clock was set back, a super-peer that remembers says which number it knows, and
numbers go on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.lease import Lease

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Clock

NUMBER_MAX: Final = 1 << 62
"""Attack: a super-peer that claims to know a number near the last makes this node run out of them."""


class Numbers:
    """Rising numbers, for whatever this node signs of its presence."""

    __slots__ = ("_clock", "_last")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """One above all before, the time in milliseconds if that is above."""
        self._last = max(self._last + 1, int(self._clock.wall() * 1000))
        return self._last

    def pass_by(self, known: int) -> None:
        """Somebody knows a higher number of ours: go on from there."""
        if self._last < known < NUMBER_MAX:
            self._last = known


class OwnLeases:
    """Of one node."""

    __slots__ = ("_clock", "_key", "_numbers", "_since", "_valid_s")

    def __init__(self, key: PrivateKey, clock: Clock, valid_s: int) -> None:
        """valid_s: seconds that each is good for."""
        self._key = key
        self._clock = clock
        self._numbers = Numbers(clock)
        self._since = clock.now()
        self._valid_s = valid_s

    def lease(self, super_peer: PeerId) -> Lease:
        """A new lease for one super-peer."""
        held_s = int(self._clock.now() - self._since)
        return Lease(self._key.peer_id, self._numbers.next(), self._valid_s, held_s, super_peer)

    def sealed(self, super_peer: PeerId) -> bytes:
        """The same, sealed."""
        return self.lease(super_peer).seal(self._key)

    def pass_by(self, known: int) -> None:
        """A super-peer knows a higher number of ours: go on from there."""
        self._numbers.pass_by(known)
