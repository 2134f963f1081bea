"""Who is the super-peer of a local network where nobody was told to be one.

In:  how fit the willing peers of the network say they are, who of them is a super-peer already, the time.
Out: whether this node is to be it. Pure; times are monotonic seconds.

All decide for themselves by the same rule, so no votes travel: the fittest does, who reaches the others
fastest, then who reaches the most, then by peer id. Who is it stays it, however fit those are who come; of
two that are, the fitter stays. It yields to a super-peer that was told to be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.messages import Standing

SETTLE_S: Final = 1.0
"""After the last who came or went: round trips are measured, and standings told, in that time."""
PATIENCE_S: Final = 3.0
"""After which the lowest peer id alone decides. Fault: what was told is older than what is, and each takes
another one for the fittest."""
OTHERS_MIN: Final = 2
"""Others in the network from which on a super-peer is of use: with one other, asking it is the same."""
PEERS_MAX: Final = 1024
"""Peers whose standing is remembered. Attack: keys without end."""
_FAST_US: Final = 1000
"""Round trips below are all the same: what differs is noise."""


class Verdict(NamedTuple):
    """elected: whether this node is to be the super-peer. look_at: when to decide again; None: on news."""

    elected: bool
    look_at: float | None = None


class Election:
    """Of one node."""

    __slots__ = ("_changed_at", "_elected", "_me", "_standings")

    def __init__(self, me: PeerId, now: float) -> None:
        self._me = me
        self._standings: dict[PeerId, Standing] = {}
        self._changed_at = now
        self._elected = False

    @property
    def elected(self) -> bool:
        """What was decided last."""
        return self._elected

    def heard(self, peer: PeerId, standing: Standing, now: float) -> None:
        """What a peer of the local network says of itself."""
        if not standing.willing:
            self.left(peer, now)
            return
        if peer not in self._standings:
            if len(self._standings) >= PEERS_MAX:
                return
            self._changed_at = now
        self._standings[peer] = standing

    def left(self, peer: PeerId, now: float) -> None:
        """It is not connected any more, or not willing."""
        if self._standings.pop(peer, None) is not None:
            self._changed_at = now

    def decide(self, own: Standing, now: float, *, elected: frozenset[PeerId], appointed: bool) -> Verdict:
        """own: how fit this node is. elected: who of the others is it already. appointed: a super-peer that
        was told to be one is in reach.
        """
        verdict = self._decide(own, now, elected, appointed=appointed)
        self._elected = verdict.elected
        return verdict

    def _decide(self, own: Standing, now: float, elected: frozenset[PeerId], *, appointed: bool) -> Verdict:
        if appointed or not own.willing:
            return Verdict(elected=False)
        mine = _key(own, self._me)
        if self._elected:
            rivals = [peer for peer in elected if peer in self._standings]
            better = any(_key(self._standings[peer], peer) < mine for peer in rivals)
            return Verdict(elected=not better and bool(self._standings))
        if elected or len(self._standings) < OTHERS_MIN:
            return Verdict(elected=False)
        settled_at = self._changed_at + SETTLE_S
        if now < settled_at:
            return Verdict(elected=False, look_at=settled_at)
        if all(mine < _key(one, peer) for peer, one in self._standings.items()):
            return Verdict(elected=True)
        patient_until = self._changed_at + PATIENCE_S
        if now < patient_until:
            return Verdict(elected=False, look_at=patient_until)
        return Verdict(elected=self._me < min(self._standings))


def rank(standing: Standing) -> tuple[int, int]:
    """The lower, the fitter. Round trips count by their order of magnitude."""
    return (max(standing.rtt_us, _FAST_US) // _FAST_US).bit_length(), -standing.reach


def _key(standing: Standing, peer: PeerId) -> tuple[tuple[int, int], PeerId]:
    return rank(standing), peer
