"""Which registration made which documents, as runs of ordinals: documents are numbered as they come.

In:  where runs begin, and whose they are. Out: where a search goes on that has seen enough of some makers.
In memory, sixteen bytes a run. Pure.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from warren.services.directory.index.schema import RANK_SHIFT

if TYPE_CHECKING:
    from collections.abc import Container, Iterable


class Runs:
    """Grows at its end, also while another thread looks into it."""

    __slots__ = ("_makers", "_starts")

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        """runs: first ordinal and registration of each, in order."""
        self._starts = array("q")
        self._makers = array("q")
        self.extend(runs)

    def extend(self, runs: Iterable[tuple[int, int]]) -> None:
        """Add runs that follow the others."""
        for start, maker in runs:
            if not self._makers or self._makers[-1] != maker:
                self._makers.append(maker)
                self._starts.append(start)

    def skip(self, ordinal: int, makers: Container[int]) -> int | None:
        """The first ordinal above that none of `makers` made; after the last run, one above all.

        None where `ordinal` itself is not in a run of theirs.
        """
        at = bisect_right(self._starts, ordinal) - 1
        if at < 0 or self._makers[at] not in makers:
            return None
        for later in range(at + 1, len(self._starts)):
            if self._makers[later] not in makers:
                return self._starts[later]
        return 1 << RANK_SHIFT
