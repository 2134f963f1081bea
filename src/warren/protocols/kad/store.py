"""What a node keeps of the DHT for others, in memory: records, and who provides what. Pure.

In:  what was put, by whom, and the time (monotonic seconds: a clock on the wall that is set makes nothing
older). Out: what is kept and not too old. https://github.com/libp2p/specs/blob/master/kad-dht/README.md

Whether a record proves itself, and which of two is better, was decided before it comes here. What the node
itself puts counts against no limit. What others put counts against the peer that put it, and for the room as
a whole against the neighbourhood that the peer is in (`subnet`): see `shares.py`.

Refuses, with `LimitReached`, what a peer puts beyond its share. `changed` is called with the key (and the
provider) of whatever came, changed or went, so that a database can follow; it must not put anything.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from warren.core.bounds import check_settings
from warren.core.errors import LimitReached
from warren.protocols.kad.shares import Full, Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

# What keeping a record takes beside its own bytes, roughly.
OVERHEAD_BYTES: Final = 384


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """How much a node keeps of the DHT for others, and for how long. Times in seconds, sizes in bytes."""

    records_bytes_max: int = 64 * 1024 * 1024
    """Records in all: bounded memory. For the next one the neighbourhood (IPv4 /24, IPv6 /48) that fills most
    gives up its oldest, so that who makes up identities crowds out itself."""
    records_bytes_per_peer_max: int = 4 * 1024 * 1024
    """Records that one peer put: stops one identity from taking the room of all."""
    record_expiry_s: float = 48 * 3600.0
    """A record that nobody put again is forgotten: stops a store that only grows."""
    providers_max: int = 100_000
    """Provider records in all: bounded memory, shared like that of the records."""
    providers_per_key_max: int = 256
    """Provider records of one key: stops floods of made-up providers, which the neighbourhood with the most
    makes room for."""
    provider_keys_per_peer_max: int = 10_000
    """Keys that one peer says it provides: stops one identity from taking the room of all."""
    provider_expiry_s: float = 48 * 3600.0
    """A provider that did not say so again is forgotten: stops answers that name who left long ago."""
    provider_addresses_s: float = 1800.0
    """So long a provider's addresses are told with it; who moved is found by its peer id afterwards."""

    def __post_init__(self) -> None:
        check_settings(self, "dht.store.")


class KeptRecord(NamedTuple):
    """A record as it is kept: when it came, from whom (None: this node itself), from which neighbourhood.

    time_received: monotonic seconds, below zero where that was before this start.
    """

    value: bytes
    time_received: float
    peer: PeerId | None
    subnet: str


