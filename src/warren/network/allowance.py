"""How much somebody may do: so much at once, refilled over time. Decides only; the clock is the caller's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)


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


class Allowances(Generic[K]):
    """One for each peer or host, and one for all together; those heard of longest ago are forgotten."""

    __slots__ = ("_all", "_each", "_kept", "_keys_max")

    def __init__(self, each: Rate, total: Rate, keys_max: int, now: float) -> None:
        self._each = each
        self._all = Allowance(total, now)
        self._kept: OrderedDict[K, Allowance] = OrderedDict()
        self._keys_max = keys_max

    def take(self, key: K, now: float) -> bool:
        """Use one up of both, if both have one."""
        own = self._kept.get(key)
        if own is None:
            own = self._kept[key] = Allowance(self._each, now)
            if len(self._kept) > self._keys_max:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return own.left(now) >= 1 and self._all.take(now) and own.take(now)
