"""What is kept of the DHT, and the rules by which it is taken in.

In:  what was put and announced, and by whom. Out: what is kept. Refuses, with `InvalidRecord`, values that do
not prove themselves or are older than what is kept; with `LimitReached`, what there is no room for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import InvalidRecord
from warren.protocols.kad.messages import PeerInfo
from warren.protocols.kad.records import Record

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.protocols.kad.records import Namespaces
    from warren.protocols.kad.store import KeptRecord, Providers, Records
    from warren.runtime.seam import Clock


class Keeping:
    """What is kept grows old by the monotonic clock; the one on the wall tells others when it came."""

    __slots__ = ("_clock", "_namespaces", "_providers", "_records")

    def __init__(self, records: Records, providers: Providers, namespaces: Namespaces, clock: Clock) -> None:
        self._records = records
        self._providers = providers
        self._namespaces = namespaces
        self._clock = clock

    def record(self, key: bytes) -> Record | None:
        """The record under `key`, unless it has expired, or has come to its own end since it was put."""
        kept = self._good(key)
        if kept is None:
            return None
        age_s = self._clock.now() - kept.time_received
        return Record(key, kept.value, self._clock.wall() - age_s)

    def keep_record(self, key: bytes, value: bytes, peer: PeerId | None = None, subnet: str = "") -> Record:
        """Keep a value that `peer` put (None: this node). Raises `InvalidRecord`, `LimitReached`."""
        self._namespaces.validate(key, value)
        old = self._good(key)
        if old is not None and old.value != value and self._namespaces.select(key, [old.value, value]) == 0:
            raise InvalidRecord("a better value is kept under this key", hint="get it, then put a newer one")
        self._records.put(key, value, self._clock.now(), peer=peer, subnet=subnet)
        return Record(key, value, self._clock.wall())

    def providers(self, key: bytes) -> list[PeerInfo]:
        """Who announced itself for `key`, unless that has expired."""
        found = self._providers.get(key, self._clock.now())
        return [PeerInfo(peer, addresses) for peer, addresses in found]

    def keep_provider(
        self, key: bytes, peer: PeerId, addresses: tuple[Multiaddr, ...], subnet: str | None = None
    ) -> None:
        """Keep an announcement of `peer`, made from `subnet` (None: by this node). Raises `LimitReached`."""
        self._providers.add(key, peer, addresses, self._clock.now(), subnet=subnet)

    def drop_provider(self, key: bytes, peer: PeerId) -> None:
        """Forget an announcement."""
        self._providers.remove(key, peer)

    def expire(self) -> None:
        """Forget what is too old."""
        now = self._clock.now()
        self._records.expire(now)
        self._providers.expire(now)

    def _good(self, key: bytes) -> KeptRecord | None:
        """What is kept under `key` and still proves itself. What does not stays: it may be the clock on the
        wall that is wrong about its end.
        """
        kept = self._records.get(key, self._clock.now())
        if kept is None:
            return None
        try:
            self._namespaces.validate(key, kept.value)
        except InvalidRecord:
            return None
        return kept
