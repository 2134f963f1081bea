"""A book in memory, and entries to put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_metadata import PeerMetadata
from warren.core.peer_record import PeerRecord
from warren.core.reach import believable, teller_of
from warren.protocols.exchange.entry import Entry, Listed, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId

WALL_MS = 1_767_225_600_000
"""When simulated worlds begin."""
ADDRESS = Multiaddr.parse("/ip4/60.0.2.1/tcp/4101")


def key(number: int) -> PrivateKey:
    return PrivateKey.from_seed(number.to_bytes(32, "big"))


def entry(who: PrivateKey, record: int = 0, metadata: int = 0, said: str = "") -> Entry:
    """What `who` signed: halves with these numbers, none where it is 0."""
    sealed = PeerRecord(who.peer_id, record, (ADDRESS,)).seal(who) if record else b""
    facts = PeerMetadata(who.peer_id, metadata, {"said": said}).seal(who) if metadata else b""
    return Entry(sealed, facts)


def listed(who: PrivateKey, record: int = WALL_MS, metadata: int = 0) -> Listed:
    return Listed(who.peer_id, Version(record, metadata), entry(who, record, metadata))


class MemoryBook:
    """Keeps everything. `took` says what came from whom, in order."""

    def __init__(self) -> None:
        self.kept: dict[PeerId, Listed] = {}
        self.blocked: set[PeerId] = set()
        self.took: list[tuple[PeerId, Version, PeerId]] = []

    def put(self, *some: Listed) -> None:
        self.kept |= {one.peer: one for one in some}

    async def take(self, one: Listed, source: PeerId) -> bool:
        self.took.append((one.peer, one.version, source))
        old = self.kept.get(one.peer) or Listed(one.peer, Version(), Entry())
        record = one.entry.record if one.version.record > old.version.record else old.entry.record
        metadata = one.entry.metadata if one.version.metadata > old.version.metadata else old.entry.metadata
        entry = Entry(record, metadata, one.entry.told_from)
        self.kept[one.peer] = Listed(one.peer, old.version.joined(one.version), entry)
        named = PeerRecord.open(one.entry.record).addrs if one.entry.record else ()
        believed = believable(named, teller_of(one.entry.told_from))
        return len(believed) == len(named)

    async def sample(
        self, limit: int, exclude: Callable[[PeerId, Version], bool]
    ) -> tuple[list[Listed], bool]:
        fit = [one for one in await self.newest(sorted(self.kept)) if not exclude(one.peer, one.version)]
        return fit[:limit], len(fit) > limit

    async def newest(self, peers: Sequence[PeerId]) -> list[Listed]:
        return [self.kept[peer] for peer in peers if peer in self.kept and peer not in self.blocked]

    async def versions(self, limit: int) -> list[tuple[PeerId, Version]]:
        return [(one.peer, one.version) for one in self.kept.values()][:limit]

    def is_blocked(self, peer: PeerId) -> bool:
        return peer in self.blocked
