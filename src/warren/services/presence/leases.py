"""Who is online: leases with their end, and since when each is held without a break. Pure.

In:  checked leases, goodbyes, the time (monotonic seconds). Out: who is online, for how long already, and the
changes of that. Whoever hands in a lease has seen to it that it came from its holder, over a connection that
proved its key, and that it is for this node.

A lease runs from when it is taken, by this node's clock alone. A renewal before its end keeps the age;
after a break, or a goodbye, the age begins anew. What a holder claims of its age counts for nothing.

One heap holds the ends, with one entry for each peer as a rule: a renewal moves nothing in it, the entry
finds the later end when its time comes. So 10,000 peers that renew three times a minute cost 500 dictionary
look-ups a second, and no timers.

Refuses a number that is not above the last one of its holder (an old lease shown again), and more leases than
the bounds.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from warren.core.errors import LimitReached, ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.lease import Lease
    from warren.core.peer_id import PeerId
    from warren.services.presence.places import Place

Ending: TypeAlias = Literal["goodbye", "expired"]


@dataclass(frozen=True, slots=True)
class LeaseLimits:
    """What is kept. Each lease takes some 400 bytes, each ended one 200."""

    leases_max: int = 20_000
    """Peers online here at once. Attack: identities without end, each with a lease."""
    per_host_max: int = 1024
    """The same of one host: an IPv4 address, a /64 of IPv6. Attack: one machine takes all there are."""
    valid_s_max: float = 600.0
    """A lease that says more is cut to this many seconds. Attack: who has gone stays."""
    remembered_max: int = 20_000
    """Ended leases whose numbers are remembered; the oldest are forgotten. Attack: identities without end."""
    remembered_s: float = 3600.0
    """So long the number of an ended lease is remembered, and votes against its holder are taken."""


class Held(NamedTuple):
    """A lease that is held. since: from when without a break. until: its end. Monotonic seconds."""

    seq: int
    since: float
    until: float
    place: Place


class CameOnline(NamedTuple):
    """A peer took a lease that had none."""

    peer: PeerId


class WentOffline(NamedTuple):
    """A peer said goodbye, or its lease ended."""

    peer: PeerId
    why: Ending


class _Ended(NamedTuple):
    seq: int
    forget_at: float


class Leases:
    """Those of one super-peer. `expire` is to be called by `next_end`."""

    __slots__ = ("_by_host", "_changes", "_ended", "_ends", "_held", "_limits", "_queued")

    def __init__(self, limits: LeaseLimits | None = None) -> None:
        self._limits = limits or LeaseLimits()
        self._held: dict[PeerId, Held] = {}
        self._by_host: Counter[str] = Counter()
        self._ended: OrderedDict[PeerId, _Ended] = OrderedDict()
        self._ends: list[tuple[float, PeerId]] = []
        self._queued: dict[PeerId, float] = {}
        """The earliest entry of each peer in the heap."""
        self._changes: list[CameOnline | WentOffline] = []

    # --- who is online ------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many leases are held; an end that nobody has looked at yet is not seen."""
        return len(self._held)

    def held(self, peer: PeerId, now: float) -> Held | None:
        """The lease of a peer that is online."""
        one = self._held.get(peer)
        return one if one is not None and one.until > now else None

    def is_online(self, peer: PeerId, now: float) -> bool:
        """Whether a peer holds a lease. True to the moment, whether or not `expire` was called."""
        return self.held(peer, now) is not None

    def age_s(self, peer: PeerId, now: float) -> float:
        """For how many seconds a peer has been online without a break; 0 if it is not."""
        one = self.held(peer, now)
        return now - one.since if one is not None else 0.0

    def online(self, now: float) -> Iterator[tuple[PeerId, Held]]:
        """All that are online."""
        return ((peer, one) for peer, one in self._held.items() if one.until > now)

    def number_of(self, peer: PeerId) -> int | None:
        """The highest number of a peer's leases, as long as that is remembered; None: never heard of."""
        one = self._held.get(peer) or self._ended.get(peer)
        return one.seq if one is not None else None

    # --- what happens -------------------------------------------------------------------------------------

    def take(self, lease: Lease, place: Place, now: float) -> bool:
        """A peer takes or renews its lease, from `place`. True: it was not online before.

        Raises ProtocolViolation for an old number, LimitReached.
        """
        self.expire(now)
        peer = lease.peer_id
        known = self.number_of(peer)
        if known is not None and lease.seq <= known:
            raise ProtocolViolation(f"{peer} shows lease {lease.seq} after {known}")
        before = self._held.get(peer)
        self._count(place, before)
        until = now + min(lease.valid_s, self._limits.valid_s_max)
        since = before.since if before is not None else now
        self._held[peer] = Held(lease.seq, since, until, place)
        self._ended.pop(peer, None)
        if until < self._queued.get(peer, until + 1.0):
            self._queue(peer, until)
        if before is None:
            self._changes.append(CameOnline(peer))
        return before is None

    def leave(self, peer: PeerId, now: float) -> bool:
        """A peer said goodbye: it is offline at once. False: it was not online."""
        self.expire(now)
        if peer not in self._held:
            return False
        self._end(peer, now, "goodbye")
        return True

    def expire(self, now: float) -> None:
        """End the leases whose time is over, and forget what is remembered for long enough."""
        while self._ends and self._ends[0][0] <= now:
            at, peer = heapq.heappop(self._ends)
            if self._queued.get(peer) != at:
                continue  # an earlier entry stood for it
            del self._queued[peer]
            one = self._held.get(peer)
            if one is not None and one.until <= now:
                self._end(peer, now, "expired")
            elif one is not None:
                self._queue(peer, one.until)
        while self._ended and next(iter(self._ended.values())).forget_at <= now:
            self._ended.popitem(last=False)

    def next_end(self) -> float | None:
        """When to call `expire` next; None: not before a lease is taken."""
        return self._ends[0][0] if self._ends else None

    def take_changes(self) -> list[CameOnline | WentOffline]:
        """What has changed since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    # --- inside -------------------------------------------------------------------------------------------

    def _count(self, place: Place, before: Held | None) -> None:
        """Make sure that there is room, and count. Who is here already has room, unless it moved."""
        if before is None and len(self._held) >= self._limits.leases_max:
            raise LimitReached("presence.leases_max", "this super-peer has no room for more peers")
        if before is not None and before.place.host == place.host:
            return
        if self._by_host[place.host] >= self._limits.per_host_max:
            raise LimitReached("presence.per_host_max", "too many peers from one address")
        self._by_host[place.host] += 1
        if before is not None:
            self._uncount(before.place)

    def _uncount(self, place: Place) -> None:
        self._by_host[place.host] -= 1
        if not self._by_host[place.host]:
            del self._by_host[place.host]

    def _end(self, peer: PeerId, now: float, why: Ending) -> None:
        one = self._held.pop(peer)
        self._uncount(one.place)
        self._ended[peer] = _Ended(one.seq, now + self._limits.remembered_s)
        if len(self._ended) > self._limits.remembered_max:
            self._ended.popitem(last=False)
        self._changes.append(WentOffline(peer, why))

    def _queue(self, peer: PeerId, until: float) -> None:
        self._queued[peer] = until
        heapq.heappush(self._ends, (until, peer))
        if len(self._ends) > 2 * len(self._held) + 64:
            # Attack: leases and goodbyes in turns, each leaving an entry until its time.
            self._queued = {one: held.until for one, held in self._held.items()}
            self._ends = [(at, one) for one, at in self._queued.items()]
            heapq.heapify(self._ends)
