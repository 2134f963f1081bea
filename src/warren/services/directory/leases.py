"""Who is there: leases that end by themselves, and since when each is held without a break.

In:  leases whose signature was checked, from where they came, goodbyes, the time. Out: who came and who went;
the age of each, which is what a vote of its holder weighs by. Pure; times are monotonic seconds.

A lease runs from when it is taken, by this node's clock alone. A renewal before its end keeps the age; after
a break, or a goodbye, the age begins anew. What a holder claims of its age counts for nothing.

One heap holds the ends, with one entry for each peer as a rule: a renewal moves nothing in it, the entry
finds the later end when its time comes. So 10,000 peers that renew three times a minute cost 500 dictionary
look-ups a second, and no timers.

Refuses: a lease that is not newer than the last of its peer, and more peers than there is room for, of one
host or in all.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from warren.network.places import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.peer_id import PeerId
    from warren.network.places import Place

LEFT_MAX: Final = 16_384
"""Peers that left whose last number is remembered, so that an old lease counts for nothing. Attack: keys
without end."""
PER_HOST_MAX: Final = 1024
"""Peers that are there from one host: an IPv4 address, a /64 of IPv6. Attack: one machine takes all the room
there is."""


class Taken(Enum):
    """What became of a lease."""

    NEW = auto()
    """The peer was not there before."""
    RENEWED = auto()
    OLD = auto()
    """Its number is not above the last one: it counts for nothing."""
    FULL = auto()


@dataclass(slots=True)
class Held:
    """A lease that is held. since: from when on without a break. until: its end."""

    seq: int
    since: float
    until: float
    place: Place


class Leases:
    """The leases that a super-peer holds, `peers_max` at most. `expire` is to be called by `next_at`."""

    __slots__ = ("_by_host", "_held", "_left", "_peers_max", "_queue", "_queued")

    def __init__(self, peers_max: int) -> None:
        self._held: dict[PeerId, Held] = {}
        self._by_host: Counter[str] = Counter()
        self._left: OrderedDict[PeerId, int] = OrderedDict()
        self._queue: list[tuple[float, PeerId]] = []
        self._queued: dict[PeerId, float] = {}
        """The entry of each peer in the queue that counts: its earliest."""
        self._peers_max = peers_max

    # --- who is there ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, peer: object) -> bool:
        return peer in self._held

    def get(self, peer: PeerId) -> Held | None:
        """The lease of a peer; None: it is not there."""
        return self._held.get(peer)

    def items(self) -> Iterable[tuple[PeerId, Held]]:
        """All who are there, who came first before the others, and their leases."""
        return self._held.items()

    def peers(self) -> list[PeerId]:
        """All who are there, who came first before the others."""
        return list(self._held)

    def held_s(self, peer: PeerId, now: float) -> float | None:
        """For how long a peer has been there without a break; None: it is not."""
        held = self._held.get(peer)
        return now - held.since if held is not None else None

    def number_of(self, peer: PeerId) -> int | None:
        """The highest number of a peer's leases, as far as that is remembered; None: never heard of."""
        held = self._held.get(peer)
        return held.seq if held is not None else self._left.get(peer)

    # --- what happens ---------------------------------------------------------------------------------------

    def take(self, peer: PeerId, seq: int, valid_s: float, now: float, place: Place = NOWHERE) -> Taken:
        """A lease of that number, good for so long from now on. place: where the peer speaks from."""
        last = self.number_of(peer)
        if last is not None and seq <= last:
            return Taken.OLD
        held = self._held.get(peer)
        if not self._has_room(held, place):
            return Taken.FULL
        until = now + valid_s
        if held is None:
            self._held[peer] = Held(seq, now, until, place)
            self._left.pop(peer, None)
        else:
            self._uncount(held.place)
            held.seq, held.until, held.place = seq, until, place
        self._by_host[place.host] += 1
        self._push(peer, until)
        return Taken.NEW if held is None else Taken.RENEWED

    def shorten(self, peer: PeerId, until: float) -> None:
        """It may have gone: without a new lease it is held to be there until then at most."""
        held = self._held.get(peer)
        if held is not None and held.until > until:
            held.until = until
            self._push(peer, until)

    def leave(self, peer: PeerId) -> bool:
        """It said that it goes; whether it was there."""
        if peer not in self._held:
            return False
        self._end(peer)
        return True

    def expire(self, now: float) -> list[PeerId]:
        """Whose lease is over: they are there no more."""
        gone: list[PeerId] = []
        while self._queue and self._queue[0][0] <= now:
            at, peer = heapq.heappop(self._queue)
            if self._queued.get(peer) != at:
                continue  # an earlier entry stands for it, or stood
            del self._queued[peer]
            held = self._held.get(peer)
            if held is None:
                continue
            if held.until > now:
                self._push(peer, held.until)
                continue
            self._end(peer)
            gone.append(peer)
        return gone

    @property
    def next_at(self) -> float | None:
        """When to call `expire` again; None: nobody is there."""
        return self._queue[0][0] if self._queue else None

    # --- inside ---------------------------------------------------------------------------------------------

    def _has_room(self, held: Held | None, place: Place) -> bool:
        """Who is there already has room, unless it moved to a host that is full."""
        if held is None and len(self._held) >= self._peers_max:
            return False
        moved = held is None or held.place.host != place.host
        return not moved or self._by_host[place.host] < PER_HOST_MAX

    def _uncount(self, place: Place) -> None:
        self._by_host[place.host] -= 1
        if not self._by_host[place.host]:
            del self._by_host[place.host]

    def _end(self, peer: PeerId) -> None:
        held = self._held.pop(peer)
        self._uncount(held.place)
        self._left[peer] = held.seq
        self._left.move_to_end(peer)
        if len(self._left) > LEFT_MAX:
            self._left.popitem(last=False)

    def _push(self, peer: PeerId, at: float) -> None:
        """Look at it then, unless it is looked at sooner anyway."""
        if at >= self._queued.get(peer, at + 1.0):
            return
        self._queued[peer] = at
        heapq.heappush(self._queue, (at, peer))
        if len(self._queue) > 2 * len(self._held) + 64:
            # Attack: leases and goodbyes in turns, each of which leaves an entry until its time.
            self._queued = {one: held.until for one, held in self._held.items()}
            self._queue = [(until, one) for one, until in self._queued.items()]
            heapq.heapify(self._queue)
