"""Whom super-peers say that votes hold offline, as a weak peer knows it. Pure.

In:  what each super-peer says, the time (monotonic seconds). Out: whether a peer is held offline, and by how
many of how many.

A super-peer may lie, so its word goes only so far: it is good for a while, one other super-peer that knows
better outweighs it, and what follows is only that discovery does not dial the peer by itself. Whoever means
a peer by name reaches it as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from warren.core.peer_id import PeerId
    from warren.services.presence.model import Tally

GOOD_S: Final = 300.0
"""A word is good for so many seconds. Attack: a super-peer says once that somebody is gone, for ever."""
SPEAKERS_MAX: Final = 8
"""Super-peers whose word is kept; the oldest gives way. Attack: super-peers without end."""
HELD_MAX: Final = 256
"""Peers that one super-peer may hold offline in our eyes. Attack: a list of everybody."""


class _Word(NamedTuple):
    at: float
    held: dict[PeerId, Tally]
    online: frozenset[PeerId]


class Hearsay:
    """Of one node."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: dict[PeerId, _Word] = {}

    def heard(
        self, speaker: PeerId, held: Mapping[PeerId, Tally], online: Collection[PeerId], now: float
    ) -> None:
        """A super-peer says whom votes hold offline there, and who of those that it was asked of is online.

        It replaces what that super-peer said before.
        """
        self._words.pop(speaker, None)
        while len(self._words) >= SPEAKERS_MAX:
            del self._words[next(iter(self._words))]
        first = dict(list(held.items())[:HELD_MAX])
        self._words[speaker] = _Word(now, first, frozenset(online))

    def met(self, peer: PeerId) -> None:
        """A connection with the peer stands: whatever they say, it is there."""
        for word in self._words.values():
            word.held.pop(peer, None)

    def tally(self, peer: PeerId, now: float) -> Tally | None:
        """How the votes stood that hold a peer offline; None: it is not held offline."""
        fresh = [word for word in self._words.values() if now < word.at + GOOD_S]
        if any(peer in word.online for word in fresh):
            return None
        return max((word.held[peer] for word in fresh if peer in word.held), default=None)

    def held(self, now: float) -> list[PeerId]:
        """All that are held offline by somebody's word."""
        named = dict.fromkeys(
            peer for word in self._words.values() if now < word.at + GOOD_S for peer in word.held
        )
        return [peer for peer in named if self.tally(peer, now) is not None]
