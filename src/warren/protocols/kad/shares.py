"""Who fills how much of a room that is shared: pure counting.

In:  things that are put in and taken out, each with its owner and its cost. Out: what has to go so that a new
one fits, or that the new one does not. The rule: room is made by whoever has most of it, with its oldest
thing. So a flood from one place pushes out itself, and a newcomer that has little always finds room.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class _Share(Generic[T]):
    __slots__ = ("things", "used")

    def __init__(self) -> None:
        self.used = 0
        self.things: dict[T, int] = {}
        """With its cost, oldest first."""


class Shares(Generic[T]):
    """room: what all things may cost together. An owner is any text; each thing has one."""

    __slots__ = ("_by_owner", "room", "used")

    def __init__(self, room: int) -> None:
        self.room = room
        self.used = 0
        self._by_owner: dict[str, _Share[T]] = {}

    def add(self, owner: str, thing: T, cost: int) -> None:
        """Count a thing, now the newest of its owner; it must not be counted already."""
        share = self._by_owner.get(owner)
        if share is None:
            share = self._by_owner[owner] = _Share()
        share.things[thing] = cost
        share.used += cost
        self.used += cost

    def remove(self, owner: str, thing: T) -> None:
        """Count a thing no longer."""
        share = self._by_owner[owner]
        cost = share.things.pop(thing)
        share.used -= cost
        self.used -= cost
        if not share.things:
            del self._by_owner[owner]

    def in_the_way(self, owner: str, cost: int) -> T | None:
        """What has to go before a thing of `owner` fits; ask again when it is gone. None: it fits.

        Raises `Full` where nobody has more than that owner would have then.
        """
        if self.used + cost <= self.room:
            return None
        own = self._by_owner.get(owner)
        largest = max(self._by_owner.values(), key=lambda share: share.used, default=None)
        if largest is None or largest.used < (own.used if own is not None else 0) + cost:
            raise Full
        return next(iter(largest.things))


class Full(Exception):
    """There is no room, and none that it would be just to make."""
