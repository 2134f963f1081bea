from __future__ import annotations

from tests.services.presence.support import peer
from warren.core.keys import PrivateKey
from warren.core.lease import Lease
from warren.services.presence.own_leases import NUMBER_MAX, Numbers, OwnLeases

KEY = PrivateKey.from_seed(bytes(32))


class FakeClock:
    def __init__(self) -> None:
        self.at = 100.0
        self.unix = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.unix


def test_leases_are_numbered_by_the_time_and_tell_since_when() -> None:
    clock = FakeClock()
    own = OwnLeases(KEY, clock, 60)
    clock.at += 90.5
    assert Lease.open(own.sealed(peer(1))) == Lease(KEY.peer_id, 1_800_000_000_000, 60, 90, peer(1))
    assert Lease.open(own.sealed(peer(2))).seq == 1_800_000_000_001
    clock.unix -= 1000
    assert Lease.open(own.sealed(peer(2))).seq == 1_800_000_000_002


def test_numbers_go_on_from_what_others_know_within_reason() -> None:
    clock = FakeClock()
    numbers, leases = Numbers(clock), OwnLeases(KEY, clock, 60)
    first = numbers.next()
    numbers.pass_by(first + 50)
    numbers.pass_by(first + 10)
    assert numbers.next() == first + 51
    numbers.pass_by(NUMBER_MAX)
    assert numbers.next() == first + 52
    leases.pass_by(first + 99)
    assert Lease.open(leases.sealed(peer(1))).seq == first + 100
