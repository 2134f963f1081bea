"""Choices spread over networks: whoever owns one is drawn like anybody else, however many ids it has."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.multiaddr import Multiaddr
from warren.services.peers.diversity import group_of, group_of_address, spread


@dataclass(frozen=True)
class Someone:
    addresses: tuple[Multiaddr, ...]


class Chance:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, n: int) -> int:
        return self._random.randrange(n)


def at(host: str, port: int = 4101) -> Someone:
    return Someone((Multiaddr.tcp(host, port),))


hosts = st.builds("{}.{}.0.1".format, st.integers(1, 4), st.integers(0, 3))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8.8.0.1", "8.8.255.9", True),
        ("8.8.0.1", "8.9.0.1", False),
        ("2001:db8:1::1", "2001:db8:ffff::1", True),
        ("2001:db8::1", "2001:db9::1", False),
        ("::ffff:8.8.0.1", "8.8.7.7", True),
        ("192.168.1.2", "192.168.7.7", True),
    ],
)
def test_a_group_is_what_one_owner_gets(one: str, other: str, same: bool) -> None:
    assert (group_of(at(one)) == group_of(at(other))) is same


def test_names_and_peers_without_address_are_groups_too() -> None:
    one, other = (Multiaddr.parse(f"/dns4/{name}.example/tcp/1") for name in ("a", "b"))
    assert group_of_address(one) != group_of_address(other)
    assert group_of(Someone(())) == ""


@given(st.lists(hosts, max_size=30), st.integers(0, 12), st.integers(0, 99), st.booleans())
def test_as_many_groups_as_there_are_and_nobody_twice(
    names: list[str], count: int, seed: int, once: bool
) -> None:
    candidates = [at(name, 1 + number) for number, name in enumerate(names)]
    chosen = spread(candidates, count, Chance(seed), once=once)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(candidates)
    groups = {group_of(one) for one in candidates}
    assert len({group_of(one) for one in chosen}) == min(count, len(groups))
    assert len(chosen) == min(count, len(groups) if once else len(candidates))
    share = Counter(group_of(one) for one in chosen)
    if not once and share:  # no group is drawn again while another has somebody left and was drawn less
        sizes = Counter(group_of(one) for one in candidates)
        assert all(share[group] >= min(sizes[group], max(share.values()) - 1) for group in sizes)


@given(st.lists(hosts, min_size=1, max_size=30), st.integers(0, 99))
def test_groups_that_are_taken_come_last(names: list[str], seed: int) -> None:
    candidates = [at(name, 1 + number) for number, name in enumerate(names)]
    taken = {group_of(candidates[0])}
    free = {group_of(one) for one in candidates} - taken
    chosen = spread(candidates, len(free) + 1, Chance(seed), taken=taken)
    assert {group_of(one) for one in chosen[: len(free)]} == free
    assert all(
        group_of(one) not in taken for one in spread(candidates, 99, Chance(seed), taken=taken, once=True)
    )


def test_a_thousand_ids_of_one_network_are_drawn_like_one() -> None:
    attackers = [at("6.6.6.6", port) for port in range(1, 1001)]
    honest = [at(f"{net}.1.1.1") for net in range(10, 14)]
    first = [spread([*attackers, *honest], 1, Chance(seed))[0] for seed in range(500)]
    assert sum(one in attackers for one in first) == pytest.approx(100, abs=40)
