"""What peers may cost: so much each, so much from one network, so much in all.

In:  who wants something, from which network, what it costs, the time. Out: whether it may; and whom to name
in the log, seldom. Pure; times are monotonic seconds.

A flood costs who sends it: others keep what is theirs. Many identities behind one address share what that
address may.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from warren.core.peer_id import PeerId

REMEMBERED_MAX: Final = 20_000
"""Peers and networks whose spending is remembered. Attack: keys without end."""
NAMED_MAX: Final = 1024
NAMED_EVERY_S: Final = 60.0
"""Between two lines in the log on the same peer. Attack: a log that fills the disk."""


class Rate(NamedTuple):
    """`burst` at once, then `per_s` each second."""

    burst: float
    per_s: float


class Rates(NamedTuple):
    """Of one kind of cost."""

    peer: Rate
    group: Rate
    all: Rate


QUERIES: Final = Rates(Rate(200, 50), Rate(1000, 250), Rate(4000, 1000))
"""Queries answered. Attack: queries without end; each costs a millisecond or so."""
CHANGES: Final = Rates(Rate(300_000, 2000), Rate(3_000_000, 20_000), Rate(6_000_000, 100_000))
"""Entries and paths taken from registrations, and 200 for each message. Attack: registrations without end."""
LEASES: Final = Rates(Rate(10, 1), Rate(40_000, 2000), Rate(40_000, 4000))
"""Leases whose signature is checked, 0.1 ms each. Attack: leases without end."""
QUESTIONS: Final = Rates(Rate(50, 5), Rate(1000, 100), Rate(4000, 1000))
"""Questions for who is there, and how fit this node is. Attack: the same without end."""


class _Purse:
    __slots__ = ("at", "left")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at

    def refill(self, rate: Rate, now: float) -> float:
        self.left = min(rate.burst, self.left + (now - self.at) * rate.per_s)
        self.at = now
        return self.left


class Budget:
    """One kind of cost, of all peers."""

    __slots__ = ("_all", "_groups", "_named", "_peers", "_rates")

    def __init__(self, rates: Rates, now: float) -> None:
        self._rates = rates
        self._all = _Purse(rates.all.burst, now)
        self._peers: OrderedDict[Hashable, _Purse] = OrderedDict()
        self._groups: OrderedDict[Hashable, _Purse] = OrderedDict()
        self._named: OrderedDict[PeerId, float] = OrderedDict()

    def take(self, peer: PeerId, group: Hashable | None, now: float, cost: float = 1) -> bool:
        """Spend it, if the peer, its network and all together can. group None: it is of none."""
        rates = self._rates
        purses = [(_purse(self._peers, peer, rates.peer, now), rates.peer), (self._all, rates.all)]
        if group is not None:
            purses.append((_purse(self._groups, group, rates.group, now), rates.group))
        if any(purse.refill(rate, now) < cost for purse, rate in purses):
            return False
        for purse, _ in purses:
            purse.left -= cost
        return True

    def is_to_be_named(self, peer: PeerId, now: float) -> bool:
        """Whether it is time for a line in the log on this peer."""
        at = self._named.get(peer)
        if at is not None and now < at + NAMED_EVERY_S:
            return False
        self._named[peer] = now
        self._named.move_to_end(peer)
        if len(self._named) > NAMED_MAX:
            self._named.popitem(last=False)
        return True


def _purse(purses: OrderedDict[Hashable, _Purse], key: Hashable, rate: Rate, now: float) -> _Purse:
    purse = purses.get(key)
    if purse is None:
        purse = purses[key] = _Purse(rate.burst, now)
        if len(purses) > REMEMBERED_MAX:
            purses.popitem(last=False)
    purses.move_to_end(key)
    return purse
