"""What answers of a search are made of, wherever they come from.

In:  what an index holds, what a peer sent. Out: plain values; nothing of them is proven by being one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from warren.core.entry import Entry
    from warren.core.peer_id import PeerId


class Found(NamedTuple):
    """An entry that fits, and who has it. score: how well it fits, higher is better. online: whether who
    answered holds the owner to be there.
    """

    owner: PeerId
    entry: Entry
    score: float
    online: bool


class Counts(NamedTuple):
    """How far a search is: `asked` have answered, of `about` so many that are known to be asked."""

    asked: int
    about: int
