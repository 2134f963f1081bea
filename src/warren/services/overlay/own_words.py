"""What can be found at this super-peer, as a filter that grows and shrinks with it. Pure.

In:  words that owners have and have no more, as the index tells them. Out: a filter, and the words themselves
for whoever looks for rare ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.protocols.overlay.messages import BITS_LOG2_MIN
from warren.services.overlay.bloom import Counted, keys_of, size_for

if TYPE_CHECKING:
    from collections.abc import Iterable, KeysView

    from warren.services.overlay.bloom import Bloom


class OwnWords:
    """How many owners have each word. Takes some hundred bytes a word."""

    def __init__(self) -> None:
        self._owners: dict[str, int] = {}
        self._keys = 0
        self._filter = Counted(BITS_LOG2_MIN)

    @property
    def words(self) -> KeysView[str]:
        """Each word that some owner has."""
        return self._owners.keys()

    def add(self, words: Iterable[str]) -> None:
        """One more owner has each of these."""
        for word in words:
            owners = self._owners.get(word, 0)
            self._owners[word] = owners + 1
            if not owners:
                self._keys += len(keys_of(word))
                self._filter.add(word)

    def remove(self, words: Iterable[str]) -> None:
        """One owner less has each of these."""
        for word in words:
            owners = self._owners.get(word, 0)
            if owners > 1:
                self._owners[word] = owners - 1
            elif owners:
                del self._owners[word]
                self._keys -= len(keys_of(word))
                self._filter.remove(word)

    @property
    def outgrown(self) -> bool:
        """Whether the filter should have another size: it became too full, or is far too large."""
        return not size_for(self._keys) <= self._filter.bits_log2 <= size_for(self._keys) + 1

    def emptied(self) -> list[str]:
        """Begin with an empty filter of the right size; the words to `refill` it with."""
        self._filter = Counted(size_for(self._keys))
        return list(self._owners)

    def refill(self, words: Iterable[str]) -> None:
        """Put back words of `emptied`."""
        for word in words:
            self._filter.add(word)

    def snapshot(self) -> Bloom:
        """The filter as it is now."""
        return self._filter.snapshot()
