"""Whom this node looks into because it may be gone, and what it takes back. Pure.

In:  signs that a peer may be gone, what became of looking into them, who was met, the time (monotonic
seconds). Out: `LookInto`, `Withdraw` or `Wait`.

A sign is a dial that failed, a question without an answer, a connection that fell silent, or a super-peer
that asks. It proves nothing: the peer is looked into at once, which ends in an accusation or in nothing. Who
is accused is looked into again before the vote ends, as long as that ends in the same; once it is met the
vote is withdrawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from warren.network.allowance import Allowance, Rate, Seldom

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

ACCUSED_MAX: Final = 64
"""Peers that this node suspects at once, as many as a super-peer takes of one voter. Fault: who cannot reach
more had better look at its own network."""
LOOKS_MAX: Final = 8
"""Peers that are looked into at once. Fault: a node that is cut off tries everybody."""
LOOKS: Final = Rate(32, 1.0)
"""Peers that are looked into. Attack: a super-peer that asks without end, to have somebody dialled by all."""
AGAIN_S: Final = 15.0
"""From one look into a peer that ended in nothing to the next. Fault: a peer that this node alone cannot
reach, and tries to all the time."""
SEEN_MAX: Final = 1024
"""Peers for which that is remembered. Attack: peers that do not exist, named without end."""
ROUNDS_MAX: Final = 4
"""Looks, `AGAIN_S` apart, that tell nothing because this node doubts its own network."""

FIRST_S: Final = 30.0
"""From an accusation to the next look, doubling up to half the time that a vote counts."""
VOTES_MAX: Final = 12
"""Votes in a row against one peer: three quarters of an hour. Fault: peers that are gone for good, and are
tried by all who knew them."""

Outcome: TypeAlias = Literal["accused", "reached", "absent", "refuted", "unsure"]
"""accused: a super-peer took the vote. reached: it is there. absent: no super-peer knows it as online.
refuted: it renewed its lease meanwhile. unsure: this node's own network may be the trouble.
"""


class LookInto(NamedTuple):
    """Find out now whether this peer is there. is_own: the sign is this node's own; no super-peer asked."""

    peer: PeerId
    is_own: bool


class Withdraw(NamedTuple):
    """Take back what was said of this peer."""

    peer: PeerId


class Wait(NamedTuple):
    """Nothing is due for so many seconds; None: not before something happens."""

    seconds: float | None


class _Suspect:
    __slots__ = ("due", "is_own", "looking", "rounds", "votes")

    def __init__(self, due: float, *, is_own: bool) -> None:
        self.due = due
        self.is_own = is_own
        self.looking = False
        self.rounds = 0
        self.votes = 0


class Accusing:
    """Of one node. Each `LookInto` must be followed by `looked` for its peer."""

    __slots__ = ("_looking", "_looks", "_seen", "_suspects", "_vote_s", "_withdraw")

    def __init__(self, vote_s: float, now: float) -> None:
        """vote_s: for how long a vote counts."""
        self._vote_s = vote_s
        self._suspects: dict[PeerId, _Suspect] = {}
        self._withdraw: dict[PeerId, None] = {}
        self._looks = Allowance(LOOKS, now)
        self._seen: Seldom[PeerId] = Seldom(AGAIN_S, SEEN_MAX)
        self._looking = 0

    def suspect(self, peer: PeerId, now: float, *, is_own: bool = True) -> bool:
        """There is a sign that a peer may be gone; whether it is looked into. is_own: see `LookInto`."""
        suspect = self._suspects.get(peer)
        if suspect is not None and (suspect.looking or suspect.due <= now):
            return False
        if suspect is None and len(self._suspects) >= ACCUSED_MAX:
            return False
        if not self._seen.is_due(peer, now):
            return False
        if suspect is None:
            self._withdraw.pop(peer, None)
            self._suspects[peer] = _Suspect(now, is_own=is_own)
        else:
            # It was there meanwhile, maybe, and this node has not met it.
            suspect.due, suspect.is_own = now, is_own
        return True

    def accuses(self, peer: PeerId) -> bool:
        """Whether this node tried to reach a peer in vain, and a super-peer took its vote."""
        suspect = self._suspects.get(peer)
        return suspect is not None and suspect.votes > 0

    def met(self, peer: PeerId) -> bool:
        """A connection with a peer stands, or it was reached; whether that changes anything."""
        suspect = self._suspects.pop(peer, None)
        if suspect is None or not suspect.votes:
            return False
        self._withdraw[peer] = None
        return True

    def looked(self, peer: PeerId, outcome: Outcome, now: float) -> None:
        """What became of looking into a peer."""
        self._looking -= 1
        suspect = self._suspects.get(peer)
        if suspect is None:
            if outcome == "accused":
                self._withdraw[peer] = None  # it was met while the vote was on its way
            return
        suspect.looking = False
        match outcome:
            case "accused" if suspect.votes + 1 < VOTES_MAX:
                suspect.due = now + min(FIRST_S * 2.0**suspect.votes, self._vote_s / 2)
                suspect.votes, suspect.rounds = suspect.votes + 1, 0
            case "unsure" if suspect.rounds + 1 < ROUNDS_MAX:
                suspect.due, suspect.rounds = now + AGAIN_S, suspect.rounds + 1
            case "reached":
                self.met(peer)
            case _:
                del self._suspects[peer]

    def next(self, now: float) -> LookInto | Withdraw | Wait:
        """What to do now."""
        if self._withdraw:
            peer = next(iter(self._withdraw))
            del self._withdraw[peer]
            return Withdraw(peer)
        waiting = [(one.due, peer) for peer, one in self._suspects.items() if not one.looking]
        if not waiting or self._looking >= LOOKS_MAX:
            return Wait(None)
        due, peer = min(waiting)
        if due > now:
            return Wait(due - now)
        if not self._looks.take(now):
            return Wait(self._looks.wait_s())
        suspect = self._suspects[peer]
        suspect.looking = True
        self._looking += 1
        return LookInto(peer, suspect.is_own)
