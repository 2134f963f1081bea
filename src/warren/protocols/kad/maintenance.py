"""What keeps the routing table good while nobody looks anything up, one step at a time. Pure.

In:  the table, chance, the time. Out: `LookUpSelf`, `Refresh`, `Check` or `Wait`.

A node that meets its first peer looks itself up at once: so it gets to know its neighbours, and they it. Then
buckets of which little was heard are refreshed, one after the other. Waits are drawn from half to one and a
half of their length, so that nodes that started together do not stay in step.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#bootstrap-process
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.kad.config import KadConfig
    from warren.protocols.kad.messages import PeerInfo
    from warren.protocols.kad.routing_table import RoutingTable

LOOK_EVERY_S: Final = 30.0
"""Nothing is due: look again after so long."""
FIRST_WAIT_S: Final = 1.0
"""From the first peer to the first look-up of ourselves, so that who comes at the same time is known, too."""
BETWEEN_REFRESHES_S: Final = 10.0
JOIN_WAIT_S: Final = 8.0
"""Between the look-ups of who joins: the connections of the last one are still open."""
MEET_EVERY_S: Final = 1.0
"""Between meetings with peers whom others named, one at a time. Attack: who names many makes us a scanner."""


class Chance(Protocol):
    """Where the jitter comes from."""

    def uniform(self, low: float, high: float) -> float: ...


class LookUpSelf(NamedTuple):
    """Look our own id up, and say by `found_self` what came of it.

    again: look only whether the nearest know of others since the last time.
    """

    again: bool


class Refresh(NamedTuple):
    """Look a random key of this bucket up."""

    bucket: int


class Check(NamedTuple):
    """Ask this peer for a sign of life."""

    peer: PeerInfo


class Wait(NamedTuple):
    """Nothing is due before `until`; a newcomer in an empty table is a reason to ask again."""

    until: float


Step: TypeAlias = LookUpSelf | Refresh | Check | Wait


class Maintenance:
    """Keeps the schedule."""

    __slots__ = (
        "_chance",
        "_config",
        "_joining",
        "_known",
        "_meet_at",
        "_refresh_at",
        "_self_at",
        "_table",
        "_test_at",
    )

    def __init__(self, table: RoutingTable, config: KadConfig, chance: Chance, now: float) -> None:
        self._table = table
        self._config = config
        self._chance = chance
        self._self_at: float | None = None
        """None: nobody is known yet."""
        self._joining = config.join_lookups_max
        """So often at most we look ourselves up soon again."""
        self._known: frozenset[PeerId] = frozenset()
        """Who was known when we looked ourselves up last, and whom that found."""
        self._refresh_at = self._meet_at = now
        self._test_at = self._after(now, config.test_every_s)

    def next(self, now: float) -> Step:
        """The next step; take it, then ask again."""
        if not len(self._table):
            self._self_at, self._joining = None, self._config.join_lookups_max
            return Wait(now + LOOK_EVERY_S)
        if self._self_at is None:
            self._self_at = self._after(now, FIRST_WAIT_S)
            self._refresh_at = self._after(self._self_at, BETWEEN_REFRESHES_S)
            self._meet_at = self._after(self._self_at, MEET_EVERY_S)
        if now >= self._self_at:
            self._self_at = self._after(now, self._config.self_every_s)
            self._known |= {entry.peer for entry in self._table.entries()}
            again = 0 < self._joining < self._config.join_lookups_max
            return LookUpSelf(again)
        return self._meet(now) or self._refresh(now) or self._test(now) or self._wait(now)

    def found_self(self, nearest: Sequence[PeerId], now: float) -> None:
        """These are our nearest peers. While a look-up finds any that we did not know it is made soon again:
        one does not find all in a network that has just come up, or among liars. Who comes later finds us.
        """
        found, self._joining = frozenset(nearest), self._joining - 1
        if self._joining > 0 and not found <= self._known:
            self._self_at = self._after(now, JOIN_WAIT_S)
        self._known = found

    def _meet(self, now: float) -> Check | None:
        info = self._table.unmet() if now >= self._meet_at else None
        if info is None:
            return None
        self._meet_at = self._after(now, MEET_EVERY_S)
        return Check(info)

    def _refresh(self, now: float) -> Refresh | None:
        number = self._table.refresh_due(now) if now >= self._refresh_at else None
        if number is None:
            return None
        self._table.refreshed(number, now)
        self._refresh_at = self._after(now, BETWEEN_REFRESHES_S)
        return Refresh(number)

    def _test(self, now: float) -> Check | None:
        if now < self._test_at:
            return None
        self._test_at = self._after(now, self._config.test_every_s)
        entry = self._table.stalest(now)
        return Check(entry.info) if entry is not None else None

    def _wait(self, now: float) -> Wait:
        due = [now + LOOK_EVERY_S, self._test_at]
        if self._self_at is not None:
            due.append(self._self_at)
        due += [at for at in (self._refresh_at, self._meet_at) if at > now]
        return Wait(min(due))

    def _after(self, now: float, wait_s: float) -> float:
        return now + self._chance.uniform(wait_s / 2, wait_s * 1.5)
