"""An index in memory: the smallest that does what `interface.Index` says, for tests of those who use it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from warren.core.found import Found
from warren.core.words import words
from warren.services.directory.index.interface import PUBLIC, Gap, Position, Results, Stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warren.core.entry import Entry
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.protocols.directory.entries import Registered
    from warren.services.directory.index.interface import Admits, PublicWords


class MemoryIndex:
    """What it holds may be looked at: `entries[owner][path]`, and by which deltas it came there."""

    def __init__(self) -> None:
        self.entries: dict[PeerId, dict[str, Registered]] = {}
        self.positions: dict[PeerId, Position] = {}
        self.online: set[PeerId] = set()
        self.applied: list[Position] = []
        self._admits: Admits = lambda *_: False

    async def replace(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        position = self.positions.get(owner)
        if position is not None and Position(epoch, seq) < position:
            raise Stale(position)
        self.entries[owner] = {one.entry.path: one for one in entries}
        self.positions[owner] = Position(epoch, seq)

    async def apply(
        self,
        owner: PeerId,
        epoch: int,
        from_seq: int,
        to_seq: int,
        added: Sequence[Registered],
        removed: Sequence[str],
    ) -> None:
        position = self.positions.get(owner)
        if position is None or position.epoch != epoch or from_seq > position.seq:
            raise Gap(position)
        if to_seq <= position.seq:
            return
        held = self.entries[owner]
        for path in removed:
            held.pop(path, None)
        held.update({one.entry.path: one for one in added})
        self.positions[owner] = Position(epoch, to_seq)
        self.applied.append(self.positions[owner])

    def position(self, owner: PeerId) -> Position | None:
        return self.positions.get(owner)

    def size(self, owner: PeerId) -> int:
        return len(self.entries.get(owner, ()))

    def owners(self) -> list[PeerId]:
        return list(self.positions)

    def set_online(self, owner: PeerId, online: bool) -> None:
        (self.online.add if online else self.online.discard)(owner)

    def set_admits(self, admits: Admits) -> None:
        self._admits = admits

    async def search(self, query: Query, asker: PeerId | None) -> Results:
        hits = [
            Found(owner, one.entry, 1.0, owner in self.online)
            for owner, held in self.entries.items()
            for one in held.values()
            if (owner in self.online or not query.online)
            and self._may_see(owner, one.audience, asker)
            and _fits(query, one.entry)
        ]
        page = list(itertools.islice(hits, query.after, query.after + query.limit))
        return Results(page, len(hits), exact=True)

    async def forget(self, owner: PeerId) -> None:
        self.entries.pop(owner, None)
        self.positions.pop(owner, None)

    def public_words(self) -> PublicWords:
        raise NotImplementedError

    async def close(self) -> None:
        pass

    def _may_see(self, owner: PeerId, audience: int, asker: PeerId | None) -> bool:
        return audience == PUBLIC or (asker is not None and self._admits(owner, audience, asker))


def _fits(query: Query, entry: Entry) -> bool:
    has = words(entry.path)
    return all(any(word.startswith(term.word) for word in has) for term in query.terms)
