"""Who is there at other super-peers of the fleet: leases that they took. Pure.

In:  leases as the store tells of them, and how long they still last; monotonic seconds. Out: which are to be
looked at again, because their time is over as far as is known here; who came and who went. Renewals are not
told, so a lease is looked at once in its time, however often it is renewed.

Refuses more leases than there is room for.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.services.directory.fleet.keys import Place

LEASES_MAX: Final = 50_000
"""Of one part. Attack: who can write to the store lists peers without end. Each takes some 300 bytes."""


class Elsewhere:
    """The leases of one part that others took."""

    __slots__ = ("_by_owner", "_queue", "_tie", "_until")

    def __init__(self) -> None:
        self._until: dict[Place, float] = {}
        self._by_owner: dict[PeerId, int] = {}
        self._queue: list[tuple[float, int, Place]] = []
        self._tie = 0

    def __len__(self) -> int:
        """How many peers are there."""
        return len(self._by_owner)

    def __contains__(self, owner: object) -> bool:
        return owner in self._by_owner

    def places(self) -> list[Place]:
        """All leases."""
        return list(self._until)

    def note(self, place: Place, until: float) -> bool:
        """A lease lasts until then; whether its owner was not there before."""
        came = False
        if place not in self._until:
            if len(self._until) >= LEASES_MAX:
                return False
            came = place.owner not in self._by_owner
            self._by_owner[place.owner] = self._by_owner.get(place.owner, 0) + 1
        self._until[place] = until
        self._tie += 1
        heapq.heappush(self._queue, (until, self._tie, place))
        return came

    def end(self, place: Place) -> bool:
        """A lease is over; whether its owner is not there any more."""
        if self._until.pop(place, None) is None:
            return False
        self._by_owner[place.owner] -= 1
        if self._by_owner[place.owner]:
            return False
        del self._by_owner[place.owner]
        return True

    def recall(self, place: Place, at: float) -> None:
        """A lease could not be looked at: it is due again then."""
        if place in self._until:
            self.note(place, at)

    @property
    def next_at(self) -> float | None:
        """When to ask `due` again; None: there is nobody."""
        return self._queue[0][0] if self._queue else None

    def due(self, now: float) -> list[Place]:
        """Which are to be looked at. Call `note`, `end` or `recall` for each, or it is not due again."""
        found = []
        while self._queue and self._queue[0][0] <= now:
            at, _, place = heapq.heappop(self._queue)
            if self._until.get(place) == at:
                found.append(place)
        return found
