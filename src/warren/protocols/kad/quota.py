"""What each peer may cost: a bucket of tokens that fills with time. Pure.

In:  a peer, what its request costs, the time. Out: whether it may. Memory: the peers that asked last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

PEERS_MAX: Final = 4096
"""Peers whose spending is remembered: bounded memory. Stops nobody who makes up ids, who is stopped where he
connects."""


class Quota:
    """Tokens of every peer."""

    __slots__ = ("_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left: dict[PeerId, tuple[float, float]] = {}
        """By peer: how much, and when that was reckoned; who asked last stands last."""

    def spend(self, peer: PeerId, cost: float, now: float) -> bool:
        """Take `cost` tokens from `peer`; False, and nothing is taken, when it has too few."""
        left, at = self._left.pop(peer, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        allowed = left >= cost
        self._left[peer] = (left - cost if allowed else left, now)
        if len(self._left) > PEERS_MAX:
            del self._left[next(iter(self._left))]
        return allowed
