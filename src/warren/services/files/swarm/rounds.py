"""Which leaf each of many takes of who has everything, so that each leaf goes out once before any goes twice.

In:  peers whose turn it is. Out: a number for each, one more than the last; taken modulo the leaves of the
root it is where to begin. Those who are served cannot see what the others were just given: by lot the last of
n leaves goes out after n log n turns. Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.cid import Cid
    from warren.runtime.seam import Entropy

ROOTS_MAX: Final = 512
"""Roots that are counted for. Attack: a peer that asks for everything there is."""
FIRST_BELOW: Final = 1 << 32
"""Where it begins is drawn by lot: several who have everything shall not all send the same."""


class Rounds:
    """Of all roots of one node."""

    __slots__ = ("_entropy", "_next")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._next: OrderedDict[Cid, int] = OrderedDict()

    def take(self, root: Cid) -> int:
        """The number of who is served now."""
        number = self._next.pop(root, None)
        if number is None:
            number = self._entropy.below(FIRST_BELOW)
        self._next[root] = number + 1
        if len(self._next) > ROOTS_MAX:
            self._next.popitem(last=False)
        return number
