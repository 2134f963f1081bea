"""Peers with names, in places, with leases: what the machines of presence are fed in tests."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from warren.core.fail_vote import FailVote
from warren.core.peer_id import PeerId
from warren.network.places import place_of
from warren.services.directory.leases import Leases
from warren.services.presence.votes import Doubted, VotePolicy, Votes

if TYPE_CHECKING:
    from warren.network.places import Place
    from warren.services.presence.votes import Outcome

HOUR_S = 3600.0
ASKED_S = 3.0
"""So long after it is doubted the question to an accused peer comes to nothing."""


@lru_cache(maxsize=1 << 14)
def peer(number: int) -> PeerId:
    """One of any number: as an Ed25519 key makes it, without making the key."""
    return PeerId(b"\x00\x24\x08\x01\x12\x20" + number.to_bytes(32, "big"))


def apart(number: int) -> Place:
    """A place in a network of its own."""
    return place_of(peer(number), f"20.{number // 250}.{number % 250}.1")


class Town:
    """A super-peer's machines, with the time."""

    def __init__(self, policy: VotePolicy | None = None) -> None:
        self.now = 0.0
        self.leases = Leases(20_000)
        self.votes = Votes(policy or VotePolicy(), self.leases)
        self.seq = 0
        self.asked: list[tuple[float, PeerId]] = []

    def come(self, *numbers: int, place: Place | None = None, valid_s: int = 3600) -> None:
        """They take leases, or renew them."""
        for number in numbers:
            self.seq += 1
            self.leases.take(peer(number), self.seq, valid_s, self.now, place or apart(number))
            self.votes.renewed(peer(number), self.now)

    def go(self, number: int) -> None:
        self.leases.leave(peer(number))
        self.votes.left(peer(number), self.now)

    def accuse(
        self, accused: int, *voters: int, valid_s: int = 900, against: int | None = None
    ) -> list[Outcome]:
        known = self.leases.number_of(peer(accused)) or 0
        outcomes = []
        for voter in voters:
            self.seq += 1
            number = known if against is None else against
            vote = FailVote(peer(voter), self.seq, peer(accused), number, valid_s)
            outcomes.append(self.votes.cast(vote, self.now))
        return outcomes

    def pass_s(self, seconds: float) -> list[object]:
        """Time passes; what is due is done; who is doubted does not answer. The changes of the votes."""
        end = self.now + seconds
        changes: list[object] = self.take_changes()
        while True:
            at = min([*(one for one, _ in self.asked), self.votes.next_look() or end + 1.0])
            if at > end:
                break
            self.now = max(self.now, at)
            for _, peer in [one for one in self.asked if one[0] <= self.now]:
                self.votes.unanswered(peer, self.now)
            self.asked = [one for one in self.asked if one[0] > self.now]
            self.votes.look(self.now)
            changes += self.take_changes()
        self.now = end
        return changes

    def take_changes(self) -> list[object]:
        changes = self.votes.take_changes()
        self.asked += [(self.now + ASKED_S, one.peer) for one in changes if isinstance(one, Doubted)]
        return list(changes)

    def is_held(self, number: int) -> bool:
        return self.votes.is_held_offline(peer(number))
