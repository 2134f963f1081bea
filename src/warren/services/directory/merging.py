"""From many answers to one list of hits: what has the same content is one.

In:  what was found, in any order, from one or several who answer. Out: of which hit there is something new to
say, and the hit as it is now. Pure.

Refuses what goes beyond the bounds: more contents than were asked for, more holders of one content than
anybody can use. The best that is known of a content is shown, whoever said it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.services.directory.model import Hit, Holder

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.core.found import Found
    from warren.core.peer_id import PeerId

HOLDERS_MAX: Final = 64
"""Of one content; those that this node itself sees there come before others. Attack: a super-peer that names
holders without end."""
PATHS_MAX: Final = 8
"""Of one content at one holder. Attack: the same content under a thousand names."""


@dataclass(slots=True)
class _At:
    """What is known of one holder."""

    paths: dict[str, None] = field(default_factory=dict)
    online: bool = False


@dataclass(slots=True)
class _Content:
    number: int
    best: Found
    at: dict[PeerId, _At] = field(default_factory=dict)


class Merging:
    """The hits of one search. latency: the round trip to a connected peer in seconds, else None."""

    def __init__(
        self, limit: int, *, is_here: Callable[[PeerId], bool], latency: Callable[[PeerId], float | None]
    ) -> None:
        """limit: so many contents. is_here: whether this node itself sees that the peer is there."""
        self._limit = limit
        self._is_here = is_here
        self._latency = latency
        self._contents: dict[Cid, _Content] = {}
        self._numbered: list[_Content] = []

    def __len__(self) -> int:
        return len(self._contents)

    @property
    def limit(self) -> int:
        """So many contents."""
        return self._limit

    def take(self, found: Found) -> int | None:
        """The number of the hit that this belongs to, if it says anything new."""
        content = self._contents.get(found.entry.cid)
        if content is None:
            if len(self._contents) >= self._limit:
                return None
            content = _Content(len(self._contents) + 1, found)
            self._contents[found.entry.cid] = content
            self._numbered.append(content)
            self._add(content, found)
            return content.number
        better = found.score > content.best.score
        if better:
            content.best = found
        # Both have to be done.
        return content.number if self._add(content, found) or better else None

    def _add(self, content: _Content, found: Found) -> bool:
        """Whether anything of the holder is new."""
        at = content.at.get(found.owner)
        if at is None:
            if len(content.at) >= HOLDERS_MAX and not self._make_room(content, found.owner):
                return False
            at = content.at[found.owner] = _At(online=self._is_here(found.owner))
            is_new = True
        else:
            is_new = False
        if found.online and not at.online:
            at.online = is_new = True
        if found.entry.path not in at.paths and len(at.paths) < PATHS_MAX:
            at.paths[found.entry.path] = None
            is_new = True
        return is_new

    def _make_room(self, content: _Content, owner: PeerId) -> bool:
        """Whether the owner gets the place of one that only others know of."""
        unseen = next((peer for peer in content.at if not self._is_here(peer)), None)
        if unseen is None or not self._is_here(owner):
            return False
        del content.at[unseen]
        return True

    def hit(self, number: int) -> Hit:
        """The hit of that number, with all that is known now."""
        content = self._numbered[number - 1]
        entry = content.best.entry
        holders = [
            Holder(peer, tuple(at.paths), at.online, self._latency(peer)) for peer, at in content.at.items()
        ]
        holders.sort(key=_nearest_first)
        return Hit(
            number=content.number,
            cid=entry.cid,
            name=entry.name,
            size=entry.size,
            kind=entry.kind,
            metadata=entry.metadata,
            holders=tuple(holders),
            score=content.best.score,
        )


def _nearest_first(holder: Holder) -> tuple[bool, float]:
    return (not holder.online, holder.latency_s if holder.latency_s is not None else float("inf"))
