"""With which super-peers to register.

In:  who is one and how far, who failed, the time, chance. Out: with whom to begin, whom to leave, when to
look again. Pure; times are monotonic seconds.

The nearest are chosen; those that were told to be super-peers come before elected ones. Who is chosen stays
chosen until it is lost, or another one is much nearer. Who failed is left alone for a while, which doubles;
it is drawn from half to one and a half of its length, so that the many whom one super-peer sent away do not
come back as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 300.0
STAY_S: Final = 60.0
"""So long at least one stays with a super-peer that works, and so long after any change of mind."""
NEARER_SHARE: Final = 0.5
"""A round trip of this share of the other is much nearer..."""
NEARER_S: Final = 0.01
"""...if it is so much shorter besides. Fault: moving to and fro over noise."""
CANDIDATES_MAX: Final = 256
"""Attack: super-peers without end."""


class Chance(Protocol):
    """Where the jitter comes from."""

    def uniform(self, low: float, high: float) -> float: ...


class Plan(NamedTuple):
    """begin: register with these now. leave: no longer with those. look_at: when to plan again; None: on
    news. wanting: super-peers that are missing still.
    """

    begin: tuple[PeerId, ...]
    leave: tuple[PeerId, ...]
    look_at: float | None
    wanting: int


@dataclass(slots=True)
class _Candidate:
    is_elected: bool
    rtt_s: float | None
    failures: int = 0
    not_before: float = 0.0
    chosen_at: float | None = None


class Choosing:
    """Of one node. want: with so many super-peers."""

    __slots__ = ("_candidates", "_chance", "_moved_at", "_want")

    def __init__(self, want: int, chance: Chance) -> None:
        self._want = want
        self._chance = chance
        self._candidates: dict[PeerId, _Candidate] = {}
        self._moved_at = float("-inf")

    @property
    def chosen(self) -> list[PeerId]:
        """With whom this node registers now, who was chosen first before the others."""
        held = [(one.chosen_at, peer) for peer, one in self._candidates.items() if one.chosen_at is not None]
        return [peer for _, peer in sorted(held)]

    @property
    def candidates(self) -> list[PeerId]:
        """All who were offered and not withdrawn."""
        return list(self._candidates)

    def offer(self, peer: PeerId, *, is_elected: bool, rtt_s: float | None) -> None:
        """It is a super-peer and in reach."""
        known = self._candidates.get(peer)
        if known is not None:
            known.is_elected, known.rtt_s = is_elected, rtt_s if rtt_s is not None else known.rtt_s
        elif len(self._candidates) < CANDIDATES_MAX:
            self._candidates[peer] = _Candidate(is_elected, rtt_s)

    def withdraw(self, peer: PeerId) -> None:
        """It is out of reach, or no super-peer any more."""
        self._candidates.pop(peer, None)

    def succeeded(self, peer: PeerId) -> None:
        """It has taken a registration."""
        known = self._candidates.get(peer)
        if known is not None:
            known.failures = 0

    def failed(self, peer: PeerId, now: float) -> None:
        """It took none, or was lost while it should have."""
        known = self._candidates.get(peer)
        if known is not None:
            known.chosen_at = None
            wait_s = min(BACKOFF_FIRST_S * 2**known.failures, BACKOFF_MAX_S)
            known.not_before = now + self._chance.uniform(wait_s / 2, wait_s * 1.5)
            known.failures = min(known.failures + 1, 16)

    def plan(self, now: float) -> Plan:
        """What to do now; it counts as done."""
        free = sorted(
            (_key(one, peer), peer)
            for peer, one in self._candidates.items()
            if one.chosen_at is None and one.not_before <= now
        )
        waiting = [peer for _, peer in free]
        begin: list[PeerId] = []
        leave: list[PeerId] = []
        while waiting and len(self.chosen) < self._want:
            begin.append(self._choose(waiting.pop(0), now))
        if waiting and self.chosen and (worse := self._to_leave(waiting[0], now)) is not None:
            self._candidates[worse].chosen_at = None
            self._moved_at = now
            leave.append(worse)
            begin.append(self._choose(waiting[0], now))
        return Plan(tuple(begin), tuple(leave), self._look_at(now), self._want - len(self.chosen))

    def _choose(self, peer: PeerId, now: float) -> PeerId:
        self._candidates[peer].chosen_at = now
        return peer

    def _to_leave(self, other: PeerId, now: float) -> PeerId | None:
        """Whom to leave for the other, if anybody."""
        _, worst = max((_key(self._candidates[peer], peer), peer) for peer in self.chosen)
        held, new = self._candidates[worst], self._candidates[other]
        if held.is_elected != new.is_elected:
            return worst if held.is_elected else None
        since = max(held.chosen_at if held.chosen_at is not None else now, self._moved_at)
        if now < since + STAY_S or new.rtt_s is None:
            return None
        old_s = held.rtt_s if held.rtt_s is not None else float("inf")
        return worst if new.rtt_s < old_s * NEARER_SHARE and new.rtt_s < old_s - NEARER_S else None

    def _look_at(self, now: float) -> float | None:
        """When somebody's back-off ends who would be taken."""
        if len(self.chosen) >= self._want:
            return now + STAY_S if len(self._candidates) > len(self.chosen) else None
        waits = [one.not_before for one in self._candidates.values() if one.chosen_at is None]
        return min(waits, default=None)


def _key(one: _Candidate, peer: PeerId) -> tuple[bool, float, PeerId]:
    return one.is_elected, one.rtt_s if one.rtt_s is not None else float("inf"), peer
