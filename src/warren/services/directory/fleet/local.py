"""`LocalIndex`: the index of one super-peer of a fleet, which can be read out again.

In:  what `SqliteIndex` takes. Out: besides, all entries of an owner, to be put into the store; and owners who
are gone at once, before the turn of their rows has come.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.protocols.directory.entries import Registered
from warren.services.directory.index.documents import path_key, to_entry
from warren.services.directory.index.sqlite import SqliteIndex

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Runtime, StrPath

PAGE_ROWS: Final = 500
_NEVER: Final = -(1 << 63)


class LocalIndex(SqliteIndex):
    """See `index.sqlite.SqliteIndex`."""

    @classmethod
    async def open(cls, runtime: Runtime, path: StrPath) -> LocalIndex:
        """See `SqliteIndex.open`."""
        index = await super().open(runtime, path)
        assert isinstance(index, cls)  # noqa: S101
        return index

    async def entries(self, owner: PeerId) -> AsyncIterator[list[Registered]]:
        """All that an owner has registered, in pages. Nobody may change it meanwhile.

        Raises `StorageError`.
        """
        registration = self._registrations.get(owner)
        after: int | None = _NEVER
        while registration is not None and after is not None:
            read = partial(_read_page, registration=registration.id, after=after)
            page, after = await self._database.read(read)
            if page:
                yield page

    async def held(self, owner: PeerId, paths: Sequence[str]) -> list[str]:
        """Those of the paths at which the owner has an entry. Raises `StorageError`."""
        registration = self._registrations.get(owner)
        if registration is None or not paths:
            return []
        return await self._database.read(partial(_held, registration=registration.id, paths=paths))

    def hide(self, owner: PeerId) -> None:
        """No search that begins from now on finds the owner; then `forget` it."""
        self._discount(owner)


def _held(db: sqlite3.Connection, registration: int, paths: Sequence[str]) -> list[str]:
    query = "SELECT 1 FROM slot WHERE registration = ? AND path = ?"
    return [path for path in paths if db.execute(query, (registration, path_key(path))).fetchone()]


def _read_page(db: sqlite3.Connection, registration: int, after: int) -> tuple[list[Registered], int | None]:
    """Some entries; where to go on, None at the end."""
    rows = db.execute(
        "SELECT s.path, s.audience, d.cid, d.kind, d.size, d.path, d.metadata"
        " FROM slot s CROSS JOIN document d ON d.id = s.document"
        " WHERE s.registration = ? AND s.path > ? ORDER BY s.path LIMIT ?",
        (registration, after, PAGE_ROWS),
    ).fetchall()
    page = [Registered(to_entry(*document), audience) for _, audience, *document in rows]
    return page, rows[-1][0] if len(rows) == PAGE_ROWS else None
