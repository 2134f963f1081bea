"""Which super-peers are neighbours. Pure: times in monotonic seconds and chance are arguments.

In:  who is configured, which peers are connected and speak the overlay, who wants to join, who misbehaved.
Out: whom to join next, whether one may join.

Neighbours are spread over groups of addresses: an attacker has identities for nothing, and addresses in many
networks not so. Nobody of a group may take more than a share of the places that are not configured. Whoever
misbehaved is left alone for a while.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from warren.core.peer_id import PeerId

GROUP_SHARE: Final = 2
"""One group has a place in so many. Attack: all neighbours belong to one liar (eclipse)."""
BAN_S: Final = 600.0
"""Who misbehaved is no neighbour for so long. Attack: it comes again at once."""
RETRY_S: Final = 30.0
"""Between attempts to join one who did not want, or could not be reached."""
REMEMBERED_MAX: Final = 1024
"""Of those who are left alone. Attack: identities without end."""


class Chance(Protocol):
    """Where the draw comes from."""

    def below(self, n: int) -> int: ...


class Neighbourhood:
    """See the module. group: "" is one that is not counted (this machine)."""

    def __init__(self, configured: Collection[PeerId], degree: int, chance: Chance) -> None:
        self._configured = dict.fromkeys(configured)
        self._degree = degree
        self._chance = chance
        self._groups: dict[PeerId, str] = {}
        self._alone_until: OrderedDict[PeerId, float] = OrderedDict()
        self._banned_until: OrderedDict[PeerId, float] = OrderedDict()

    @property
    def peers(self) -> tuple[PeerId, ...]:
        """Who is a neighbour."""
        return tuple(self._groups)

    def group(self, peer: PeerId) -> str:
        """That of a neighbour."""
        return self._groups.get(peer, "")

    def may_join(self, peer: PeerId, group: str, now: float) -> bool:
        """Whether one who asks for it may be a neighbour."""
        if peer in self._configured or peer in self._groups:
            return True
        if self.is_banned(peer, now):
            return False
        return self._others() < max(2 * self._degree, 2) and self._group_has_room(group, 2 * self._degree)

    def joined(self, peer: PeerId, group: str) -> None:
        """It is one now."""
        self._groups[peer] = group
        self._alone_until.pop(peer, None)

    def left(self, peer: PeerId) -> None:
        """It is none any more."""
        self._groups.pop(peer, None)

    def ban(self, peer: PeerId, now: float) -> None:
        """It misbehaved."""
        _keep(self._banned_until, peer, now + BAN_S)

    def tried(self, peer: PeerId, now: float) -> None:
        """We ask it to join; should it not, it is asked again later."""
        _keep(self._alone_until, peer, now + RETRY_S)

    def is_banned(self, peer: PeerId, now: float) -> bool:
        """Whether it misbehaved a while ago."""
        return self._banned_until.get(peer, now) > now

    def next(self, candidates: Mapping[PeerId, str], now: float) -> list[PeerId]:
        """Whom to join. candidates: connected super-peers -> their groups."""
        chosen = [
            peer
            for peer in self._configured
            if peer in candidates and peer not in self._groups and not self._is_alone(peer, now)
        ]
        taken = Counter(self._groups.values())
        free = [
            peer
            for peer in candidates
            if peer not in self._groups and peer not in self._configured and not self._is_alone(peer, now)
        ]
        while free and self._others() + len(chosen) < self._degree:
            least = min(taken[candidates[peer]] for peer in free)
            best = sorted(peer for peer in free if taken[candidates[peer]] == least)
            peer = best[self._chance.below(len(best))]
            free.remove(peer)
            if candidates[peer] and taken[candidates[peer]] >= max(self._degree // GROUP_SHARE, 1):
                continue
            taken[candidates[peer]] += 1
            chosen.append(peer)
        return chosen

    @property
    def wants_more(self) -> bool:
        """Whether there are too few neighbours."""
        return self._others() < self._degree

    def _others(self) -> int:
        return sum(peer not in self._configured for peer in self._groups)

    def _group_has_room(self, group: str, places: int) -> bool:
        count = sum(other == group for other in self._groups.values())
        return not group or count < max(places // GROUP_SHARE, 1)

    def _is_alone(self, peer: PeerId, now: float) -> bool:
        return self.is_banned(peer, now) or self._alone_until.get(peer, now) > now


def _keep(times: OrderedDict[PeerId, float], peer: PeerId, until: float) -> None:
    times[peer] = until
    times.move_to_end(peer)
    if len(times) > REMEMBERED_MAX:
        times.popitem(last=False)
