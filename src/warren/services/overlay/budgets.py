"""What a neighbour or guest may cost, and whom to name in the log. Pure; times are monotonic seconds.

In:  who does what, from which group of addresses. Out: whether it may; whether to write it down, and whether
it was too much. Identities are for nothing, so those of one group of addresses share what the group may.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.network.allowance import Each, Rate, Seldom

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

REMEMBERED_MAX: Final = 4096
"""Peers and groups whose spending is remembered. Attack: identities without end."""
NAMED_EVERY_S: Final = 60.0
"""Between two lines in the log on the same peer. Attack: a log that fills the disk."""
BLAMES_MAX: Final = 8
"""With more within `BLAME_S` seconds a neighbour is one no more. Attack: poisoned hits, floods, without
end."""
BLAME_S: Final = 60.0


class Rates(NamedTuple):
    """For one peer, and for all of one group of addresses."""

    peer: Rate
    group: Rate


ASKS: Final = Rates(Rate(400, 100), Rate(1600, 400))
"""Queries of neighbours. Attack: queries without end, each of which goes on to others."""
OWN_ASKS: Final = Rate(300, 75)
"""Queries that go to one neighbour from here: fewer than it takes. Fault: a node whose users ask without a
pause passes for a flood."""
GUESTS: Final = Rates(Rate(40, 4), Rate(80, 8))
"""Questions of those who are no neighbours. Attack: the same, each answered from the index."""
SUMMARIES: Final = Rates(Rate(32, 2), Rate(128, 8))
"""Summaries, and wishes to have them again: some milliseconds each. Attack: filters that flicker."""
MESSAGES: Final = Rates(Rate(20_000, 4000), Rate(80_000, 16_000))
"""Messages of all kinds. Attack: answers to nothing, without end."""


class Budget:
    """Of one kind of cost."""

    def __init__(self, rates: Rates) -> None:
        self._peers: Each[PeerId] = Each(rates.peer, REMEMBERED_MAX)
        self._groups: Each[str] = Each(rates.group, REMEMBERED_MAX)

    def take(self, peer: PeerId, group: str, now: float) -> bool:
        """Whether it may once more. group: "" is not counted (this machine)."""
        own = self._peers.of(peer, now)
        if not group:
            return own.take(now)
        shared = self._groups.of(group, now)
        return own.has(now) and shared.take(now) and own.take(now)

    def has(self, peer: PeerId, now: float) -> bool:
        """Whether the peer itself may once more, whatever its network spent."""
        return self._peers.of(peer, now).has(now)


class Blames:
    """Who did what no honest peer does."""

    def __init__(self) -> None:
        self._blames: OrderedDict[PeerId, tuple[float, int]] = OrderedDict()
        self._named: Seldom[PeerId] = Seldom(NAMED_EVERY_S, REMEMBERED_MAX)

    def add(self, peer: PeerId, now: float) -> bool:
        """Once more; True: it was once too often."""
        since, count = self._blames.pop(peer, (now, 0))
        if now > since + BLAME_S:
            since, count = now, 0
        self._blames[peer] = since, count + 1
        if len(self._blames) > REMEMBERED_MAX:
            self._blames.popitem(last=False)
        return count + 1 > BLAMES_MAX

    def should_name(self, peer: PeerId, now: float) -> bool:
        """Whether a line in the log is due."""
        return self._named.is_due(peer, now)


class Places:
    """For what is under way at once. Nobody may have more of them than are free then, neither a peer nor all
    of a group of addresses: whoever is greedy gets half, and leaves room for the next one.

    A. Choudhury and E. Hahne, Dynamic queue length thresholds for shared-memory packet switches, 1998.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._peers: Counter[PeerId] = Counter()
        self._groups: Counter[str] = Counter()

    def enter(self, peer: PeerId, group: str) -> bool:
        """Take a place, if the peer may have one more. group: "" is not counted (this machine)."""
        if max(self._peers[peer], self._groups[group] if group else 0) >= self._free:
            return False
        self._free -= 1
        self._peers[peer] += 1
        self._groups[group] += 1
        return True

    def leave(self, peer: PeerId, group: str) -> None:
        """Give it back."""
        self._free += 1
        self._peers[peer] -= 1
        self._groups[group] -= 1
        # What is nought takes memory all the same.
        self._peers += Counter()
        self._groups += Counter()
