"""Whose records name addresses that are not believed yet: who told of them speaks from too far away. Pure.

In:  what was kept of each subject, and from how near it was told; neighbours, and how near they are. Out:
whether a record that is known already is wanted again, and which subjects to ask a neighbour for once more.

A record is told once. Whoever hears it first from the internet would miss for hours what a neighbour in the
local network may tell of it, so a new neighbour is asked once for the records in doubt that it is near enough
to settle.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.core.reach import Reach

SUBJECTS_MAX: Final = 1024
"""Records in doubt that are remembered. Attack: keys without end. Beyond it the oldest is settled by its next
record only."""


class Doubts:
    """Of one node."""

    __slots__ = ("_asked", "_told_from")

    def __init__(self) -> None:
        self._told_from: OrderedDict[PeerId, Reach] = OrderedDict()
        self._asked: set[PeerId] = set()

    def __len__(self) -> int:
        return len(self._told_from)

    def kept(self, subject: PeerId, told_from: Reach, *, whole: bool) -> None:
        """Its record was kept. whole: there is nothing in it that somebody nearer may tell of."""
        self._told_from.pop(subject, None)
        if not whole:
            self._told_from[subject] = told_from
            if len(self._told_from) > SUBJECTS_MAX:
                self._told_from.popitem(last=False)

    def are_settled_by(self, teller: Reach, subject: PeerId) -> bool:
        """Whether the record of `subject` is in doubt, and whoever speaks from `teller` is nearer."""
        told_from = self._told_from.get(subject)
        return told_from is not None and teller < told_from

    def asks(self, neighbour: PeerId, teller: Reach) -> frozenset[PeerId]:
        """The subjects that `neighbour`, who is about to be asked, may settle; none the next time."""
        if neighbour in self._asked:
            return frozenset()
        self._asked.add(neighbour)
        return frozenset(one for one in self._told_from if self.are_settled_by(teller, one))

    def leave(self, neighbour: PeerId) -> None:
        """It cannot be asked any more."""
        self._asked.discard(neighbour)
