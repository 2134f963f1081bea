"""What is to be put into the store, while that takes its time or cannot be reached. Pure.

In:  changes of owners, in the order in which they were taken. Out: one piece of work after another, of the
owner who has waited longest. Of an owner either its last deltas wait, or that all there is of it is to be put
there, or that it is forgotten.

Deltas that take too much room are dropped for a snapshot: what they say stands in the index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

BYTES_MAX: Final = 4 << 20
"""Deltas that wait in one part. Fault: a store that is away for hours."""
OWNER_BYTES_MAX: Final = 256 * 1024
"""The same of one owner; more of them are no cheaper than a snapshot. Attack: an owner who changes without
end."""


class Delta(NamedTuple):
    """A change of what is public, in a piece."""

    epoch: int
    from_seq: int
    to_seq: int
    piece: bytes


@dataclass(slots=True)
class Work:
    """What is to be done about one owner. Empty deltas: see `what`."""

    what: Literal["deltas", "snapshot", "forget"]
    deltas: list[Delta] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(len(delta.piece) for delta in self.deltas)


class Pending:
    """The work of one part."""

    __slots__ = ("_bytes", "_works")

    def __init__(self) -> None:
        self._works: dict[PeerId, Work] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """How many owners wait."""
        return len(self._works)

    def __contains__(self, owner: object) -> bool:
        return owner in self._works

    def add_delta(self, owner: PeerId, delta: Delta) -> None:
        """A change after those that wait."""
        work = self._works.get(owner)
        if work is None:
            work = self._works[owner] = Work("deltas")
        if work.what == "forget":
            self._put(owner, Work("snapshot"))
        elif work.what == "deltas":
            work.deltas.append(delta)
            self._bytes += len(delta.piece)
            if work.size > OWNER_BYTES_MAX or self._bytes > BYTES_MAX:
                self._put(owner, Work("snapshot"))

    def add_snapshot(self, owner: PeerId) -> None:
        """All there is, in the place of what waits."""
        self._put(owner, Work("snapshot"))

    def add_forgotten(self, owner: PeerId) -> None:
        """It has nothing any more."""
        self._put(owner, Work("forget"))

    def take(self) -> tuple[PeerId, Work]:
        """The next work. What comes for the owner from now on is another."""
        owner = next(iter(self._works))
        work = self._works.pop(owner)
        self._bytes -= work.size
        return owner, work

    def put_back(self, owner: PeerId, work: Work) -> None:
        """It could not be done: it goes before what came meanwhile."""
        later = self._works.pop(owner, None)
        if later is not None:
            self._bytes -= later.size
            if later.what != "deltas" or work.what == "forget":
                work = later if later.what != "deltas" else Work("snapshot")
            elif work.what == "deltas":
                work.deltas += later.deltas
        self._works = {owner: work, **self._works}
        self._bytes += work.size

    def _put(self, owner: PeerId, work: Work) -> None:
        old = self._works.get(owner)
        self._bytes -= old.size if old is not None else 0
        self._works[owner] = work
