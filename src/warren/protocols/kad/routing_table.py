"""The peers this node knows in the DHT, by their distance: k-buckets with replacement caches. Pure.

In:  who answered, who failed, and when. Out: the known peers nearest to a key; whom to test; which buckets
need a refresh. Bucket number b holds peers whose position shares exactly b bits with ours.

Whoever is in and useful stays: a newcomer to a full bucket waits in its cache until one in it has failed a
test, so a flood of newcomers displaces nobody who answers. Of one subnet only so many get into a bucket and
into the table, so that who rules a single network does not surround this node.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#kademlia-routing-table
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.bounds import check_settings
from warren.protocols.kad.keyspace import BITS, KNOWN_PREFIX_BITS_MAX, position, shared_bits
from warren.protocols.kad.messages import PeerInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId


@dataclass(frozen=True, slots=True)
class TableConfig:
    """The bounds of a routing table. Times in seconds."""

    bucket_peers_max: int = 20
    """k: peers of one bucket. All libp2p implementations agree on 20."""
    cache_peers_max: int = 8
    """Who waits for a place in a full bucket: bounded memory."""
    subnet_bucket_max: int = 10
    """Peers of one subnet (IPv4 /24, IPv6 /48) in a bucket: stops one network from filling it."""
    subnet_table_max: int = 60
    """The same for the whole table."""
    failures_max: int = 3
    """Who failed so often in a row is dropped even if nobody waits; sooner if somebody does."""
    stale_s: float = 1800.0
    """Who was not heard of for so long is due for a test."""
    refresh_s: float = 3600.0
    """A bucket of which little was heard, and in which nothing was looked up, for so long is due for a
    refresh."""
    lively_peers: int = 3
    """So many of a bucket outside our neighbourhood, heard of within `refresh_s`, will do: more come by
    themselves. To meet each one costs a connection, and a node that joins has many buckets."""

    def __post_init__(self) -> None:
        check_settings(self, "dht.table.")


class Entry:
    """A peer of the table or of a cache."""

    __slots__ = ("addresses", "failures", "peer", "position", "seen_at", "subnet", "tested_at")

    def __init__(self, peer: PeerId, place: int, subnet: str) -> None:
        self.peer = peer
        self.position = place
        self.addresses: tuple[Multiaddr, ...] = ()
        self.subnet = subnet
        self.seen_at = self.tested_at = 0.0
        self.failures = 0

    @property
    def info(self) -> PeerInfo:
        return PeerInfo(self.peer, self.addresses)


class _Bucket:
    __slots__ = ("cache", "heard_of", "live", "looked_up_at")

    def __init__(self) -> None:
        self.heard_of: dict[PeerId, PeerInfo] = {}
        """Whom others named, and this node has not met."""
        self.live: dict[PeerId, Entry] = {}
        self.cache: dict[PeerId, Entry] = {}
        """The one heard of last stands last."""
        self.looked_up_at = float("-inf")

    def count(self, subnet: str) -> int:
        return sum(entry.subnet == subnet for entry in self.live.values())


class RoutingTable:
    """See the module's header."""

    __slots__ = ("_buckets", "_config", "_own", "_subnets", "depth", "own_position")

    def __init__(self, own: PeerId, config: TableConfig) -> None:
        self._own = own
        self._config = config
        self.own_position = position(own.to_bytes())
        self._buckets: dict[int, _Bucket] = {}
        self._subnets: Counter[str] = Counter()
        self.depth = 0
        """The neighbourhood: the buckets from this number on hold the peers nearest to ourselves."""

    def __len__(self) -> int:
        return sum(len(bucket.live) for bucket in self._buckets.values())

    def __contains__(self, peer: PeerId) -> bool:
        return self.get(peer) is not None

    def get(self, peer: PeerId) -> Entry | None:
        """The entry of `peer`, if it is in the table."""
        bucket = self._bucket_of(peer)
        return bucket.live.get(peer) if bucket is not None else None

    def entries(self) -> Iterator[Entry]:
        """Everyone in the table, the caches left out."""
        for bucket in self._buckets.values():
            yield from bucket.live.values()

    def sizes(self) -> dict[int, int]:
        """Peers by the number of their bucket, in order."""
        return {number: len(self._buckets[number].live) for number in sorted(self._buckets)}

    # --- what happened --------------------------------------------------------------------------------------

    def useful(self, peer: PeerId, addresses: tuple[Multiaddr, ...], subnet: str, now: float) -> None:
        """`peer` answered, or said that it serves the DHT; subnet: the one it speaks from.

        addresses: where others may reach it; () leaves what is known.
        """
        place = position(peer.to_bytes())
        if place == self.own_position:
            return
        bucket = self._buckets.setdefault(shared_bits(self.own_position, place), _Bucket())
        bucket.heard_of.pop(peer, None)
        entry = bucket.live.get(peer)
        if entry is None:
            entry = bucket.cache.pop(peer, None) or Entry(peer, place, subnet)
            entry.subnet = subnet
            if self._has_room(bucket, subnet):
                self._let_in(bucket, entry)
            else:
                self._keep_waiting(bucket, entry)
        if addresses:
            entry.addresses = addresses
        entry.seen_at = now
        entry.failures = 0

    def heard_of(self, info: PeerInfo) -> None:
        """Somebody named this peer: where more are wanted it is remembered, to be met."""
        place = position(info.peer.to_bytes())
        number = shared_bits(self.own_position, place)
        bucket = self._buckets.get(number)
        if place == self.own_position or (bucket is not None and info.peer in bucket.live):
            return
        if not self._wants_more(number) or not info.addresses:
            return
        if bucket is None:
            bucket = self._buckets[number] = _Bucket()
        if len(bucket.heard_of) < self._config.cache_peers_max:
            bucket.heard_of[info.peer] = info

    def failed(self, peer: PeerId) -> None:
        """`peer` did not answer: it goes if somebody waits for its place, or when it fails once too often."""
        bucket = self._bucket_of(peer)
        if bucket is None:
            return
        bucket.cache.pop(peer, None)
        bucket.heard_of.pop(peer, None)
        entry = bucket.live.get(peer)
        if entry is None:
            return
        entry.failures += 1
        successor = self._successor(bucket, entry)
        if successor is not None or entry.failures >= self._config.failures_max:
            self._drop(bucket, entry)
        if successor is not None:
            del bucket.cache[successor.peer]
            self._let_in(bucket, successor)

    def remove(self, peer: PeerId) -> None:
        """`peer` does not serve the DHT any more."""
        bucket = self._bucket_of(peer)
        if bucket is None:
            return
        bucket.cache.pop(peer, None)
        bucket.heard_of.pop(peer, None)
        entry = bucket.live.get(peer)
        if entry is not None:
            self._drop(bucket, entry)
            successor = self._successor(bucket, None)
            if successor is not None:
                del bucket.cache[successor.peer]
                self._let_in(bucket, successor)

    def looked_up(self, place: int, now: float) -> None:
        """Peers near `place` were looked up: its bucket is fresh."""
        bucket = self._buckets.get(shared_bits(self.own_position, place))
        if bucket is not None:
            bucket.looked_up_at = now

    # --- what to know ---------------------------------------------------------------------------------------

    def closest(
        self, place: int, count: int, *, without: PeerId | None = None, sound: bool = False
    ) -> list[Entry]:
        """The known peers nearest to `place`, nearest first. sound: only those that did not fail last."""

        def fits(entry: Entry) -> bool:
            return entry.peer != without and not (sound and entry.failures)

        def distance(entry: Entry) -> int:
            return entry.position ^ place

        found: list[Entry] = []
        for group in self._by_nearness(place):
            if len(found) >= count:
                break
            fitting = [entry for bucket in group for entry in bucket.live.values() if fits(entry)]
            found += heapq.nsmallest(count - len(found), fitting, key=distance)
        return found

    def stalest(self, now: float) -> Entry | None:
        """Whom to test now: the one heard of longest ago, if that is too long; None: nobody is due.

        Those whose place somebody waits for come first. It counts as tested from now on; tell the outcome by
        `useful` or `failed`.
        """
        bound, best = now - self._config.stale_s, None
        for bucket in self._buckets.values():
            for entry in bucket.live.values():
                heard_at = max(entry.seen_at, entry.tested_at)
                rank = (not bucket.cache, heard_at, entry.position)
                if heard_at < bound and (best is None or rank < best[0]):
                    best = rank, entry
        if best is None:
            return None
        best[1].tested_at = now
        return best[1]

    def unmet(self) -> PeerInfo | None:
        """Whom to meet: somebody heard of for a bucket that wants more, the nearest bucket first."""
        for number in sorted(self._buckets, reverse=True):
            bucket = self._buckets[number]
            if bucket.heard_of and self._wants_more(number):
                return bucket.heard_of.pop(next(iter(bucket.heard_of)))
        return None

    def refresh_due(self, now: float) -> int | None:
        """The number of the bucket that needs a refresh most; None when all are fresh.

        Buckets nearer than the nearest that holds a peer are empty by nature. Those that a random key cannot
        be found for are refreshed by looking ourselves up.
        """
        deepest = min(max(self._buckets, default=-1), KNOWN_PREFIX_BITS_MAX - 1)
        bound = now - self._config.refresh_s
        due = [(self._looked_up_at(n), n) for n in range(deepest + 1) if not self.is_lively(n, now)]
        oldest = min(due, default=None)
        return oldest[1] if oldest is not None and oldest[0] <= bound else None

    def is_lively(self, number: int, now: float) -> bool:
        """Whether enough of a bucket was heard of lately: use keeps it fresh."""
        bound, bucket = now - self._config.refresh_s, self._buckets.get(number)
        live = bucket.live.values() if bucket is not None else ()
        heard = sum(entry.seen_at > bound and not entry.failures for entry in live)
        return heard >= self._config.lively_peers

    def refreshed(self, number: int, now: float) -> None:
        """A refresh of this bucket was tried, whatever came of it."""
        self._buckets.setdefault(number, _Bucket()).looked_up_at = now

    def looked_up_self(self, nearest: Iterable[PeerId], now: float) -> None:
        """The peers nearest to ourselves were looked up: all the buckets that they span are fresh."""
        shared = [shared_bits(self.own_position, position(peer.to_bytes())) for peer in nearest]
        self.depth = min(shared, default=0)
        for number in range(min(shared, default=BITS), max(self._buckets, default=-1) + 1):
            self.refreshed(number, now)

    # --- inside ---------------------------------------------------------------------------------------------

    def _wants_more(self, number: int) -> bool:
        """Of our neighbourhood all are wanted, of a bucket further away some will do.

        Those of its furthest bucket that are our neighbours were found when we looked ourselves up.
        """
        bucket, config = self._buckets.get(number), self._config
        enough = config.bucket_peers_max if number > self.depth else config.lively_peers
        return bucket is None or len(bucket.live) < enough

    def _bucket_of(self, peer: PeerId) -> _Bucket | None:
        return self._buckets.get(shared_bits(self.own_position, position(peer.to_bytes())))

    def _looked_up_at(self, number: int) -> float:
        bucket = self._buckets.get(number)
        return bucket.looked_up_at if bucket is not None else float("-inf")

    def _has_room(self, bucket: _Bucket, subnet: str, leaving: Entry | None = None) -> bool:
        if len(bucket.live) - (leaving is not None) >= self._config.bucket_peers_max:
            return False
        if not subnet:
            return True
        gone = leaving is not None and leaving.subnet == subnet
        return (
            bucket.count(subnet) - gone < self._config.subnet_bucket_max
            and self._subnets[subnet] - gone < self._config.subnet_table_max
        )

    def _let_in(self, bucket: _Bucket, entry: Entry) -> None:
        bucket.live[entry.peer] = entry
        self._subnets[entry.subnet] += 1

    def _keep_waiting(self, bucket: _Bucket, entry: Entry) -> None:
        bucket.cache[entry.peer] = entry
        if len(bucket.cache) > self._config.cache_peers_max:
            del bucket.cache[next(iter(bucket.cache))]

    def _successor(self, bucket: _Bucket, leaving: Entry | None) -> Entry | None:
        """Who of those that wait may take the place: the one heard of last, if its subnet has room."""
        for entry in reversed(bucket.cache.values()):
            if self._has_room(bucket, entry.subnet, leaving):
                return entry
        return None

    def _drop(self, bucket: _Bucket, entry: Entry) -> None:
        del bucket.live[entry.peer]
        self._subnets[entry.subnet] -= 1
        if not self._subnets[entry.subnet]:
            del self._subnets[entry.subnet]

    def _by_nearness(self, place: int) -> Iterator[list[_Bucket]]:
        """Buckets in groups: everyone in an earlier group is nearer to `place` than all in a later one."""
        shared = shared_bits(self.own_position, place)
        if shared in self._buckets:
            yield [self._buckets[shared]]
        yield [self._buckets[number] for number in self._buckets if number > shared]
        for number in sorted((n for n in self._buckets if n < shared), reverse=True):
            yield [self._buckets[number]]
