"""When to put again what this node published: a decision machine, which does nothing itself.

In:  the time (monotonic seconds), chance, and what became of each try. Out: `Publish(item)` or `Wait(until)`.

What is put lasts 48 hours at most, and peers that keep it go; so it is put again within 22, the interval that
the public network has measured to be enough. The exact time is drawn at random, else all that was published
together would always come in one burst. A try that failed is repeated soon, then ever later.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#content-provider-advertisement-and-discovery
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

T = TypeVar("T", bound="Hashable")

_SUPERSEDED_MAX = 64


class Chance(Protocol):
    """Where the jitter comes from."""

    def uniform(self, low: float, high: float) -> float: ...


@dataclass(frozen=True, slots=True)
class RepublishPolicy:
    """Seconds, but for the last.

    every_s: the longest from one time to the next; up to a tenth less is drawn.
    start_s: what is overdue at the start is spread over so long, so that peers are found before.
    retry_first_s, retry_longest_s: after a failure; doubles.
    retry_soon_s: what failed is spread over so long once there is hope again.
    at_once_max: fault: thousands of look-ups at once, when much was published together.
    """

    every_s: float = 22 * 3600.0
    start_s: float = 60.0
    retry_first_s: float = 30.0
    retry_longest_s: float = 3600.0
    retry_soon_s: float = 2.0
    at_once_max: int = 4


@dataclass(frozen=True, slots=True)
class Publish(Generic[T]):
    """Put this now, then report `published` or `failed`."""

    item: T


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before `until`; None: not before something happens."""

    until: float | None


class _Item:
    __slots__ = ("due", "failures")

    def __init__(self) -> None:
        self.due: float | None = None  # None: a try is under way
        self.failures = 0


class Republish(Generic[T]):
    """Keeps the schedule of all that is published."""

    __slots__ = ("_chance", "_heap", "_items", "_number", "_policy", "_under_way")

    def __init__(self, policy: RepublishPolicy, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._items: dict[T, _Item] = {}
        self._under_way: set[T] = set()
        self._heap: list[tuple[float, int, T]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T, now: float, *, age_s: float | None) -> None:
        """Begin to put `item`, or begin again. age_s: how long ago it was put; None: never, or in vain."""
        known = self._items.get(item)
        if known is None:
            known = self._items[item] = _Item()
        self._under_way.discard(item)
        known.failures = 0
        every_s = self._policy.every_s
        left_s = 0.0 if age_s is None else self._chance.uniform(0.9, 1.0) * every_s - age_s
        if left_s <= 0:
            left_s = self._chance.uniform(0.0, self._policy.start_s)
        self._plan(item, now + min(left_s, every_s))

    def remove(self, item: T) -> None:
        """Put `item` no more."""
        self._items.pop(item, None)
        self._under_way.discard(item)

    def due(self, item: T) -> float | None:
        """When it is put next; None: it is being put, or is not known."""
        known = self._items.get(item)
        return known.due if known is not None else None

    def published(self, item: T, now: float) -> None:
        """It is put."""
        self._under_way.discard(item)
        known = self._items.get(item)
        if known is not None:
            known.failures = 0
            self._plan(item, now + self._chance.uniform(0.9, 1.0) * self._policy.every_s)

    def failed(self, item: T, now: float) -> None:
        """It could not be put anywhere."""
        self._under_way.discard(item)
        known = self._items.get(item)
        if known is not None:
            wait_s = min(
                self._policy.retry_first_s * 2.0 ** min(known.failures, 30), self._policy.retry_longest_s
            )
            known.failures += 1
            self._plan(item, now + self._chance.uniform(wait_s / 2, wait_s))

    def retry_soon(self, now: float) -> None:
        """What failed may go well now."""
        for item, known in self._items.items():
            if known.failures and known.due is not None and known.due > now + self._policy.retry_soon_s:
                self._plan(item, now + self._chance.uniform(0.0, self._policy.retry_soon_s))

    def next(self, now: float) -> Publish[T] | Wait:
        """What to do now. Each `Publish` must be followed by `published` or `failed` for its item."""
        while self._heap:
            due, _, item = self._heap[0]
            known = self._items.get(item)
            if known is None or known.due != due:
                heapq.heappop(self._heap)  # superseded
                continue
            if len(self._under_way) >= self._policy.at_once_max:
                return Wait(None)
            if due > now:
                return Wait(due)
            heapq.heappop(self._heap)
            known.due = None
            self._under_way.add(item)
            return Publish(item)
        return Wait(None)

    def _plan(self, item: T, due: float) -> None:
        self._items[item].due = due
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, item))
        if len(self._heap) > 2 * len(self._items) + _SUPERSEDED_MAX:
            self._sweep()

    def _sweep(self) -> None:
        """Drop what was superseded: somebody may publish one name again every second."""
        self._heap = [one for one in self._heap if (known := self._items.get(one[2])) and known.due == one[0]]
        heapq.heapify(self._heap)
