"""What keeps the routing table good, step by step."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tests.protocols.kad.peers import address, info, peer
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.maintenance import (
    JOIN_WAIT_S,
    LOOK_EVERY_S,
    Check,
    LookUpSelf,
    Maintenance,
    Refresh,
    Wait,
)
from warren.protocols.kad.routing_table import RoutingTable

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.protocols.kad.maintenance import Step

CONFIG = KadConfig()


class Middle:
    """No chance at all: waits have their length."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


class Upkeep:
    """A table and its maintenance, in a time of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.again = False
        """Of the last look-up of ourselves."""
        self.table = RoutingTable(peer(0), CONFIG.table)
        self.maintenance = Maintenance(self.table, CONFIG, Middle(), self.now)

    def meet(self, *numbers: int) -> None:
        for number in numbers:
            self.table.useful(peer(number), (address(number),), str(number), self.now)

    def step(self) -> Step:
        """The next step that is no wait; time passes."""
        while isinstance(step := self.maintenance.next(self.now), Wait):
            assert self.now < step.until <= self.now + LOOK_EVERY_S
            self.now = step.until
        return step

    def join(self, *numbers: int) -> None:
        """Meet these, and be done with the first look-up, which finds nobody else."""
        self.meet(*numbers)
        self.until_self()
        self.found(*numbers)

    def until_self(self) -> float:
        """Let everything pass up to the next look-up of ourselves; return when that is."""
        while not isinstance(step := self.step(), LookUpSelf):
            pass
        self.again = step.again
        return self.now

    def found(self, *numbers: int) -> None:
        peers = [peer(number) for number in numbers]
        self.table.looked_up_self(peers, self.now)
        self.maintenance.found_self(peers, self.now)


def test_without_anybody_there_is_nothing_to_do() -> None:
    upkeep = Upkeep()
    assert upkeep.maintenance.next(0.0) == Wait(LOOK_EVERY_S)


def test_who_meets_the_first_peer_looks_itself_up_soon() -> None:
    upkeep = Upkeep()
    upkeep.meet(1)
    assert upkeep.step() == LookUpSelf(again=False)
    assert upkeep.now <= 2


def test_while_others_are_found_each_time_it_looks_again_but_not_for_ever() -> None:
    upkeep = Upkeep()
    upkeep.meet(1)
    times = []
    for number in range(CONFIG.join_lookups_max):
        times.append(upkeep.until_self())
        assert upkeep.again == (number > 0)
        upkeep.found(1, 2 + number)
    assert max(after - before for before, after in pairwise(times)) <= JOIN_WAIT_S
    assert upkeep.until_self() - times[-1] >= CONFIG.self_every_s / 2
    assert not upkeep.again, "later ones are whole"


def test_when_only_those_are_found_who_are_known_it_has_joined() -> None:
    upkeep = Upkeep()
    upkeep.meet(1)
    upkeep.until_self()
    upkeep.found(1, 2, 3)
    looked_at = upkeep.now
    upkeep.meet(2, 4)  # 4 came meanwhile, and met us; for 3 there is no room
    assert upkeep.until_self() - looked_at <= JOIN_WAIT_S
    upkeep.found(1, 2, 3, 4)
    joined_at = upkeep.now
    assert upkeep.until_self() - joined_at >= CONFIG.self_every_s / 2


def test_who_lost_everybody_joins_anew() -> None:
    upkeep = Upkeep()
    upkeep.join(1)
    upkeep.table.remove(peer(1))
    assert isinstance(upkeep.maintenance.next(upkeep.now), Wait)
    upkeep.meet(2)
    begun = upkeep.now
    assert upkeep.until_self() - begun <= 2
    upkeep.found(2, 3)
    assert upkeep.until_self() - begun <= 2 * JOIN_WAIT_S


def test_those_heard_of_are_met_one_at_a_time() -> None:
    upkeep = Upkeep()
    upkeep.join(1)
    begun = upkeep.now
    for number in (2, 3, 4):
        upkeep.table.heard_of(info(number))
    met = [upkeep.step() for _ in range(3)]
    assert {step.peer for step in met if isinstance(step, Check)} == {info(2), info(3), info(4)}
    assert upkeep.now - begun >= 2


def test_sparse_buckets_are_refreshed_one_after_the_other() -> None:
    upkeep = Upkeep()
    upkeep.meet(*range(1, 200))
    assert isinstance(upkeep.step(), LookUpSelf)
    assert not isinstance(upkeep.maintenance.next(upkeep.now), LookUpSelf)
    refreshed, times = [], []
    while isinstance(step := upkeep.step(), Refresh):
        refreshed.append(step.bucket)
        times.append(upkeep.now)
    sizes = upkeep.table.sizes()
    enough = CONFIG.table.lively_peers
    assert refreshed == [n for n in range(max(sizes) + 1) if sizes.get(n, 0) < enough]
    assert all(after - before >= 5 for before, after in pairwise(times))


def test_the_stale_are_tested_one_at_a_time() -> None:
    upkeep = Upkeep()
    upkeep.join(*range(1, 30))
    upkeep.now = CONFIG.table.stale_s + 10
    checks: dict[PeerId, float] = {}
    while len(checks) < 5:
        step = upkeep.step()
        if isinstance(step, Check):
            assert step.peer.peer not in checks
            checks[step.peer.peer] = upkeep.now
    waits = [after - before for before, after in pairwise(checks.values())]
    assert min(waits) >= CONFIG.test_every_s / 2
