"""What a super-peer remembers of one query. Pure: `Routing` says what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from warren.protocols.overlay.messages import Done
from warren.services.overlay.spreading import HOLDERS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.found import Found
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.services.overlay.spreading import Spread


class Branch(NamedTuple):
    """How far a neighbour was asked."""

    ttl: int
    breadth: int


@dataclass(slots=True)
class Given:
    """What a neighbour gave of what it was asked for, in all rounds: late hits of one come in the next."""

    wanted: int = 0
    entries: int = 0
    contents: set[int] = field(default_factory=set)

    def take(self, hits: Sequence[Found]) -> bool:
        """Whether it was asked for so many."""
        self.entries += len(hits)
        if len(self.contents) <= self.wanted:
            self.contents.update(hash(hit.entry.cid) for hit in hits)
        return len(self.contents) <= self.wanted and self.entries <= self.wanted * HOLDERS_MAX


@dataclass(slots=True)
class Visit:
    """What is remembered of one query."""

    query: Query
    parent: PeerId | None
    round: int
    ttl: int
    breadth: int
    wanted: int
    spread: Spread
    deadline: float
    seen_at: float
    proof: bytes = b""
    """Of the round."""
    own: bool = False
    """Whether it is of the user of this node."""
    looking: bool = False
    looked: bool = False
    open: bool = True
    asked: int = 0
    skipped: int = 0
    branches: dict[PeerId, Branch] = field(default_factory=dict)
    ring: int = 0
    beyond: dict[PeerId, tuple[int, int]] = field(default_factory=dict)
    """(skipped, ring) of each branch when it was last asked."""
    waiting: set[PeerId] = field(default_factory=set)
    """Branches that are not done."""
    given: dict[PeerId, Given] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Contents that are still wanted. Who searches here counts them itself."""
        return self.wanted if self.parent is None else self.spread.left

    def done(self, id_: bytes) -> Done:
        skipped = self.skipped + sum(skipped for skipped, _ in self.beyond.values())
        ring = self.ring + sum(ring for _, ring in self.beyond.values())
        return Done(id_, self.round, self.asked, skipped, ring)
