"""What peers may cost: so much each, so much from one network, so much in all.

In:  who wants something, from which network, what it costs, the time. Out: whether it may; and whom to name
in the log, seldom. Pure; times are monotonic seconds.

A flood costs who sends it: others keep what is theirs. Many identities behind one address share what that
address may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from warren.network.allowance import Allowance, Each, Rate, Seldom

if TYPE_CHECKING:
    from collections.abc import Hashable

    from warren.core.peer_id import PeerId

REMEMBERED_MAX: Final = 20_000
"""Peers and networks whose spending is remembered. Attack: keys without end."""
NAMED_MAX: Final = 1024
NAMED_EVERY_S: Final = 60.0
"""Between two lines in the log on the same peer. Attack: a log that fills the disk."""


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


class Budget:
    """One kind of cost, of all peers."""

    __slots__ = ("_all", "_groups", "_named", "_peers")

    def __init__(self, rates: Rates, now: float) -> None:
        self._all = Allowance(rates.all, now)
        self._peers: Each[PeerId] = Each(rates.peer, REMEMBERED_MAX)
        self._groups: Each[Hashable] = Each(rates.group, REMEMBERED_MAX)
        self._named: Seldom[PeerId] = Seldom(NAMED_EVERY_S, NAMED_MAX)

    def take(self, peer: PeerId, group: Hashable | None, now: float, cost: float = 1) -> bool:
        """Spend it, if the peer, its network and all together can. group None: it is of none."""
        payers = [self._peers.of(peer, now), self._all]
        if group is not None:
            payers.append(self._groups.of(group, now))
        if not all(one.has(now, cost) for one in payers):
            return False
        for one in payers:
            one.take(now, cost)
        return True

    def is_to_be_named(self, peer: PeerId, now: float) -> bool:
        """Whether it is time for a line in the log on this peer."""
        return self._named.is_due(peer, now)