class Records:
    """The records that this node keeps, by key."""

    __slots__ = ("_bytes_by_peer", "_config", "_kept", "_shares", "changed")

    def __init__(self, config: StoreConfig | None = None) -> None:
        self._config = config or StoreConfig()
        self._kept: dict[bytes, KeptRecord] = {}
        """Oldest first."""
        self._bytes_by_peer: dict[PeerId, int] = {}
        self._shares: Shares[bytes] = Shares(self._config.records_bytes_max)
        self.changed: Callable[[bytes], None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes, now: float) -> KeptRecord | None:
        """What is kept under `key`, unless it is too old."""
        kept = self._kept.get(key)
        return None if kept is None or self._is_old(kept, now) else kept

    def kept(self, key: bytes) -> KeptRecord | None:
        """The same, be it old or not."""
        return self._kept.get(key)

    def put(
        self, key: bytes, value: bytes, now: float, *, peer: PeerId | None = None, subnet: str = ""
    ) -> None:
        """Keep `value` under `key`, in place of what was there. peer: who put it; None: this node itself.

        Raises `LimitReached`; then what was there stays.
        """
        old = self._kept.get(key)
        if old is not None and old.peer is None and old.value == value:
            peer = None  # what is ours does not become somebody else's when he repeats it
        with self._as_if_gone(key, old):
            self._make_room(key, value, peer, subnet, old)
        self._drop(key)
        self._keep(key, KeptRecord(value, now, peer, subnet))
        self._tell(key)

    def remove(self, key: bytes) -> None:
        """Keep `key` no longer. Nothing happens where it is not kept."""
        if self._drop(key):
            self._tell(key)

    def expire(self, now: float) -> int:
        """Forget what is too old; return how many that were."""
        old: list[bytes] = []
        for key, kept in self._kept.items():
            if not self._is_old(kept, now):
                break
            old.append(key)
        for key in old:
            self.remove(key)
        return len(old)

    def load(self, rows: Iterable[tuple[bytes, KeptRecord]], now: float) -> None:
        """Take in what was kept before, oldest first; what is too old or too much is left out. A time that
        has not come yet, because a clock was wrong, becomes this one.
        """
        for key, kept in rows:
            kept = kept._replace(time_received=min(kept.time_received, now))
            if key in self._kept or self._is_old(kept, now):
                continue
            with contextlib.suppress(LimitReached):
                self._make_room(key, kept.value, kept.peer, kept.subnet)
                self._keep(key, kept)

    def _is_old(self, kept: KeptRecord, now: float) -> bool:
        return now - kept.time_received >= self._config.record_expiry_s

    @contextlib.contextmanager
    def _as_if_gone(self, key: bytes, old: KeptRecord | None) -> Iterator[None]:
        """What is to be replaced takes no room meanwhile. It keeps its place: should the new one be refused,
        it is no younger than before.
        """
        if old is None or old.peer is None:
            yield
            return
        self._shares.weigh(old.subnet, key, 0)
        try:
            yield
        finally:
            self._shares.weigh(old.subnet, key, _cost(key, old.value))

    def _make_room(
        self, key: bytes, value: bytes, peer: PeerId | None, subnet: str, old: KeptRecord | None = None
    ) -> None:
        if peer is None:
            return
        cost, own = _cost(key, value), self._bytes_by_peer.get(peer, 0)
        if old is not None and old.peer == peer:
            own -= _cost(key, old.value)
        if own + cost > self._config.records_bytes_per_peer_max:
            raise LimitReached(
                "dht.store.records_bytes_per_peer_max", f"{peer} has put {own} bytes of records here already"
            )
        try:
            while (victim := self._shares.in_the_way(subnet, cost, sparing=key)) is not None:
                self.remove(victim)
        except Full:
            raise LimitReached("dht.store.records_bytes_max", "there is no room for this record") from None

    def _keep(self, key: bytes, kept: KeptRecord) -> None:
        self._kept[key] = kept
        if kept.peer is not None:
            cost = _cost(key, kept.value)
            self._shares.add(kept.subnet, key, cost)
            self._bytes_by_peer[kept.peer] = self._bytes_by_peer.get(kept.peer, 0) + cost

    def _drop(self, key: bytes) -> bool:
        kept = self._kept.pop(key, None)
        if kept is not None and kept.peer is not None:
            self._shares.remove(kept.subnet, key)
            _subtract(self._bytes_by_peer, kept.peer, _cost(key, kept.value))
        return kept is not None

    def _tell(self, key: bytes) -> None:
        if self.changed is not None:
            self.changed(key)


class KeptProvider(NamedTuple):
    """A provider of a key as it is kept: when it said so (as of records), and the neighbourhood it was in;
    None: this node itself, wherever it is.
    """

    time_received: float
    subnet: str | None


class _Peer:
    """What is known of a provider, whatever it provides: its addresses, when they were told, its keys."""

    __slots__ = ("addresses", "addresses_at", "keys")

    def __init__(self) -> None:
        self.addresses: tuple[Multiaddr, ...] = ()
        self.addresses_at = 0.0
        self.keys = 0


_Pair: TypeAlias = "tuple[bytes, PeerId]"


