"""Whom this node accuses of being offline, and when it says so. Pure.

In:  what the prober finds, the evidence, the time (monotonic seconds). Out: `Cast`, `Withdraw` or `Wait`.

A peer that became unreachable is accused as soon as the self-check allows it, and again before the vote
ends, as long as the evidence lasts. Once it is reached the vote is withdrawn.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.services.presence.self_check import why_not

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.services.presence.self_check import Evidence

ACCUSED_MAX: Final = 64
"""Peers that this node accuses at once, as many as a super-peer takes of one voter. Who cannot reach more had
better look at its own network."""
RECHECK_S: Final = 15.0
"""Until the evidence is looked at again where it did not suffice."""
_log = logging.getLogger(__name__)


class Cast(NamedTuple):
    """Vote against this peer now."""

    peer: PeerId


class Withdraw(NamedTuple):
    """Take back what was said of this peer."""

    peer: PeerId


class Wait(NamedTuple):
    """Nothing is due for so many seconds; None: not before something happens."""

    seconds: float | None


class _Suspect:
    __slots__ = ("accused", "due")

    def __init__(self, due: float) -> None:
        self.due = due
        self.accused = False


class Accusing:
    """Of one node."""

    __slots__ = ("_evidence", "_found", "_suspects", "_vote_s")

    def __init__(self, evidence: Callable[[PeerId], Evidence | None], vote_s: float) -> None:
        """vote_s: for how long a vote counts."""
        self._evidence = evidence
        self._vote_s = vote_s
        self._suspects: dict[PeerId, _Suspect] = {}
        self._found: dict[PeerId, None] = {}

    def lost(self, peer: PeerId, now: float) -> None:
        """A peer became unreachable."""
        self._found.pop(peer, None)
        if peer not in self._suspects and len(self._suspects) < ACCUSED_MAX:
            self._suspects[peer] = _Suspect(now)

    def found(self, peer: PeerId) -> None:
        """A peer was reached."""
        suspect = self._suspects.pop(peer, None)
        if suspect is not None and suspect.accused:
            self._found[peer] = None

    def next(self, now: float) -> Cast | Withdraw | Wait:
        """What to do now."""
        if self._found:
            peer = next(iter(self._found))
            del self._found[peer]
            return Withdraw(peer)
        for peer, suspect in list(self._suspects.items()):
            if suspect.due <= now and self._may_accuse(peer, suspect, now):
                suspect.due, suspect.accused = now + self._vote_s / 2, True
                return Cast(peer)
        dues = [suspect.due for suspect in self._suspects.values()]
        return Wait(max(min(dues) - now, 0.0) if dues else None)

    def _may_accuse(self, peer: PeerId, suspect: _Suspect, now: float) -> bool:
        evidence = self._evidence(peer)
        if evidence is None:
            del self._suspects[peer]  # the prober gave it up: nothing more will be known
            return False
        reason = why_not(evidence, now)
        if reason:
            _log.debug("no vote against %s: %s", peer, reason)
            suspect.due = now + RECHECK_S
        return not reason
