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
    from collections.abc import Callable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.protocols.kad.records import Namespaces
    from warren.protocols.kad.store import Providers, Records


class Keeping:
    """wall: Unix seconds now; what is kept outlives the process."""

    __slots__ = ("_namespaces", "_providers", "_records", "_wall")

    def __init__(
        self, records: Records, providers: Providers, namespaces: Namespaces, wall: Callable[[], float]
    ) -> None:
        self._records = records
        self._providers = providers
        self._namespaces = namespaces
        self._wall = wall

    def record(self, key: bytes) -> Record | None:
        """The record under `key`, unless it has expired, or has come to its own end since it was put."""
        record = self._records.get(key, self._wall())
        if record is None:
            return None
        try:
            self._namespaces.validate(key, record.value)
        except InvalidRecord:
            self._records.remove(key)
            return None
        return record

    def keep_record(self, key: bytes, value: bytes, peer: PeerId | None = None, subnet: str = "") -> Record:
        """Keep a value that `peer` put (None: this node). Raises `InvalidRecord`, `LimitReached`."""
        self._namespaces.validate(key, value)
        now = self._wall()
        old = self._records.get(key, now)
        if old is not None and old.value != value and self._namespaces.select(key, [old.value, value]) == 0:
            raise InvalidRecord("a better value is kept under this key", hint="get it, then put a newer one")
        self._records.put(key, value, now, peer=peer, subnet=subnet)
        return Record(key, value, now)

    def providers(self, key: bytes) -> list[PeerInfo]:
        """Who announced itself for `key`, unless that has expired."""
        return [PeerInfo(peer, addresses) for peer, addresses in self._providers.get(key, self._wall())]

    def keep_provider(
        self, key: bytes, peer: PeerId, addresses: tuple[Multiaddr, ...], subnet: str | None = None
    ) -> None:
        """Keep an announcement of `peer`, made from `subnet` (None: by this node). Raises `LimitReached`."""
        self._providers.add(key, peer, addresses, self._wall(), subnet=subnet)

    def expire(self) -> None:
        """Forget what is too old."""
        now = self._wall()
        self._records.expire(now)
        self._providers.expire(now)
