"""When to ask whom for peers that we do not know.

In:  who is connected, what came of earlier asks, the time (monotonic seconds), chance.
Out: `Ask(peer)` or `Wait(until)`. A decision machine: it does nothing itself.

Every newcomer is asked at once. Whoever had more to tell is asked again soon. Beyond that one neighbour,
drawn by lot, is asked now and then, for what got lost on its way: in a quiet network that is all there is.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId


class Chance(Protocol):
    """Where lots and jitter come from."""

    def uniform(self, low: float, high: float) -> float: ...

    def below(self, n: int) -> int: ...


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """Seconds and counts.

    every_s: between asks of somebody drawn by lot, give or take a half.
    again_s: not before, for a peer that comes back. Attack: a peer that connects without end.
    more_s: between asks of a peer that has more to tell.
    rounds_max: asks in a row of a peer that has more to tell. Attack: one that always has.
    asks_max: asks at once. Fault: a crowd that connects at once answers all at once.
    remembered_max: peers that left, whose ask is remembered. Attack: keys without end.
    """

    every_s: float = 300.0
    again_s: float = 30.0
    more_s: float = 4.0
    rounds_max: int = 16
    asks_max: int = 4
    remembered_max: int = 1024


@dataclass(frozen=True, slots=True)
class AskNow:
    """Ask this peer now, then report `answered` or `failed`."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before `until`; None: not before something happens."""

    until: float | None


class Schedule:
    """Of all neighbours."""

    __slots__ = ("_asked_at", "_asking", "_chance", "_due", "_lot_at", "_policy", "_rounds")

    def __init__(self, policy: SchedulePolicy, chance: Chance, now: float) -> None:
        self._policy = policy
        self._chance = chance
        self._rounds: dict[PeerId, int] = {}
        """Every neighbour, and how often in a row it had more to tell."""
        self._due: dict[PeerId, float] = {}
        self._asking: set[PeerId] = set()
        self._asked_at: OrderedDict[PeerId, float] = OrderedDict()
        self._lot_at = now + self._pause()

    def join(self, peer: PeerId, now: float) -> None:
        """It can be asked from now on; the first ask is due at once, unless it was asked a moment ago."""
        if peer not in self._rounds:
            before = self._asked_at.get(peer)
            self._rounds[peer] = 0
            self._due[peer] = now if before is None else max(now, before + self._policy.again_s)

    def leave(self, peer: PeerId) -> None:
        """It cannot any more."""
        self._rounds.pop(peer, None)
        self._due.pop(peer, None)

    def answered(self, peer: PeerId, now: float, *, more: bool) -> None:
        """An ask came to its end. more: it told us news, and has others that we do not know."""
        self._asking.discard(peer)
        if peer in self._rounds:
            self._rounds[peer] = self._rounds[peer] + 1 if more else 0
            if more and self._rounds[peer] < self._policy.rounds_max:
                self._due[peer] = now + self._policy.more_s

    def failed(self, peer: PeerId) -> None:
        """An ask came to nothing."""
        self._asking.discard(peer)

    def next(self, now: float) -> AskNow | Wait:
        """What to do now. Each `AskNow` must be followed by `answered` or `failed` for its peer."""
        if now >= self._lot_at:
            self._lot_at = now + self._pause()
            self._draw(now)
        if len(self._asking) >= self._policy.asks_max:
            return Wait(None)
        dues = [self._lot_at] if self._rounds else []
        for peer, due in self._due.items():
            if peer in self._asking:
                continue
            if due <= now:
                del self._due[peer]
                self._asking.add(peer)
                self._remember(peer, now)
                return AskNow(peer)
            dues.append(due)
        return Wait(min(dues, default=None))

    def _draw(self, now: float) -> None:
        if self._rounds:
            self._due[list(self._rounds)[self._chance.below(len(self._rounds))]] = now

    def _remember(self, peer: PeerId, now: float) -> None:
        self._asked_at[peer] = now
        self._asked_at.move_to_end(peer)
        if len(self._asked_at) > self._policy.remembered_max:
            self._asked_at.popitem(last=False)

    def _pause(self) -> float:
        return self._chance.uniform(self._policy.every_s / 2, self._policy.every_s * 1.5)
