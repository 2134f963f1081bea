"""Who fills how much of a room that is shared: pure counting.

In:  things that are put in and taken out, each with its owner and its cost. Out: what has to go so that a new
one fits, or that the new one does not. The rule: room is made by whoever has most of it, with its oldest
thing. So a flood from one place pushes out itself, and a newcomer that has little always finds room.
"""

from __future__ import annotations

import heapq
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_STALE_MAX: Final = 64


class _Share(Generic[T]):
    __slots__ = ("things", "used")

    def __init__(self) -> None:
        self.used = 0
        self.things: dict[T, int] = {}
        """With its cost, oldest first."""


class Shares(Generic[T]):
    """room: what all things may cost together. An owner is any text; each thing has one."""

    __slots__ = ("_by_owner", "_by_size", "room", "used")

    def __init__(self, room: int) -> None:
        self.room = room
        self.used = 0
        self._by_owner: dict[str, _Share[T]] = {}
        self._by_size: list[tuple[int, str]] = []
        """A heap with the largest first, so that a crowd of owners costs nobody time; most of it is stale."""

    def add(self, owner: str, thing: T, cost: int) -> None:
        """Count a thing, now the newest of its owner; it must not be counted already."""
        share = self._by_owner.get(owner)
        if share is None:
            share = self._by_owner[owner] = _Share()
        share.things[thing] = cost
        share.used += cost
        self.used += cost
        self._note(owner, share)

    def remove(self, owner: str, thing: T) -> None:
        """Count a thing no longer."""
        share = self._by_owner[owner]
        cost = share.things.pop(thing)
        share.used -= cost
        self.used -= cost
        if share.things:
            self._note(owner, share)
        else:
            del self._by_owner[owner]

    def weigh(self, owner: str, thing: T, cost: int) -> None:
        """Count a thing at another cost; it stays as old as it is."""
        share = self._by_owner[owner]
        more = cost - share.things[thing]
        share.things[thing] = cost
        share.used += more
        self.used += more
        self._note(owner, share)

    def in_the_way(self, owner: str, cost: int, *, sparing: T | None = None) -> T | None:
        """What has to go before a thing of `owner` fits; ask again when it is gone. None: it fits.

        sparing: what must not go; it counts nothing. Raises `Full` where nobody has more than that owner
        would have then.
        """
        if self.used + cost <= self.room:
            return None
        own = self._by_owner.get(owner)
        largest = self._largest()
        if largest is None or largest.used < (own.used if own is not None else 0) + cost:
            raise Full
        return next(thing for thing in largest.things if thing != sparing)

    def _note(self, owner: str, share: _Share[T]) -> None:
        heapq.heappush(self._by_size, (-share.used, owner))
        if len(self._by_size) > 2 * len(self._by_owner) + _STALE_MAX:
            self._by_size = [(-share.used, owner) for owner, share in self._by_owner.items()]
            heapq.heapify(self._by_size)

    def _largest(self) -> _Share[T] | None:
        while self._by_size:
            size, owner = self._by_size[0]
            share = self._by_owner.get(owner)
            if share is not None and share.used == -size:
                return share
            heapq.heappop(self._by_size)
        return None


class Full(Exception):
    """There is no room, and none that it would be just to make."""