class Providers:
    """Who provides what, by key: the multihash of a content id, or any bytes."""

    __slots__ = ("_by_key", "_config", "_kept", "_peers", "_shares", "changed")

    def __init__(self, config: StoreConfig | None = None) -> None:
        self._config = config or StoreConfig()
        self._by_key: dict[bytes, tuple[PeerId, ...]] = {}
        """Of each key, who said so longest ago first. Most keys have one provider, and a tuple is small."""
        self._kept: dict[_Pair, KeptProvider] = {}
        """All of them, oldest first."""
        self._peers: dict[PeerId, _Peer] = {}
        self._shares: Shares[_Pair] = Shares(self._config.providers_max)
        self.changed: Callable[[bytes, PeerId], None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes, now: float) -> list[tuple[PeerId, tuple[Multiaddr, ...]]]:
        """The providers of a key with their addresses, () where those are too old; who said so last first."""
        peers = reversed(self._by_key.get(key, ()))
        fresh = [peer for peer in peers if not self._is_old(self._kept[key, peer], now)]
        return [(peer, self.addresses(peer, now)) for peer in fresh]

    def kept(self, key: bytes, peer: PeerId) -> KeptProvider | None:
        """One provider of a key, be it old or not."""
        return self._kept.get((key, peer))

    def addresses(self, peer: PeerId, now: float) -> tuple[Multiaddr, ...]:
        """Where a provider said it is, unless that is too long ago."""
        known = self._peers.get(peer)
        if known is None or now - known.addresses_at >= self._config.provider_addresses_s:
            return ()
        return known.addresses

    def add(
        self,
        key: bytes,
        peer: PeerId,
        addresses: tuple[Multiaddr, ...],
        now: float,
        *,
        subnet: str | None = None,
    ) -> None:
        """Keep that `peer` provides `key`. subnet: the neighbourhood it said so from; None: this node itself.

        Raises `LimitReached`.
        """
        old = self.kept(key, peer)
        if old is None:
            self._make_room(key, peer, subnet)
        elif old.subnet is None:
            subnet = None
        self._drop(key, peer)
        self._keep(key, peer, KeptProvider(now, subnet))
        if addresses:
            known = self._peers[peer]
            known.addresses, known.addresses_at = addresses, now
        self._tell(key, peer)

    def remove(self, key: bytes, peer: PeerId) -> None:
        """Keep a provider no longer. Nothing happens where it is not kept."""
        if self._drop(key, peer):
            self._tell(key, peer)

    def expire(self, now: float) -> int:
        """Forget who is too old; return how many that were."""
        old: list[_Pair] = []
        for pair, kept in self._kept.items():
            if not self._is_old(kept, now):
                break
            old.append(pair)
        for key, peer in old:
            self.remove(key, peer)
        return len(old)

    def load(self, rows: Iterable[tuple[bytes, PeerId, KeptProvider]], now: float) -> None:
        """See `Records.load`; addresses are not kept for so long."""
        for key, peer, kept in rows:
            kept = kept._replace(time_received=min(kept.time_received, now))
            if self.kept(key, peer) is not None or self._is_old(kept, now):
                continue
            with contextlib.suppress(LimitReached):
                self._make_room(key, peer, kept.subnet)
                self._keep(key, peer, kept)

    def _is_old(self, kept: KeptProvider, now: float) -> bool:
        return now - kept.time_received >= self._config.provider_expiry_s

    def _make_room(self, key: bytes, peer: PeerId, subnet: str | None) -> None:
        if subnet is None:
            return
        known = self._peers.get(peer)
        if known is not None and known.keys >= self._config.provider_keys_per_peer_max:
            raise LimitReached(
                "dht.store.provider_keys_per_peer_max", f"{peer} provides {known.keys} keys here"
            )
        if len(self._by_key.get(key, ())) >= self._config.providers_per_key_max:
            self._make_room_at(key, subnet)
        try:
            while (victim := self._shares.in_the_way(subnet, 1)) is not None:
                self.remove(*victim)
        except Full:
            raise LimitReached("dht.store.providers_max", "there is no room for this provider") from None

    def _make_room_at(self, key: bytes, subnet: str) -> None:
        """The neighbourhood with the most providers of this key loses the oldest of them."""
        places = [(peer, self._kept[key, peer].subnet) for peer in self._by_key[key]]
        counts = Counter(place for _, place in places if place is not None)
        most = max(counts.values(), default=0)
        if counts[subnet] + 1 > most:
            raise LimitReached("dht.store.providers_per_key_max", "this key has enough providers")
        crowd = next(name for name, count in counts.items() if count == most)
        oldest = next(peer for peer, place in places if place == crowd)
        self.remove(key, oldest)

    def _keep(self, key: bytes, peer: PeerId, kept: KeptProvider) -> None:
        pair = (key, peer)
        self._by_key[key] = (*self._by_key.get(key, ()), peer)
        self._kept[pair] = kept
        if peer not in self._peers:
            self._peers[peer] = _Peer()
        self._peers[peer].keys += 1
        if kept.subnet is not None:
            self._shares.add(kept.subnet, pair, 1)

    def _drop(self, key: bytes, peer: PeerId) -> bool:
        kept = self._kept.pop((key, peer), None)
        if kept is None:
            return False
        left = tuple([one for one in self._by_key.pop(key) if one != peer])
        if left:
            self._by_key[key] = left
        self._peers[peer].keys -= 1
        if not self._peers[peer].keys:
            del self._peers[peer]
        if kept.subnet is not None:
            self._shares.remove(kept.subnet, (key, peer))
        return True

    def _tell(self, key: bytes, peer: PeerId) -> None:
        if self.changed is not None:
            self.changed(key, peer)


def _cost(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD_BYTES


def _subtract(counts: dict[PeerId, int], peer: PeerId, cost: int) -> None:
    left = counts[peer] - cost
    if left:
        counts[peer] = left
    else:
        del counts[peer]
