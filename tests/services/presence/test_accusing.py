from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.services.presence.support import peer
from warren.services.presence.accusing import ACCUSED_MAX, RECHECK_S, Accusing, Cast, Wait, Withdraw

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

ANNA, BEN = peer(1), peer(2)


class Seen(NamedTuple):
    failures: int = 4
    failing_since: float = 0.0
    heard_at: float = 1000.0
    doubting: bool = False


class World:
    def __init__(self) -> None:
        self.seen: dict[PeerId, Seen] = {ANNA: Seen(), BEN: Seen()}
        self.accusing = Accusing(self.seen.get, 600.0)


def test_who_is_lost_is_accused_again_and_again_until_it_is_found() -> None:
    world = World()
    accusing = world.accusing
    assert accusing.next(0.0) == Wait(None)
    accusing.lost(ANNA, 10.0)
    accusing.lost(ANNA, 11.0)
    assert accusing.next(11.0) == Cast(ANNA)
    assert accusing.next(11.0) == Wait(300.0)
    assert accusing.next(311.0) == Cast(ANNA)
    accusing.found(ANNA)
    assert accusing.next(312.0) == Withdraw(ANNA)
    assert accusing.next(312.0) == Wait(None)


def test_without_evidence_nobody_is_accused_and_nothing_withdrawn() -> None:
    world = World()
    world.seen[ANNA] = Seen(doubting=True)
    world.accusing.lost(ANNA, 0.0)
    assert world.accusing.next(0.0) == Wait(RECHECK_S)
    world.accusing.found(ANNA)
    assert world.accusing.next(RECHECK_S) == Wait(None)
    world.accusing.lost(ANNA, 20.0)
    assert world.accusing.next(20.0) == Wait(RECHECK_S)
    world.seen[ANNA] = Seen()
    assert world.accusing.next(20.0 + RECHECK_S) == Cast(ANNA)


def test_whom_the_prober_gave_up_is_accused_no_more() -> None:
    world = World()
    world.accusing.lost(ANNA, 0.0)
    del world.seen[ANNA]
    assert world.accusing.next(0.0) == Wait(None)


def test_who_is_lost_before_its_vote_was_withdrawn_is_accused() -> None:
    world = World()
    world.accusing.lost(ANNA, 0.0)
    assert world.accusing.next(0.0) == Cast(ANNA)
    world.accusing.found(ANNA)
    world.accusing.lost(ANNA, 1.0)
    assert world.accusing.next(1.0) == Cast(ANNA)
    assert world.accusing.next(1.0) == Wait(300.0)


def test_so_many_are_accused_and_no_more() -> None:
    world = World()
    for number in range(ACCUSED_MAX + 10):
        world.seen[peer(number)] = Seen()
        world.accusing.lost(peer(number), 0.0)
    cast = []
    while isinstance(step := world.accusing.next(0.0), Cast):
        cast.append(step.peer)
    assert cast == [peer(number) for number in range(ACCUSED_MAX)]
