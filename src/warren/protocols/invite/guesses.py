"""How often somebody may be wrong about an invite code.

In:  the time and the peer of each attempt. Out: whether to look at it, and whether to answer it.
Decides only; the clock and the connection are the caller's.

A secret has 128 bits, so nobody finds one by guessing. What these limits bound is the work and the noise:
- per peer: one identity that keeps trying. It is refused unheard, even with a right code, until it waited.
- in total: many fresh identities that each try a little, beyond the reach of the first limit. Over this limit
  a wrong attempt gets no answer and costs its connection. A right code is still honoured: otherwise the flood
  itself would lock out the people who were invited.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """Each is a burst and the seconds in which one spent attempt comes back.

    per_peer, per_peer_refill_s: attack: one identity tries codes. Five typing errors are human.
    total, total_refill_s: attack: fresh identities try codes; 100 at once, then one a second.
    peers_max: attack: fresh identities fill the memory; the oldest are forgotten (about 200 bytes each).
    """

    per_peer: int = 5
    per_peer_refill_s: float = 60.0
    total: int = 100
    total_refill_s: float = 1.0
    peers_max: int = 1024


class _Bucket:
    """So many at once, refilled over time."""

    __slots__ = ("_left", "_refill_s", "_size", "_when")

    def __init__(self, size: int, refill_s: float, now: float) -> None:
        self._size = size
        self._refill_s = refill_s
        self._left = float(size)
        self._when = now

    def has(self, now: float) -> bool:
        self._left = min(self._size, self._left + (now - self._when) / self._refill_s)
        self._when = now
        return self._left >= 1

    def wait_s(self) -> float:
        """Seconds until `has` turns true, as of its last call."""
        return max(0.0, 1 - self._left) * self._refill_s

    def take(self) -> None:
        self._left -= 1


class Guesses:
    """Counts wrong attempts. Times are monotonic seconds."""

    __slots__ = ("_limits", "_peers", "_total")

    def __init__(self, limits: GuessLimits, now: float) -> None:
        self._limits = limits
        self._total = _Bucket(limits.total, limits.total_refill_s, now)
        self._peers: OrderedDict[PeerId, _Bucket] = OrderedDict()

    def wait_s(self, peer: PeerId, now: float) -> float:
        """Seconds until an attempt of `peer` is looked at again; 0.0 means now."""
        bucket = self._peers.get(peer)
        return 0.0 if bucket is None or bucket.has(now) else bucket.wait_s()

    def wrong(self, peer: PeerId, now: float) -> bool:
        """Count a wrong attempt. Returns whether it deserves an answer."""
        bucket = self._peers.pop(peer, None)
        if bucket is None:
            bucket = _Bucket(self._limits.per_peer, self._limits.per_peer_refill_s, now)
        if bucket.has(now):
            bucket.take()
        self._peers[peer] = bucket
        if len(self._peers) > self._limits.peers_max:
            self._peers.popitem(last=False)
        if not self._total.has(now):
            return False
        self._total.take()
        return True
