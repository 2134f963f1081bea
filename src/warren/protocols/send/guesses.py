"""How often the code of one send may be tried, and when it is withdrawn.

In:  the time and the peer of each attempt. Out: whether to begin it, and what a wrong one comes to.
Decides only; the clock and the connection are the caller's.

Each attempt is one guess of 22 bits. What these limits bound:
- wrong guesses in all, for as long as the code is good: whoever guesses has no more than these, under however
  many identities. They are never given back. An attempt that was not brought to its end is none: who breaks
  off before its own confirmation has learned nothing.
- of one peer: who mistypes may try again, and does not use up what all have.
- attempts that are begun, which cost 10 ms each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.network.allowance import Allowance, Each, Rate

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

PEER: Final = Rate(5, 1 / 30)
ALL: Final = Rate(30, 3)


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """wrong_max: wrong guesses after which the code is withdrawn. Attack: guessing under ever new identities;
        20 are right by chance in one of 209,715 sends.
    peer: attempts of one peer. Attack: one identity uses up the guesses of all.
    all: attempts of all together. Attack: runs that are begun and left, each of which costs 10 ms.
    peers_max: peers whose attempts are remembered. Attack: identities without end fill the memory.
    """

    wrong_max: int = 20
    peer: Rate = PEER
    all: Rate = ALL
    peers_max: int = 1024


class Guesses:
    """The attempts at one code. Times are monotonic seconds."""

    __slots__ = ("_all", "_limits", "_peers", "wrong")

    def __init__(self, limits: GuessLimits, now: float) -> None:
        self._limits = limits
        self._all = Allowance(limits.all, now)
        self._peers: Each[PeerId] = Each(limits.peer, limits.peers_max)
        self.wrong = 0
        """How many there were."""

    @property
    def wrong_max(self) -> int:
        """How many there may be."""
        return self._limits.wrong_max

    @property
    def withdrawn(self) -> bool:
        """Whether the code is good for nobody any more."""
        return self.wrong >= self._limits.wrong_max

    def begin(self, peer: PeerId, now: float) -> bool:
        """Whether an attempt of `peer` may begin; then it counts as begun."""
        own = self._peers.of(peer, now)
        return own.has(now) and self._all.take(now) and own.take(now)

    def failed(self) -> None:
        """An attempt was wrong."""
        self.wrong += 1
