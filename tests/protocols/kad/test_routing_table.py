"""The routing table: what it holds, whom it prefers, and that nobody fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.kad.peers import address, info, peer
from warren.core.errors import ConfigError
from warren.protocols.kad.keyspace import key_near, position, shared_bits
from warren.protocols.kad.messages import PeerInfo
from warren.protocols.kad.routing_table import RoutingTable, TableConfig

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

OWN = peer(0)
SMALL = TableConfig(
    bucket_peers_max=4, cache_peers_max=2, subnet_bucket_max=3, subnet_table_max=5, lively_peers=2
)


def place(number: int) -> int:
    return position(peer(number).to_bytes())


def number_of(number: int) -> int:
    """Of the bucket in which a peer belongs."""
    return shared_bits(place(0), place(number))


def in_bucket(bucket: int, count: int) -> list[int]:
    """So many peers that belong there."""
    return [n for n in range(1, 5000) if number_of(n) == bucket][:count]


def meet(table: RoutingTable, number: int, now: float = 0.0, subnet: str | None = None) -> None:
    table.useful(peer(number), (address(number),), str(number) if subnet is None else subnet, now)


def peers(table: RoutingTable) -> set[PeerId]:
    return {entry.peer for entry in table.entries()}


def test_who_is_useful_is_known_and_we_ourselves_are_not() -> None:
    table = RoutingTable(OWN, SMALL)
    meet(table, 0)
    meet(table, 1)
    assert peers(table) == {peer(1)}
    assert peer(1) in table
    assert peer(2) not in table
    assert table.closest(0, 5)[0].info == info(1)
    assert sum(table.sizes().values()) == len(table) == 1


@given(st.sets(st.integers(1, 300), max_size=60), st.integers(1, 300), st.integers(1, 25))
def test_the_closest_are_the_closest(known: set[int], target: int, count: int) -> None:
    table = RoutingTable(OWN, TableConfig())
    for number in sorted(known):
        meet(table, number)
    found = [entry.peer for entry in table.closest(place(target), count)]
    wanted = sorted(peers(table), key=lambda one: position(one.to_bytes()) ^ place(target))
    assert found == wanted[:count]


def test_a_full_bucket_keeps_whom_it_has_and_newcomers_wait() -> None:
    table = RoutingTable(OWN, SMALL)
    *first, fifth, sixth, seventh = in_bucket(0, 7)
    for number in (*first, fifth, sixth, seventh):
        meet(table, number)
    assert peers(table) == {peer(number) for number in first}
    table.failed(peer(first[0]))
    assert peers(table) == {peer(number) for number in (*first[1:], seventh)}, "the newest of those that wait"
    table.failed(peer(first[1]))
    assert peers(table) == {peer(number) for number in (*first[2:], seventh, sixth)}
    table.failed(peer(first[2]))
    assert peer(first[2]) in table, "nobody waits: there was room for two in the cache"


def test_who_fails_is_not_named_to_others_and_goes_in_the_end() -> None:
    table = RoutingTable(OWN, SMALL)
    meet(table, 1)
    table.failed(peer(1))
    assert [entry.peer for entry in table.closest(0, 5)] == [peer(1)]
    assert table.closest(0, 5, sound=True) == []
    meet(table, 1)
    assert len(table.closest(0, 5, sound=True)) == 1
    for _ in range(SMALL.failures_max):
        assert peer(1) in table
        table.failed(peer(1))
    assert len(table) == 0


def test_who_asks_is_not_named_to_itself() -> None:
    table = RoutingTable(OWN, SMALL)
    meet(table, 1)
    meet(table, 2)
    assert [entry.peer for entry in table.closest(0, 5, without=peer(1))] == [peer(2)]


def test_who_does_not_serve_any_more_is_replaced_at_once() -> None:
    table = RoutingTable(OWN, SMALL)
    numbers = in_bucket(0, 5)
    for number in numbers:
        meet(table, number)
    table.remove(peer(numbers[0]))
    assert peers(table) == {peer(number) for number in numbers[1:]}
    table.remove(peer(999))


def test_one_subnet_gets_only_a_part_of_a_bucket_and_of_the_table() -> None:
    table = RoutingTable(OWN, SMALL)
    for number in range(1, 100):
        meet(table, number, subnet="crowd")
    assert all(size <= SMALL.subnet_bucket_max for size in table.sizes().values())
    assert len(table) == SMALL.subnet_table_max
    before = len(table)
    meet(table, next(n for n in range(100, 200) if number_of(n) == 0), subnet="other")
    assert len(table) == before + 1


def test_a_place_that_one_of_a_subnet_leaves_may_go_to_another_of_it() -> None:
    table = RoutingTable(OWN, SMALL)
    numbers = in_bucket(0, 4)
    for number in numbers:
        meet(table, number, subnet="crowd")
    assert peer(numbers[3]) not in table
    table.failed(peer(numbers[0]))
    assert peers(table) == {peer(number) for number in numbers[1:]}


def test_peers_without_an_ip_are_no_crowd() -> None:
    table = RoutingTable(OWN, SMALL)
    for number in in_bucket(0, 4):
        meet(table, number, subnet="")
    assert len(table) == 4


def test_those_are_tested_that_were_not_heard_of_for_long_the_oldest_first() -> None:
    table = RoutingTable(OWN, SMALL)
    meet(table, 1, now=0.0)
    meet(table, 2, now=10.0)
    assert table.stalest(SMALL.stale_s) is None
    later = SMALL.stale_s + 100
    tested = [table.stalest(later) for _ in range(3)]
    assert [entry and entry.peer for entry in tested] == [peer(1), peer(2), None], "each once"
    meet(table, 1, now=later)
    assert table.stalest(later + SMALL.stale_s - 1) is None


def test_those_for_whose_place_somebody_waits_are_tested_first() -> None:
    table = RoutingTable(OWN, SMALL)
    lonely, *crowded = [*in_bucket(1, 1), *in_bucket(0, 5)]
    meet(table, lonely, now=0.0)
    for number in crowded:
        meet(table, number, now=1.0)
    entry = table.stalest(SMALL.stale_s + 10)
    assert entry is not None
    assert number_of(lonely) != 0
    assert shared_bits(entry.position, place(0)) == 0


def test_buckets_are_refreshed_unless_they_are_lively_or_were_looked_up() -> None:
    table = RoutingTable(OWN, SMALL)
    assert table.refresh_due(0.0) is None
    (deep,) = in_bucket(3, 1)
    meet(table, deep)
    assert table.refresh_due(0.0) == 0
    for number in in_bucket(0, 2):
        meet(table, number)
    assert table.refresh_due(0.0) == 1, "enough of a bucket were heard of"
    table.refreshed(1, 0.0)
    table.looked_up(position(key_near(table.own_position, 2, b"")), 0.0)
    assert table.refresh_due(0.0) == 2, "a bucket that is not there is not made by a look-up"
    table.refreshed(2, 0.0)
    table.looked_up(place(deep), 0.0)
    assert table.refresh_due(SMALL.refresh_s - 1) is None
    assert table.refresh_due(SMALL.refresh_s) is not None


def test_looking_ourselves_up_refreshes_the_neighbourhood() -> None:
    table = RoutingTable(OWN, SMALL)
    near = [*in_bucket(2, 1), *in_bucket(4, 1)]
    for number in (*near, *in_bucket(0, 1)):
        meet(table, number)
    table.looked_up_self([peer(number) for number in near], 0.0)
    due = []
    while (bucket := table.refresh_due(0.0)) is not None:
        due.append(bucket)
        table.refreshed(bucket, 0.0)
    assert due == [0, 1]
    assert table.depth == 2


def test_those_heard_of_are_met_where_more_are_wanted_the_nearest_first() -> None:
    table = RoutingTable(OWN, SMALL)
    far, near = in_bucket(0, 5), in_bucket(3, 5)
    meet(table, near[0])
    table.looked_up_self([peer(near[0])], 0.0)
    for number in (*far, *near):
        table.heard_of(info(number))
    assert [table.unmet(), table.unmet()] == [info(near[1]), info(near[2])], "the cache holds two"
    assert table.unmet() == info(far[0])
    meet(table, far[0])
    meet(table, far[1])
    assert table.unmet() is None, "of a far bucket some will do"
    table.heard_of(info(far[4]))
    assert table.unmet() is None


def test_who_was_met_or_failed_or_has_no_address_is_not_to_be_met() -> None:
    table = RoutingTable(OWN, SMALL)
    for number in (1, 2, 3):
        table.heard_of(info(number))
    table.heard_of(info(0))
    table.heard_of(PeerInfo(peer(4)))
    meet(table, 1)
    table.failed(peer(2))
    table.remove(peer(3))
    assert table.unmet() is None


events = st.lists(
    st.tuples(st.sampled_from(["meet", "fail", "remove", "hear"]), st.integers(0, 60), st.sampled_from("ab"))
)


@settings(max_examples=50)
@given(events)
def test_the_bounds_hold_whatever_happens(happened: list[tuple[str, int, str]]) -> None:
    table = RoutingTable(OWN, SMALL)
    for what, number, subnet in happened:
        match what:
            case "meet":
                meet(table, number, subnet=subnet)
            case "fail":
                table.failed(peer(number))
            case "remove":
                table.remove(peer(number))
            case _:
                table.heard_of(info(number))
        entries = list(table.entries())
        assert all(size <= SMALL.bucket_peers_max for size in table.sizes().values())
        for name in "ab":
            assert sum(entry.subnet == name for entry in entries) <= SMALL.subnet_table_max
        assert OWN not in peers(table)
        assert len(entries) == len(peers(table)) == len(table)


def test_its_bounds_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"dht\.table\.bucket_peers_max"):
        TableConfig(bucket_peers_max=0)
