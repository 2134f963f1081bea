"""What a look-up brings in: the best value under a key, the providers of one. Pure.

In:  records and providers, as peers sent them. Out: the best value and who holds a worse one; each provider
once. Values that do not prove themselves are nothing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from warren.core.errors import InvalidRecord, MisuseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.protocols.kad.messages import PeerInfo
    from warren.protocols.kad.records import Namespaces, Record


class Provider(NamedTuple):
    """Who provides something, and where it is; without addresses nobody knows where."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...]


class Best:
    """The best of the values that come."""

    __slots__ = ("_holders", "_key", "_namespaces", "behind", "value")

    def __init__(self, namespaces: Namespaces, key: bytes, own: bytes | None) -> None:
        self._namespaces = namespaces
        self._key = key
        self._holders: list[PeerInfo] = []
        self.value = own
        self.behind: list[PeerInfo] = []
        """Who holds a worse one."""

    def offer(self, record: Record, holder: PeerInfo) -> None:
        """A value that `holder` sent; one that does not prove itself is nothing."""
        if record.key != self._key:
            return
        with contextlib.suppress(InvalidRecord):
            self._namespaces.validate(self._key, record.value)
            self._compare(record.value, holder)

    def _compare(self, value: bytes, holder: PeerInfo) -> None:
        if self.value is None or value == self.value:
            self.value = value
            self._holders.append(holder)
        elif self._namespaces.select(self._key, [self.value, value]) == 1:
            self.behind += self._holders
            self.value, self._holders = value, [holder]
        else:
            self.behind.append(holder)


class Crowd:
    """Providers as they come, each once. Of one answer only a part is taken at once: a liar who makes up many
    must not stand in front of those whom others name.
    """

    __slots__ = ("_count", "_part", "_seen", "_waiting")

    def __init__(self, count: int) -> None:
        if count < 1:
            raise MisuseError("at least one provider must be asked for")
        self._count = count
        self._part = max(count // 4, 1)
        self._seen: set[PeerId] = set()
        self._waiting: dict[PeerId, Provider] = {}

    @property
    def full(self) -> bool:
        return len(self._seen) >= self._count

    def take(self, told: Sequence[PeerInfo]) -> list[Provider]:
        """Those of one answer to show now."""
        taken: list[Provider] = []
        for peer, addresses in told:
            provider = Provider(peer, addresses)
            if peer in self._seen or self.full:
                continue
            if len(taken) < self._part:
                self._seen.add(peer)
                self._waiting.pop(peer, None)
                taken.append(provider)
            else:
                self._waiting.setdefault(peer, provider)
        return taken

    def rest(self) -> list[Provider]:
        """Those that waited, as far as there is room."""
        waiting = list(self._waiting.values())[: self._count - len(self._seen)]
        self._seen.update(provider.peer for provider in waiting)
        return waiting
