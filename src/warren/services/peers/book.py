"""`Book`: the peer table as peer exchange sees it: what peers signed, to be kept and passed on.

In:  checked entries; what somebody knows already. Out: entries of peers that are neither blocked nor known to
be unreachable, by lot where not all are wanted. Written soon, not at once: what is lost by a kill is told
again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from warren.core.peer_id import PeerId
from warren.core.reach import teller_of
from warren.protocols.exchange.entry import Entry, Listed, Version
from warren.services.peers.table import DRAWS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from warren.runtime.seam import Entropy
    from warren.services.peers.table import PeerTable

TOLD: Final = "exchange"
MET: Final = "identify"
"""How those became known of whom others told us, and those who told of themselves."""
LOOKED_AT_MAX: Final = 4096
"""Peers looked at for one sample. Attack: who knows nearly all makes us search the whole table."""
VERSIONS_AT_ONCE: Final = 1024
"""Read in one go: whoever asks the table meanwhile waits for no more."""
_SIGNED: Final = (
    "SELECT peer_id, r.seq, r.envelope, coalesce(r.told_from, 0), m.seq, m.envelope FROM peers"
    " LEFT JOIN peer_records r ON r.peer = id LEFT JOIN peer_metadata m ON m.peer = id"
    " WHERE coalesce(r.peer, m.peer) IS NOT NULL AND NOT blocked AND state <> 'unreachable'"
)


class Book:
    """Over one table."""

    __slots__ = ("_entropy", "_table")

    def __init__(self, table: PeerTable, entropy: Entropy) -> None:
        self._table = table
        self._entropy = entropy

    async def take(self, one: Listed, source: PeerId) -> bool:
        """Keep what is newer than what is kept. Raises StorageError.

        False if the record names addresses that somebody nearer than `told_from` may tell of.
        """
        whole = True
        if one.entry.record:
            word, teller = MET if source == one.peer else TOLD, teller_of(one.entry.told_from)
            whole = await self._table.note_record(one.entry.record, word, teller)
        if one.entry.metadata:
            await self._table.note_metadata(one.entry.metadata)
        return whole

    async def sample(
        self, limit: int, exclude: Callable[[PeerId, Version], bool]
    ) -> tuple[list[Listed], bool]:
        """Up to `limit` that are not excluded, and whether there may be more."""
        start = self._entropy.below(DRAWS)
        found = await self._table.read(lambda db: _sample(db, start, limit + 1, exclude))
        return found[:limit], len(found) > limit

    async def newest(self, peers: Sequence[PeerId]) -> list[Listed]:
        """What is kept of these peers, in their order."""
        return await self._table.read(lambda db: list(_of(db, peers)))

    async def versions(self, limit: int) -> list[tuple[PeerId, Version]]:
        """How new what is kept is, of those met last."""
        found: list[tuple[PeerId, Version]] = []
        while (room := min(limit - len(found), VERSIONS_AT_ONCE)) > 0:
            page = await self._table.read(partial(_versions, limit=room, offset=len(found)))
            found += page
            if len(page) < room:
                break
        return found

    def is_blocked(self, peer: PeerId) -> bool:
        """Whether the user wants nothing to do with it."""
        return self._table.is_blocked(peer)


def _sample(
    db: sqlite3.Connection, start: int, limit: int, exclude: Callable[[PeerId, Version], bool]
) -> list[Listed]:
    found: list[Listed] = []
    for condition in ("draw >= ?", "draw < ?"):
        rows = db.execute(f"{_SIGNED} AND {condition} ORDER BY draw, id LIMIT ?", (start, LOOKED_AT_MAX))
        for row in rows:
            one = _listed(row)
            if not exclude(one.peer, one.version):
                found.append(one)
            if len(found) == limit:
                return found
    return found


def _of(db: sqlite3.Connection, peers: Iterable[PeerId]) -> Iterable[Listed]:
    for peer in peers:
        row = db.execute(f"{_SIGNED} AND peer_id = ?", (peer.to_bytes(),)).fetchone()
        if row is not None:
            yield _listed(row)


def _versions(db: sqlite3.Connection, limit: int, offset: int) -> list[tuple[PeerId, Version]]:
    rows = db.execute(
        "SELECT peer_id, r.seq, m.seq FROM peers"
        " LEFT JOIN peer_records r ON r.peer = id LEFT JOIN peer_metadata m ON m.peer = id"
        " WHERE coalesce(r.peer, m.peer) IS NOT NULL ORDER BY last_seen DESC, id LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [(PeerId(raw), _version(record, metadata)) for raw, record, metadata in rows]


def _listed(row: Any) -> Listed:
    raw, record_seq, record, told_from, metadata_seq, metadata = row
    entry = Entry(record or b"", metadata or b"", told_from)
    return Listed(PeerId(raw), _version(record_seq, metadata_seq), entry)


def _version(record: bytes | None, metadata: bytes | None) -> Version:
    return Version(int.from_bytes(record or b""), int.from_bytes(metadata or b""))
