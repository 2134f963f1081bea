from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.core.multiaddr import Multiaddr
from warren.network.ranking import rank

LOOP4 = Multiaddr.parse("/ip4/127.0.0.1/tcp/1")
LOOP6 = Multiaddr.parse("/ip6/::1/tcp/1")
LAN4 = Multiaddr.parse("/ip4/192.168.1.5/tcp/1")
LAN4B = Multiaddr.parse("/ip4/10.0.0.7/tcp/1")
LAN6 = Multiaddr.parse("/ip6/fd00::5/tcp/1")
FAR4 = Multiaddr.parse("/ip4/100.50.0.1/tcp/1")
FAR6 = Multiaddr.parse("/ip6/2a00::1/tcp/1")
ALL = [FAR4, LAN4, LOOP6, FAR6, LOOP4, LAN6, LAN4B]


def test_near_before_far_and_ipv6_before_ipv4() -> None:
    order = [attempt.address for attempt in rank(ALL, 0.25, 16)]
    assert order == [LOOP6, LOOP4, LAN6, LAN4, LAN4B, FAR6, FAR4]


def test_attempts_start_one_after_another_but_those_of_the_local_network_together() -> None:
    delays = {attempt.address: attempt.delay_s for attempt in rank(ALL, 0.25, 16)}
    assert [delays[a] for a in (LOOP6, LOOP4, LAN6, LAN4, LAN4B, FAR6, FAR4)] == [
        0,
        0.25,
        0.5,
        0.5,
        0.5,
        0.75,
        1.0,
    ]


def test_nothing_to_dial_is_nothing_to_rank() -> None:
    assert list(rank([], 0.25, 16)) == []


def test_a_single_address_is_dialled_at_once() -> None:
    assert [(a.delay_s, a.address) for a in rank([FAR4], 0.25, 16)] == [(0.0, FAR4)]


@given(st.lists(st.sampled_from(ALL)), st.integers(0, 8))
def test_each_address_is_tried_once_and_no_more_than_the_limit(addresses: list[Multiaddr], most: int) -> None:
    attempts = rank(addresses, 0.25, most)
    chosen = [attempt.address for attempt in attempts]
    assert len(chosen) == len(set(chosen)) == min(most, len(set(addresses)))
    assert set(chosen) <= set(addresses)
    delays = [attempt.delay_s for attempt in attempts]
    assert delays == sorted(delays)
    assert not delays or delays[0] == 0


def test_what_was_named_first_is_tried_however_many_are_near() -> None:
    near = [Multiaddr.tcp(f"192.168.1.{n}", 1) for n in range(20)]
    assert FAR4 in [attempt.address for attempt in rank([FAR4, *near], 0.25, 16)]
