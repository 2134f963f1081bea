"""`OwnMetadata`: what this node says of itself, set by its user, signed, and kept.

In:  keys and values. Out: the sealed envelope, to be handed to anybody. Its number grows with each change and
over restarts, whatever the clock says: others would refuse a lower one. Refuses what core/peer_metadata.py
refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import NotFound
from warren.core.peer_metadata import PeerMetadata

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from warren.core.keys import PrivateKey
    from warren.runtime.seam import Clock, Database

_NUMBER: Final = "metadata"


class OwnMetadata:
    """Of one node. `load` before anything else."""

    __slots__ = ("_clock", "_database", "_key", "_metadata", "_sealed", "on_changed")

    def __init__(self, database: Database, key: PrivateKey, clock: Clock) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._metadata = PeerMetadata(key.peer_id, 0)
        self._sealed = b""
        self.on_changed: Callable[[], None] = lambda: None
        """Called when `sealed` returns something new."""

    async def load(self) -> None:
        """Read what is kept."""
        seq, entries = await self._database.run(_load)
        self._show(PeerMetadata(self._key.peer_id, seq, entries))

    @property
    def entries(self) -> Mapping[str, str]:
        """What this node says of itself, by key."""
        return self._metadata.entries

    def sealed(self) -> bytes:
        """The same, signed; empty as long as nothing was ever said."""
        return self._sealed

    async def set(self, key: str, value: str) -> None:
        """Say something of this node; committed when this returns. Raises InputError."""
        await self._change(lambda entries: {**entries, key: value})

    async def remove(self, key: str) -> None:
        """Say that no longer. Raises NotFound."""
        if key not in self.entries:
            raise NotFound(
                f"this node says nothing of {key!r}", hint="warren metadata list shows what it says"
            )
        await self._change(lambda entries: {name: value for name, value in entries.items() if name != key})

    async def _change(self, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
        now_ms = int(self._clock.wall() * 1000)

        def write(db: sqlite3.Connection) -> PeerMetadata:
            seq, entries = _load(db)
            new = PeerMetadata(self._key.peer_id, max(seq + 1, now_ms), change(entries))
            new.seal(self._key)  # what cannot be sealed is not kept
            db.execute("DELETE FROM own_metadata")
            db.executemany("INSERT INTO own_metadata VALUES (?, ?)", list(new.entries.items()))
            db.execute("INSERT OR REPLACE INTO own_numbers VALUES (?, ?)", (_NUMBER, new.seq))
            return new

        self._show(await self._database.run(write))
        self.on_changed()

    def _show(self, metadata: PeerMetadata) -> None:
        if metadata.seq >= self._metadata.seq:  # two changes may return in the other order
            self._metadata = metadata
            self._sealed = metadata.seal(self._key) if metadata.seq else b""


def _load(db: sqlite3.Connection) -> tuple[int, dict[str, str]]:
    row = db.execute("SELECT number FROM own_numbers WHERE name = ?", (_NUMBER,)).fetchone()
    entries = dict(db.execute("SELECT key, value FROM own_metadata ORDER BY key"))
    return (row[0] if row else 0), entries
