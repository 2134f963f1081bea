"""Which of the contents that several find have a place on a list of so many.

In:  what each of those who are asked finds, as it comes; that one has ended, that nobody is waited for any
more. Out: what is to be shown now. Pure.

As long as others may still answer, each has a share of the places, so that nobody can fill the list alone,
whatever it finds and however well that fits. What goes beyond a share is kept, as much as there are places:
shares grow as others end with less, and in the end what is left is dealt out in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.cid import Cid
    from warren.core.found import Found


class Spread:
    """For `limit` contents, found by so many sources, which have numbers from 0 on."""

    __slots__ = ("_active", "_is_open", "_kept", "_limit", "_shown", "_used")

    def __init__(self, limit: int, sources: int) -> None:
        self._limit = limit
        self._used = [0] * sources
        self._kept: list[dict[Cid, list[Found]]] = [{} for _ in range(sources)]
        self._active = set(range(sources))
        self._shown: set[Cid] = set()
        self._is_open = sources < 2

    def offer(self, source: int, found: Found) -> list[Found]:
        """One found something; return what is to be shown now."""
        if found.entry.cid in self._shown:
            return [found]
        if self._has_place(source):
            return self._show(source, found.entry.cid, [found])
        kept = self._kept[source]
        if not self._is_open and sum(map(len, kept.values())) < self._limit:
            kept.setdefault(found.entry.cid, []).append(found)
        return []

    def end(self, source: int) -> list[Found]:
        """One will find no more; return what is to be shown now."""
        self._active.discard(source)
        if not self._active:
            return self.open()
        shown: list[Found] = []
        for one in () if self._is_open else sorted(self._active):
            while self._kept[one] and self._has_place(one):
                shown += self._show_kept(one)
        return shown

    def open(self) -> list[Found]:
        """Nobody is waited for any more: deal out what is left; return what is to be shown now."""
        self._is_open = True
        shown: list[Found] = []
        while len(self._shown) < self._limit and any(self._kept):
            for source, kept in enumerate(self._kept):
                if kept and len(self._shown) < self._limit:
                    shown += self._show_kept(source)
        for kept in self._kept:
            kept.clear()
        return shown

    def _has_place(self, source: int) -> bool:
        if len(self._shown) >= self._limit:
            return False
        if self._is_open:
            return True
        left = self._limit - sum(used for one, used in enumerate(self._used) if one not in self._active)
        return self._used[source] < max(left // len(self._active), 1)

    def _show_kept(self, source: int) -> list[Found]:
        return self._show(source, next(iter(self._kept[source])), [])

    def _show(self, source: int, cid: Cid, found: list[Found]) -> list[Found]:
        self._shown.add(cid)
        self._used[source] += 1
        return found + [one for kept in self._kept for one in kept.pop(cid, ())]
