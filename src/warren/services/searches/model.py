"""What standing searches are made of.

In:  a query and its name; what was found. Out: frozen values; the event `SearchMatched`. Refuses names that
are empty or too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError

if TYPE_CHECKING:
    from warren.core.cid import Cid
    from warren.core.entry import EntryKind
    from warren.core.peer_id import PeerId
    from warren.core.query import Query

NAME_CHARS_MAX: Final = 100
"""Of a saved search."""
HOLDERS_MAX: Final = 16
"""Kept of one match."""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A query that is asked again. fetch: what it finds is fetched. saved_at: seconds since 1970."""

    name: str
    query: Query
    fetch: bool
    saved_at: float

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > NAME_CHARS_MAX:
            raise InputError(
                f"the name of a saved search has 1 to {NAME_CHARS_MAX} characters", hint="choose another name"
            )


@dataclass(frozen=True, slots=True)
class Match:
    """A content that a standing search found at others.

    holders: who had it when it was found, the best first. online: whether one of them was there. found_at:
    seconds since 1970.
    """

    cid: Cid
    name: str
    kind: EntryKind
    size: int
    title: str
    holders: tuple[PeerId, ...]
    online: bool = False
    found_at: float = 0.0
    fetched: bool = False


@dataclass(frozen=True, slots=True)
class SearchMatched:
    """Event: a standing search found what it had not found before."""

    search: str
    match: Match
