"""How far a search asks, and when it stops. Pure.

In:  what each round brought. Out: the next step: a wider round, a look into the DHT, or the end.

At first only neighbours are asked that say they have it, then those who say that they have it behind them;
then everybody within one hop, two, ... hops, each of whom asks further where it knows of something. As a
super-peer knows what lies two hops away, everybody within `ttl` hops is covered once all within `ttl - 2`
were asked. B. Yang, H. Garcia-Molina, Improving search in peer-to-peer networks, 2002 (iterative deepening).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

KNOWN_HOPS: Final = 2
"""So far summaries tell what is where."""


@dataclass(frozen=True, slots=True)
class DeepeningPolicy:
    """When a round is not worth its messages.

    widen_max: super-peers that a round asks although nobody says that they have it; a round that would ask
    more is not begun: the rest of a large network is for the DHT. blind_max: the same for rounds that, where
    nothing was found, ask also those whose summaries deny it: they are some seconds behind. rare_hits: with
    so many hits the DHT is not asked.
    """

    widen_max: int = 200
    blind_max: int = 32
    rare_hits: int = 10


class Round(NamedTuple):
    """Ask `ttl` hops far; everybody on the first `breadth` of them."""

    number: int
    ttl: int
    breadth: int


@dataclass(frozen=True, slots=True)
class AskRare:
    """Look in the DHT for who says to have the rarest of the words."""


@dataclass(frozen=True, slots=True)
class End:
    """It is enough, or there is nobody left to ask."""


Step: TypeAlias = Round | AskRare | End


class Deepening:
    """One search. Call `next` after each step has ended."""

    def __init__(self, ttl: int, policy: DeepeningPolicy, *, rare: bool) -> None:
        """rare: there is a word that may be found in the DHT."""
        self._ttl = ttl
        self._policy = policy
        self._rare = rare
        self._number = 0
        self._scopes = _scopes(ttl)

    def next(self, hits: int, ring: int, *, enough: bool = False) -> Step:
        """hits: so far, which may be `enough`. ring: see `Done`, of the last round."""
        if enough:
            return End()
        while self._scopes:
            ttl, breadth = self._scopes.pop(0)
            if breadth and not 0 < ring <= self._ring_max(breadth, hits):
                break
            self._number += 1
            return Round(self._number, ttl, breadth)
        self._scopes = []
        if self._rare and hits < self._policy.rare_hits:
            self._rare = False
            return AskRare()
        return End()

    def _ring_max(self, breadth: int, hits: int) -> int:
        if breadth + KNOWN_HOPS <= self._ttl:
            return self._policy.widen_max
        return 0 if hits else self._policy.blind_max


def _scopes(ttl: int) -> list[tuple[int, int]]:
    """(ttl, breadth) of the rounds, narrow ones first."""
    guided = [(hops, 0) for hops in range(1, min(ttl, KNOWN_HOPS) + 1)]
    return guided + [(min(ttl, breadth + KNOWN_HOPS), breadth) for breadth in range(1, ttl + 1)]
