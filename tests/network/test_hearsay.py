"""However many liars name a host, it is not tried without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.multiaddr import Multiaddr
from warren.network.hearsay import Hearsay
from warren.network.limits import HOSTS_MAX

BURST, EVERY_S = 3, 10.0


def at(host: str, port: int = 4101) -> Multiaddr:
    return Multiaddr.tcp(host, port)


VICTIM = at("60.1.2.3")


def made() -> Hearsay:
    return Hearsay(BURST, EVERY_S)


def spend(hearsay: Hearsay, address: Multiaddr, now: float) -> int:
    """Try until no more is allowed; return how often."""
    return next(number for number in range(1000) if not hearsay.take(address, now))


def test_so_many_at_once_and_one_more_now_and_then() -> None:
    hearsay = made()
    assert hearsay.left(VICTIM, 0.0) == BURST
    assert hearsay.ready_at(VICTIM, 0.0) == 0.0
    assert spend(hearsay, VICTIM, 0.0) == BURST
    assert hearsay.left(VICTIM, 9.0) == 0
    assert hearsay.ready_at(VICTIM, 9.0) == pytest.approx(10.0)
    assert spend(hearsay, VICTIM, hearsay.ready_at(VICTIM, 9.0)) == 1
    assert spend(hearsay, VICTIM, 1e9) == BURST


@pytest.mark.parametrize(
    ("host", "same"),
    [
        ("60.1.2.3", True),
        ("::ffff:60.1.2.3", True),
        ("60.1.2.4", False),
        ("2a01::7", False),
    ],
)
def test_a_host_is_one_whatever_its_port(host: str, same: bool) -> None:
    hearsay = made()
    spend(hearsay, VICTIM, 0.0)
    assert hearsay.take(at(host, 22), 0.0) is not same


def test_a_network_of_one_host_is_one() -> None:
    hearsay = made()
    spend(hearsay, at("2a01:4f8::1"), 0.0)
    assert not hearsay.take(at("2a01:4f8::2:2"), 0.0)
    assert hearsay.take(at("2a01:4f8:0:1::2"), 0.0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_loopback_is_nobody_elses(host: str) -> None:
    hearsay = made()
    assert all(hearsay.take(at(host), 0.0) for _ in range(100))
    assert hearsay.left(at(host), 0.0)
    assert hearsay.ready_at(at(host), 0.0) == 0.0
    assert len(hearsay) == 0


def test_who_meets_the_peer_costs_nothing_and_leaves_no_trace() -> None:
    hearsay = made()
    for _ in range(100):
        assert hearsay.take(VICTIM, 0.0)
        hearsay.give_back(VICTIM, 0.0)
    assert len(hearsay) == 0
    hearsay.give_back(VICTIM, 0.0)
    assert spend(hearsay, VICTIM, 0.0) == BURST
    hearsay.give_back(VICTIM, 0.0)
    assert spend(hearsay, VICTIM, 0.0) == 1


def test_memory_is_bounded_and_many_other_names_make_no_victim_forgotten() -> None:
    hearsay = made()
    spend(hearsay, VICTIM, 0.0)
    for number in range(5 * HOSTS_MAX):
        hearsay.take(at(f"61.{number >> 16}.{number >> 8 & 255}.{number & 255}"), 1.0)
        assert len(hearsay) <= HOSTS_MAX
    assert not hearsay.take(VICTIM, 2.0)


PAUSES = st.floats(0.0, 30.0)


@given(st.lists(st.tuples(PAUSES, st.integers(0, 3), st.booleans()), max_size=60))
def test_whatever_happens_failures_are_bounded(happenings: list[tuple[float, int, bool]]) -> None:
    hearsay, now = made(), 0.0
    failed = [0] * 4
    for pause, number, meets in happenings:
        now += pause
        address = at(f"60.0.0.{number + 1}")
        left, ready_at = hearsay.left(address, now), hearsay.ready_at(address, now)
        assert (left > 0) == (ready_at <= now)
        assert hearsay.take(address, now) == (left > 0)
        if left and meets:
            hearsay.give_back(address, now)
            assert hearsay.left(address, now) == left
        elif left:
            failed[number] += 1
        assert all(count <= BURST + now / EVERY_S + 1e-6 for count in failed)
