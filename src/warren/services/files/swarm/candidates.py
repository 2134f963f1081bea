"""Who may become a source of a fetch, and when. A pure machine: time in seconds comes in as an argument.

In: peers that are found, what became of those that were taken in. Out: whom to take in next: first who is
preferred, as it is known to have something, then one by lot. Were it who came first, all who fetch the same
would ask the same few, and those whom nobody asks could give to nobody. Who lied never comes back; who was
dropped for another reason may, if it is found again after a while; who had nothing for us, or no place, is
asked again by and by; and those whose content is for fewer than that of others wait until nobody else can
help (`accept`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Entropy

AGAIN_S: Final = 30.0
"""Who was dropped without having lied may be used again when it is found again after so long."""
LATER_S, LATER_MAX_S = 0.5, 32.0
"""Until one that had nothing is asked again; each time twice as long."""
BUSY_S: Final = 4.0
"""Until one that had no place for us is asked again: others are served meanwhile, and leave soon."""
KNOWN_MAX: Final = 256
"""Peers of one fetch, those included that are no use. Attack: fellows without end."""


class Candidates:
    """`waiting`: those who may be taken in now."""

    __slots__ = (
        "_accepted", "_apart", "_entropy", "_first", "_known", "_left_at", "_liars", "_not_yet", "_waits_s",
        "waiting",
    )  # fmt: skip

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self.waiting: list[PeerId] = []
        self._first: dict[PeerId, None] = {}  # of those who wait
        self._known: set[PeerId] = set()
        self._liars: set[PeerId] = set()
        self._left_at: dict[PeerId, float] = {}
        self._apart: list[PeerId] = []
        self._accepted: set[PeerId] = set()
        self._not_yet: dict[PeerId, float] = {}  # when they are asked again
        self._waits_s: dict[PeerId, float] = {}

    def found(self, peer: PeerId, now: float) -> bool:
        """This peer may have it; whether that is news."""
        if peer in self._liars:
            return False
        if peer in self._not_yet:
            self._not_yet[peer] = now
            return True
        if peer in self._known:
            if now < self._left_at.get(peer, float("inf")) + AGAIN_S:
                return False
        elif len(self._known) >= KNOWN_MAX:
            return False
        self._known.add(peer)
        self._left_at.pop(peer, None)
        self.waiting.append(peer)
        return True

    def prefer(self, peer: PeerId) -> None:
        """If it waits, for whatever, it comes before all others: it is known to have what is wanted."""
        if self._not_yet.pop(peer, None) is not None:
            self.waiting.append(peer)
        if peer in self.waiting:
            self._first[peer] = None

    def has_preferred(self) -> bool:
        """Whether the next one is known to have what is wanted."""
        return bool(self._first)

    def take(self) -> PeerId:
        """The next; one must be waiting."""
        if self._first:
            peer = next(iter(self._first))
            del self._first[peer]
            self.waiting.remove(peer)
            return peer
        at = self._entropy.below(len(self.waiting))
        self.waiting[at], self.waiting[-1] = self.waiting[-1], self.waiting[at]
        return self.waiting.pop()

    def on_dropped(self, peer: PeerId, now: float, *, lied: bool) -> None:
        """It was taken in, and is asked no more."""
        self._left_at[peer] = now
        if lied:
            self._liars.add(peer)

    def on_nothing(self, peer: PeerId, now: float) -> None:
        """It was taken in, and has nothing for us now."""
        wait_s = self._waits_s.get(peer, LATER_S)
        self._waits_s[peer] = min(2 * wait_s, LATER_MAX_S)
        self._not_yet[peer] = now + wait_s

    def on_busy(self, peer: PeerId, now: float) -> None:
        """It was dropped because it serves others, as many as it can. From a liar that counts for nothing."""
        if peer not in self._liars:
            self._left_at.pop(peer, None)  # else it would wait twice, and once as a source already
            self._not_yet[peer] = now + BUSY_S

    def look(self, now: float) -> None:
        """Let those wait for their turn whose time has come."""
        for peer in [peer for peer, at in self._not_yet.items() if at <= now]:
            del self._not_yet[peer]
            self.waiting.append(peer)

    def set_apart(self, peer: PeerId) -> None:
        """What it has is for fewer than what others have."""
        self._apart.append(peer)

    def accept(self) -> None:
        """Nobody else can help: those who were set apart will do."""
        self._accepted.update(self._apart)
        self.waiting += self._apart
        self._apart.clear()

    def is_accepted(self, peer: PeerId) -> bool:
        """Whether it is used though its content is for fewer."""
        return peer in self._accepted
