"""How much somebody may do: so much at once, refilled over time. Decides only; the clock is the caller's."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId


class Rate(NamedTuple):
    """`burst` at once, then `per_s` each second."""

    burst: float
    per_s: float


class Allowance:
    """What is left of a rate. Times are monotonic seconds."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._left = rate.burst
        self._at = now

    def left(self, now: float) -> int:
        """How often `take` succeeds now."""
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.per_s)
        self._at = now
        return int(self._left)

    def take(self, now: float) -> bool:
        """Use one up, if there is one."""
        if self.left(now) < 1:
            return False
        self._left -= 1
        return True

    def wait_s(self, count: float = 1) -> float:
        """Seconds until there are `count`, as of the last call with a time."""
        return max(0.0, count - self._left) / self._rate.per_s


class Allowances:
    """One for each peer, and one for all together; those of peers heard of longest ago are forgotten."""

    __slots__ = ("_all", "_each", "_peers", "_peers_max")

    def __init__(self, each: Rate, total: Rate, peers_max: int, now: float) -> None:
        self._each = each
        self._all = Allowance(total, now)
        self._peers: OrderedDict[PeerId, Allowance] = OrderedDict()
        self._peers_max = peers_max

    def take(self, peer: PeerId, now: float) -> bool:
        """Use one up of both, if both have one."""
        own = self._peers.get(peer)
        if own is None:
            own = self._peers[peer] = Allowance(self._each, now)
            if len(self._peers) > self._peers_max:
                self._peers.popitem(last=False)
        self._peers.move_to_end(peer)
        return own.left(now) >= 1 and self._all.take(now) and own.take(now)
