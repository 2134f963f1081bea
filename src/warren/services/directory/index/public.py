"""The words of public entries, told as changes: what `SqliteIndex.public_words` returns.

In:  whose words may have changed; words, read from the index when they are asked for. Out: `WordsChange`.
What was told of an owner is kept, compressed, so that only differences are told.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from warren.services.directory.index.documents import plain_words
from warren.services.directory.index.interface import PUBLIC, WordsChange

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from warren.core.peer_id import PeerId

PAGE_ROWS: Final = 1000

_NEVER: Final = -(1 << 63)


class SqlitePublicWords:
    """See `interface.PublicWords`. read: the public words of an owner; nothing of one who is offline. calm:
    waits for a good moment.
    """

    __slots__ = ("__weakref__", "_calm", "_dirty", "_read", "_told")

    def __init__(
        self,
        owners: Iterable[PeerId],
        read: Callable[[PeerId], Awaitable[set[str]]],
        calm: Callable[[], Awaitable[object]],
    ) -> None:
        self._dirty = dict.fromkeys(owners)
        self._read = read
        self._calm = calm
        self._told: dict[PeerId, bytes] = {}

    def mark(self, owner: PeerId) -> None:
        """Say that an owner's words may have changed."""
        self._dirty[owner] = None

    async def changes(self) -> AsyncIterator[WordsChange]:
        """See `interface.PublicWords`."""
        await self._calm()
        for owner in list(self._dirty):
            if self._dirty.pop(owner, owner) is owner:
                continue
            try:
                words = await self._read(owner)
            except BaseException:
                self.mark(owner)
                raise
            change = self._tell(owner, words)
            if change.added or change.removed:
                yield change

    def _tell(self, owner: PeerId, words: set[str]) -> WordsChange:
        told = _unpack(self._told.pop(owner, b""))
        if words:
            self._told[owner] = _pack(words)
        return WordsChange(words - told, told - words)


def read_page(db: sqlite3.Connection, registration: int, after: int = _NEVER) -> tuple[set[str], int | None]:
    """The words of some public entries; where to go on, None at the end."""
    rows = db.execute(
        "SELECT s.path, d.name, d.rest FROM slot s CROSS JOIN document d ON d.id = s.document"
        " WHERE s.registration = ? AND s.path > ? AND s.audience = ? ORDER BY s.path LIMIT ?",
        (registration, after, PUBLIC, PAGE_ROWS),
    ).fetchall()
    words: set[str] = set()
    for _, name, rest in rows:
        words |= plain_words(name, rest)
    return words, rows[-1][0] if len(rows) == PAGE_ROWS else None


def _pack(words: set[str]) -> bytes:
    return zlib.compress(" ".join(sorted(words)).encode(), 1)


def _unpack(packed: bytes) -> set[str]:
    return set(zlib.decompress(packed).decode().split(" ")) if packed else set()
