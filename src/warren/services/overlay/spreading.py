"""Which hits are handed on at once and which wait, so that no one who answers crowds out the others. Pure.

In:  hits, each with the neighbour or guest that it came from. Out: those to hand on; at the end those that
waited, one of each source in turn.

Contents are counted, not entries: one content may have several holders. Of the contents that are wanted, one
source has half at most while others may still answer: who makes up as many hits as are wanted does not stop
the honest ones. What a hit says of who found it is not believed here: sure is only who sent it.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from warren.core.cid import Cid
    from warren.core.found import Found
    from warren.core.peer_id import PeerId

    Key: TypeAlias = Callable[[PeerId, Found], Hashable]

HOLDERS_MAX: Final = 32
"""Entries of one content that are handed on. Attack: one content under a thousand names."""
HOLDERS_OF_SOURCE_MAX: Final = 16
"""The same of one source."""
NEW_MIN: Final = 0.05
"""With as many hits as are wanted, of which so few in a hundred are contents that only one source has, the
next one is hardly a new content either. I. Good, The population frequencies of species, 1953."""


class Spread:
    """Of one search, begun here or passed on."""

    def __init__(self, wanted: int, key: Key, hits_max: int) -> None:
        """wanted: contents. key: of a responder and its hit, by which it is known when it comes again.
        hits_max: so many are handed on.
        """
        self._wanted = self._most = wanted
        self._share = wanted
        self._key = key
        self._hits_max = hits_max
        self._seen: set[int] = set()
        self._of_source: Counter[PeerId] = Counter()
        self._passed: dict[Cid, Counter[PeerId]] = {}
        """Contents that were handed on -> how many entries of each source."""
        self._begun: Counter[PeerId] = Counter()
        """How many contents each source was the first to have."""
        self._held: dict[PeerId, deque[tuple[PeerId, Found]]] = {}
        self.held = 0
        """Hits that wait."""

    def renew(self, wanted: int) -> None:
        """So many contents more are wanted."""
        self._wanted = self._share = wanted
        self._most = len(self._passed) + wanted
        self._begun.clear()

    def among(self, sources: int) -> None:
        """So many are asked. With one there is nobody to crowd out."""
        self._share = self._wanted if sources < 2 else -(-self._wanted // 2)

    @property
    def hits(self) -> int:
        """Entries that were handed on."""
        return len(self._seen)

    @property
    def left(self) -> int:
        """Contents that are still wanted."""
        return self._most - len(self._passed)

    @property
    def enough(self) -> bool:
        """Whether all that is wanted was handed on, or hardly anything new is to be expected."""
        if self.left <= 0:
            return True
        single = sum(len(sources) < 2 for sources in self._passed.values())
        return self.hits >= self._wanted and single <= self.hits * NEW_MIN

    def take(
        self, source: PeerId, responder: PeerId, hits: Iterable[Found], *, room: int, ours: bool = False
    ) -> list[Found]:
        """What of these to hand on at once. room: so many more may wait. ours: they are of this node itself,
        and need not wait.
        """
        share = self._most if ours else self._share
        passed = []
        for hit in hits:
            sources = self._passed.get(hit.entry.cid)
            if sources is not None:
                sources[source] += 0  # it has that content, too, even if this is no new entry of it
            if sources is not None or self._begun[source] < share:
                if self._pass(source, responder, hit):
                    passed.append(hit)
            elif self.left > 0 and self.held < room:
                self._hold(source, responder, hit)
        return passed

    def release(self) -> list[tuple[PeerId, Found]]:
        """What waited and is wanted now, as nobody else has more: (responder, hit)."""
        passed, held = [], self._held
        self._held, self.held = {}, 0
        while held and self.left > 0:
            for source in list(held):
                responder, hit = held[source].popleft()
                if self._pass(source, responder, hit):
                    passed.append((responder, hit))
                if not held[source]:
                    del held[source]
        return passed

    def _hold(self, source: PeerId, responder: PeerId, hit: Found) -> None:
        waiting = self._held.setdefault(source, deque())
        if len(waiting) < self._wanted:
            waiting.append((responder, hit))
            self.held += 1

    def _pass(self, source: PeerId, responder: PeerId, hit: Found) -> bool:
        key = hash(self._key(responder, hit))
        if key in self._seen or not self._has_room(source):
            return False
        sources = self._passed.get(hit.entry.cid)
        if sources is None:
            if self.left <= 0:
                return False
            sources = self._passed[hit.entry.cid] = Counter()
            self._begun[source] += 1
        elif sources.total() >= HOLDERS_MAX or sources[source] >= HOLDERS_OF_SOURCE_MAX:
            return False
        sources[source] += 1
        self._of_source[source] += 1
        self._seen.add(key)
        return True

    def _has_room(self, source: PeerId) -> bool:
        most = self._hits_max if self._share == self._wanted else self._hits_max // 2
        return len(self._seen) < self._hits_max and self._of_source[source] < most


def of_owners(found: Sequence[Found], wanted: int) -> list[Found]:
    """The best of an index, `wanted` contents at most, half of them of one owner while others have some."""
    spread = Spread(wanted, lambda _, hit: (hit.owner, hit.entry.path, hit.entry.cid), len(found))
    spread.among(len({hit.owner for hit in found}))
    passed = [one for hit in found for one in spread.take(hit.owner, hit.owner, (hit,), room=len(found))]
    return passed + [hit for _, hit in spread.release()]
