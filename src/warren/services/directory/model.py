"""What a search shows to those above: hits, who holds them, how far it is.

In:  entries that were found at several peers. Out: frozen values, one `Hit` for all that have the same
content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.cid import Cid
    from warren.core.entry import EntryKind, Metadata
    from warren.core.peer_id import PeerId


class Filters(TypedDict, total=False):
    """What may be asked of a search besides its words; see `core.query.Query`."""

    suffixes: Sequence[str]
    size_min: int | None
    size_max: int | None
    author: str
    domain: str
    online: bool
    limit: int
    after: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has it, and where: `paths` as SHARE/FOLDER/NAME at that peer.

    online: whether somebody who ought to know says that the peer is there. latency_s: the round trip to it,
    where it was measured on a connection that stands.
    """

    peer: PeerId
    paths: tuple[str, ...]
    online: bool
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One content that fits, with all who are known to hold it; those who are there come first.

    number: 1, 2, 3 in the order in which they came; it stays with the content as long as the search. name,
    size in bytes, kind and metadata are those of the copy that fits best. score: higher fits better.
    """

    number: int
    cid: Cid
    name: str
    size: int
    kind: EntryKind
    metadata: Metadata
    holders: tuple[Holder, ...]
    score: float

    @property
    def online(self) -> bool:
        """Whether anybody who holds it is there. If not, it can be listed and not fetched now."""
        return any(holder.online for holder in self.holders)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path under which somebody has it, each once."""
        return tuple(dict.fromkeys(path for holder in self.holders for path in holder.paths))


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """How far a search is. asked: who answered to the end or failed, of `about` so many; both grow.

    hits: different contents so far. done: nothing more will come. in_time: it ended because all had answered,
    not because its time was over.
    """

    asked: int
    about: int
    hits: int
    done: bool
    in_time: bool = True
