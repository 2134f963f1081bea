"""How much somebody may do: so much at once, refilled over time; and how often. Decides only; the caller has
the clock.
"""

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
        return int(self._refilled(now))

    def has(self, now: float, cost: float = 1.0) -> bool:
        """Whether `take` succeeds now."""
        return self._refilled(now) >= cost

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Use so much up, if there is as much."""
        if not self.has(now, cost):
            return False
        self._left -= cost
        return True

    def _refilled(self, now: float) -> float:
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.per_s)
        self._at = now
        return self._left

    def wait_s(self, count: float = 1) -> float:
        """Seconds until there are `count`, as of the last call with a time."""
        return max(0.0, count - self._left) / self._rate.per_s


class Each(Generic[K]):
    """One for each peer, host or network; those heard of longest ago are forgotten."""

    __slots__ = ("_kept", "_keys_max", "_rate")

    def __init__(self, rate: Rate, keys_max: int) -> None:
        self._rate = rate
        self._kept: OrderedDict[K, Allowance] = OrderedDict()
        self._keys_max = keys_max

    def of(self, key: K, now: float) -> Allowance:
        """What is left to this one."""
        own = self._kept.get(key)
        if own is None:
            own = self._kept[key] = Allowance(self._rate, now)
            if len(self._kept) > self._keys_max:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return own


class Allowances(Generic[K]):
    """One for each peer or host, and one for all together."""

    __slots__ = ("_all", "_each")

    def __init__(self, each: Rate, total: Rate, keys_max: int, now: float) -> None:
        self._each: Each[K] = Each(each, keys_max)
        self._all = Allowance(total, now)

    def take(self, key: K, now: float) -> bool:
        """Use one up of both, if both have one."""
        own = self._each.of(key, now)
        return own.has(now) and self._all.take(now) and own.take(now)


class Seldom(Generic[K]):
    """What is done for each key once in a while only, such as a line in the log."""

    __slots__ = ("_done", "_every_s", "_keys_max")

    def __init__(self, every_s: float, keys_max: int) -> None:
        self._every_s = every_s
        self._keys_max = keys_max
        self._done: OrderedDict[K, float] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._done)

    def is_due(self, key: K, now: float) -> bool:
        """Whether it is time again; then it counts as done."""
        before = self._done.get(key)
        if before is not None and now < before + self._every_s:
            return False
        self._done[key] = now
        self._done.move_to_end(key)
        if len(self._done) > self._keys_max:
            self._done.popitem(last=False)
        return True
