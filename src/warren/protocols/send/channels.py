"""Who sends under which channel, as far as those who are connected here say so.

In:  peers that say so, from which host, and the time; a channel that somebody looks for. Out: for how long a
place is kept; who is there. Decides only; the clock and the messages are the caller's.

A channel has few digits, so anybody can take a place in it, or in all. What bounds that: a place costs a
connection that stays, one peer has few of them and one host not many, and in a channel that is full the host
with the most places there gives one up. So whoever holds a channel needs as many hosts as it has places.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """lease_s: how long a place is kept unless it is taken again.
    channel_max: places in one channel, all of which are told of. Attack: one channel is taken by many.
    peer_max: channels of one peer. Attack: one identity takes them all.
    host_max: places of one host. Attack: many identities on one machine take them all.
    all_max: places in all, some 500 bytes each. Attack: memory.
    """

    lease_s: float = 120.0
    channel_max: int = 16
    peer_max: int = 4
    host_max: int = 64
    all_max: int = 8192


class Place(NamedTuple):
    """One peer in one channel. addresses: where it says that it may be reached. host: where it is."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...]
    host: str
    until: float


class Channels:
    """The places. Times are monotonic seconds."""

    __slots__ = ("_by_host", "_by_peer", "_channels", "_count", "_limits")

    def __init__(self, limits: ChannelLimits | None = None) -> None:
        self._limits = limits or ChannelLimits()
        self._channels: dict[int, dict[PeerId, Place]] = {}
        self._by_peer: Counter[PeerId] = Counter()
        self._by_host: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        """How many places are taken."""
        return self._count

    def put(
        self, channel: int, peer: PeerId, addresses: tuple[Multiaddr, ...], host: str, now: float
    ) -> float:
        """Take a place, or keep it. Returns for how many seconds; 0.0: there is none."""
        self.drop(channel, peer)
        limits, place = self._limits, Place(peer, addresses, host, now + self._limits.lease_s)
        if self._count >= limits.all_max:
            self._expire(now)
        if (
            self._count >= limits.all_max
            or self._by_peer[peer] >= limits.peer_max
            or self._by_host[host] >= limits.host_max
        ):
            return 0.0
        there = self._channels.setdefault(channel, {})
        there[peer] = place
        self._count += 1
        self._by_peer[peer] += 1
        self._by_host[host] += 1
        if len(there) > limits.channel_max:
            self.drop(channel, _most_crowded(there, now))
        return limits.lease_s if peer in self._channels.get(channel, {}) else 0.0

    def drop(self, channel: int, peer: PeerId) -> None:
        """Give a place back. One that is not taken is no error."""
        there = self._channels.get(channel, {})
        place = there.pop(peer, None)
        if place is None:
            return
        if not there:
            del self._channels[channel]
        self._count -= 1
        _less(self._by_peer, place.peer)
        _less(self._by_host, place.host)

    def find(self, channel: int, now: float) -> list[Place]:
        """Who is there, those who came last first."""
        there = self._channels.get(channel, {}).values()
        return [place for place in reversed(there) if place.until > now]

    def _expire(self, now: float) -> None:
        for channel, there in list(self._channels.items()):
            for place in list(there.values()):
                if place.until <= now:
                    self.drop(channel, place.peer)


def _less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def _most_crowded(there: dict[PeerId, Place], now: float) -> PeerId:
    """Who has to go: first whose lease is over, then the oldest place of the host that has the most."""
    for place in there.values():
        if place.until <= now:
            return place.peer
    hosts = Counter(place.host for place in there.values())
    most = max(hosts.values())
    return next(place.peer for place in there.values() if hosts[place.host] == most)
