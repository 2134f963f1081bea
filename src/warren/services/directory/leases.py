"""Who is there: leases that end by themselves.

In:  leases whose signature was checked, goodbyes, the time. Out: who came and who went. Pure; times are
monotonic seconds. There is one place in the queue for each peer, however often it renews.

Refuses: a lease that is not newer than the last of its peer, and more peers than there is room for.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

LEFT_MAX: Final = 16_384
"""Peers that left whose last number is remembered, so that an old lease counts for nothing. Attack: keys
without end."""


class Taken(Enum):
    """What became of a lease."""

    NEW = auto()
    """The peer was not there before."""
    RENEWED = auto()
    OLD = auto()
    """Its number is not above the last one: it counts for nothing."""
    FULL = auto()


@dataclass(slots=True)
class _Held:
    seq: int
    since: float
    until: float


class Leases:
    """The leases that a super-peer holds, `peers_max` at most."""

    __slots__ = ("_held", "_left", "_peers_max", "_queue", "_tie")

    def __init__(self, peers_max: int) -> None:
        self._held: dict[PeerId, _Held] = {}
        self._left: OrderedDict[PeerId, int] = OrderedDict()
        self._queue: list[tuple[float, int, PeerId]] = []
        self._peers_max = peers_max
        self._tie = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, peer: object) -> bool:
        return peer in self._held

    def take(self, peer: PeerId, seq: int, valid_s: float, now: float) -> Taken:
        """A lease of that number, good for so long from now on."""
        held = self._held.get(peer)
        last = self.last(peer)
        if last is not None and seq <= last:
            return Taken.OLD
        if held is not None:
            held.seq = seq
            self.shorten(peer, now + valid_s)
            held.until = now + valid_s
            return Taken.RENEWED
        if len(self._held) >= self._peers_max:
            return Taken.FULL
        self._left.pop(peer, None)
        self._held[peer] = _Held(seq, now, now + valid_s)
        self._push(peer, now + valid_s)
        return Taken.NEW

    def shorten(self, peer: PeerId, until: float) -> None:
        """It may have gone: without a new lease it is held to be there until then at most."""
        held = self._held.get(peer)
        if held is not None and held.until > until:
            held.until = until
            self._push(peer, until)

    def leave(self, peer: PeerId) -> bool:
        """It said that it goes; whether it was there."""
        held = self._held.pop(peer, None)
        if held is None:
            return False
        self._remember(peer, held.seq)
        return True

    def expire(self, now: float) -> list[PeerId]:
        """Whose lease is over: they are there no more."""
        gone: list[PeerId] = []
        while self._queue and self._queue[0][0] <= now:
            _, _, peer = heapq.heappop(self._queue)
            held = self._held.get(peer)
            if held is None:
                continue
            if held.until > now:
                self._push(peer, held.until)
                continue
            del self._held[peer]
            self._remember(peer, held.seq)
            gone.append(peer)
        return gone

    @property
    def next_at(self) -> float | None:
        """When to call `expire` again; None: nobody is there."""
        return self._queue[0][0] if self._queue else None

    def held_s(self, peer: PeerId, now: float) -> float | None:
        """For how long a peer has been there without a break; None: it is not."""
        held = self._held.get(peer)
        return now - held.since if held is not None else None

    def last(self, peer: PeerId) -> int | None:
        """The number of the last lease of a peer, as long as that is remembered."""
        held = self._held.get(peer)
        return held.seq if held is not None else self._left.get(peer)

    def peers(self) -> list[PeerId]:
        """All who are there, who came first before the others."""
        return list(self._held)

    def _push(self, peer: PeerId, at: float) -> None:
        self._tie += 1
        heapq.heappush(self._queue, (at, self._tie, peer))

    def _remember(self, peer: PeerId, seq: int) -> None:
        self._left[peer] = seq
        self._left.move_to_end(peer)
        if len(self._left) > LEFT_MAX:
            self._left.popitem(last=False)
