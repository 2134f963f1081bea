from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from warren.core.errors import ConfigError, LimitReached
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.kad.store import (
    OVERHEAD_BYTES,
    KeptProvider,
    KeptRecord,
    Providers,
    Records,
    StoreConfig,
)

ANNA, BERT, CARA = (PrivateKey.from_seed(name * 32).peer_id for name in (b"a", b"b", b"c"))
HOME = (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"),)
DAY = 86400.0


class TestRecords:
    def test_what_was_put_is_there_until_it_is_too_old(self) -> None:
        records = Records()
        records.put(b"k", b"v", 5.0, peer=ANNA, subnet="net")
        assert records.get(b"k", 5.0) == KeptRecord(b"v", 5.0, ANNA, "net")
        assert records.get(b"other", 5.0) is None
        assert records.get(b"k", 5.0 + 2 * DAY - 1) is not None
        assert records.get(b"k", 5.0 + 2 * DAY) is None
        assert records.expire(5.0 + 2 * DAY - 1) == 0
        assert records.expire(5.0 + 2 * DAY) == 1
        assert len(records) == records._shares.used == 0

    def test_putting_again_renews(self) -> None:
        records = Records()
        records.put(b"k", b"v", 0.0, peer=ANNA, subnet="net")
        records.put(b"j", b"v", DAY, peer=ANNA, subnet="net")
        records.put(b"k", b"v", 2 * DAY - 1, peer=BERT, subnet="net")
        assert records.expire(3 * DAY) == 1
        assert records.get(b"k", 3 * DAY) is not None

    def test_a_peer_has_its_share(self) -> None:
        config = StoreConfig(records_bytes_per_peer_max=2 * (OVERHEAD_BYTES + 10))
        records = Records(config)
        for key in (b"1", b"2"):
            records.put(key, bytes(9), 0.0, peer=ANNA, subnet="net")
        with pytest.raises(LimitReached, match=str(ANNA)) as caught:
            records.put(b"3", b"", 0.0, peer=ANNA, subnet="net")
        assert caught.value.limit == "dht.store.records_bytes_per_peer_max"
        with pytest.raises(LimitReached):
            records.put(b"1", bytes(10), 0.0, peer=ANNA, subnet="net")
        assert records.get(b"1", 0.0) == KeptRecord(bytes(9), 0.0, ANNA, "net")
        records.put(b"1", bytes(8), 0.0, peer=ANNA, subnet="net")
        records.put(b"3", bytes(9), 0.0, peer=BERT, subnet="net")
        # Who writes over another's pays from then on.
        records.put(b"2", bytes(9), 0.0, peer=BERT, subnet="net")
        records.put(b"4", bytes(9), 0.0, peer=ANNA, subnet="net")

    def test_a_record_is_no_younger_for_a_put_that_was_refused(self) -> None:
        config = StoreConfig(records_bytes_per_peer_max=2 * (OVERHEAD_BYTES + 10))
        records = Records(config)
        records.put(b"1", bytes(9), 0.0, peer=ANNA, subnet="net")
        records.put(b"2", bytes(9), DAY, peer=ANNA, subnet="net")
        with pytest.raises(LimitReached):
            records.put(b"1", bytes(10), DAY, peer=ANNA, subnet="net")
        assert records.expire(2 * DAY) == 1
        assert records.kept(b"1") is None
        assert len(records) == 1

    def test_the_oldest_makes_room_though_its_peer_tried_to_renew_it(self) -> None:
        config = StoreConfig(records_bytes_max=3 * (OVERHEAD_BYTES + 1))
        records = Records(config)
        for now, key in enumerate((b"1", b"2", b"3")):
            records.put(key, b"", now, peer=ANNA, subnet="crowd")
        with pytest.raises(LimitReached):  # nobody else has anything that could go
            records.put(b"1", b"longer", 3.0, peer=ANNA, subnet="crowd")
        records.put(b"4", b"", 4.0, peer=BERT, subnet="village")
        assert [records.kept(key) is not None for key in (b"1", b"2", b"3", b"4")] == [
            False,
            True,
            True,
            True,
        ]

    def test_what_is_replaced_does_not_make_room_twice(self) -> None:
        records = Records(StoreConfig(records_bytes_max=3 * (OVERHEAD_BYTES + 1)))
        for now, key in enumerate((b"1", b"2", b"3")):
            records.put(key, b"", now, peer=ANNA, subnet="crowd")
        gone: list[bytes] = []
        records.changed = gone.append
        records.put(b"1", b"", 3.0, peer=BERT, subnet="village")
        assert gone == [b"1"]
        records.put(b"1", b"*", 4.0, peer=CARA, subnet="elsewhere")
        assert gone == [b"1", b"2", b"1"]

    def test_the_neighbourhood_that_fills_most_makes_room(self) -> None:
        records = Records(StoreConfig(records_bytes_max=3 * (OVERHEAD_BYTES + 1)))
        gone: list[bytes] = []
        for number, key in enumerate((b"1", b"2")):
            records.put(key, b"", number, peer=ANNA, subnet="crowd")
        records.put(b"3", b"", 2.0, peer=BERT, subnet="village")
        records.changed = gone.append
        with pytest.raises(LimitReached) as caught:
            records.put(b"4", b"", 3.0, peer=CARA, subnet="crowd")
        assert caught.value.limit == "dht.store.records_bytes_max"
        records.put(b"4", b"", 3.0, peer=CARA, subnet="elsewhere")
        assert gone == [b"1", b"4"]
        assert records.get(b"1", 3.0) is None

    def test_its_own_records_count_against_no_limit_and_do_not_make_room(self) -> None:
        records = Records(StoreConfig(records_bytes_max=OVERHEAD_BYTES + 1, records_bytes_per_peer_max=1000))
        for number in range(10):
            records.put(bytes((number,)), bytes(500), 0.0)
        records.put(b"x", b"", 1.0, peer=ANNA, subnet="net")
        assert len(records) == 11
        assert records._shares.used == OVERHEAD_BYTES + 1

    def test_repeating_the_nodes_own_record_does_not_make_it_somebody_elses(self) -> None:
        records = Records()
        records.put(b"k", b"v", 0.0)
        records.put(b"k", b"v", 1.0, peer=ANNA, subnet="net")
        assert records.kept(b"k") == KeptRecord(b"v", 1.0, None, "net")
        records.put(b"k", b"newer", 2.0, peer=ANNA, subnet="net")
        assert records.kept(b"k") == KeptRecord(b"newer", 2.0, ANNA, "net")

    def test_what_was_kept_before_is_taken_in(self) -> None:
        records = Records(StoreConfig(records_bytes_per_peer_max=OVERHEAD_BYTES + 1))
        rows = [
            (b"1", KeptRecord(b"", 0.0, ANNA, "net")),  # too old
            (b"2", KeptRecord(b"", 2 * DAY, ANNA, "net")),
            (b"3", KeptRecord(b"", 2 * DAY, ANNA, "net")),  # too much
            (b"4", KeptRecord(bytes(900), 2 * DAY, None, "")),
            (b"5", KeptRecord(b"", 99 * DAY, BERT, "net")),  # from the future
        ]
        records.load(rows, 3 * DAY)
        assert [key for key in (b"1", b"2", b"3", b"4", b"5") if records.get(key, 3 * DAY)] == [
            b"2",
            b"4",
            b"5",
        ]
        assert records.get(b"5", 5 * DAY) is None

    def test_each_change_is_told(self) -> None:
        records = Records()
        told: list[bytes] = []
        records.changed = told.append
        records.put(b"k", b"v", 0.0)
        records.remove(b"k")
        records.remove(b"k")
        records.put(b"j", b"v", 0.0)
        records.expire(2 * DAY)
        assert told == [b"k", b"k", b"j", b"j"]


class TestProviders:
    def test_who_said_so_last_comes_first(self) -> None:
        providers = Providers()
        providers.add(b"k", ANNA, HOME, 0.0, subnet="net")
        providers.add(b"k", BERT, (), 1.0, subnet="net")
        assert providers.get(b"k", 1.0) == [(BERT, ()), (ANNA, HOME)]
        providers.add(b"k", ANNA, HOME, 2.0, subnet="net")
        assert [peer for peer, _ in providers.get(b"k", 2.0)] == [ANNA, BERT]
        assert providers.get(b"other", 2.0) == []

    def test_addresses_are_told_for_half_an_hour_and_the_provider_for_two_days(self) -> None:
        providers = Providers()
        providers.add(b"k", ANNA, HOME, 0.0, subnet="net")
        assert providers.get(b"k", 1799.0) == [(ANNA, HOME)]
        assert providers.get(b"k", 1800.0) == [(ANNA, ())]
        # What it says on behalf of one key holds for all.
        providers.add(b"j", ANNA, HOME, 3000.0, subnet="net")
        assert providers.get(b"k", 3000.0) == [(ANNA, HOME)]
        assert providers.get(b"k", 2 * DAY) == []
        assert providers.expire(2 * DAY) == 1
        assert len(providers) == 1
        assert providers.expire(3000.0 + 2 * DAY) == 1
        assert providers.addresses(ANNA, 3000.0) == ()

    def test_saying_so_again_without_addresses_keeps_them(self) -> None:
        providers = Providers()
        providers.add(b"j", ANNA, HOME, 0.0, subnet="net")
        providers.add(b"k", ANNA, HOME, 0.0, subnet="net")
        providers.add(b"k", ANNA, (), 1.0, subnet="net")
        assert providers.get(b"k", 1.0) == [(ANNA, HOME)]

    def test_a_peer_provides_so_many_keys(self) -> None:
        providers = Providers(StoreConfig(provider_keys_per_peer_max=2))
        for key in (b"1", b"2", b"1"):
            providers.add(key, ANNA, (), 0.0, subnet="net")
        with pytest.raises(LimitReached) as caught:
            providers.add(b"3", ANNA, (), 0.0, subnet="net")
        assert caught.value.limit == "dht.store.provider_keys_per_peer_max"
        providers.remove(b"1", ANNA)
        providers.add(b"3", ANNA, (), 0.0, subnet="net")

    def test_a_flood_of_a_key_makes_room_for_the_few(self) -> None:
        providers = Providers(StoreConfig(providers_per_key_max=3))
        liars = [PrivateKey.from_seed(bytes([number] * 32)).peer_id for number in range(4)]
        for number, liar in enumerate(liars[:3]):
            providers.add(b"k", liar, (), number, subnet="crowd")
        with pytest.raises(LimitReached) as caught:
            providers.add(b"k", liars[3], (), 3.0, subnet="crowd")
        assert caught.value.limit == "dht.store.providers_per_key_max"
        providers.add(b"k", liars[0], (), 4.0, subnet="crowd")  # again: no newcomer
        providers.add(b"k", ANNA, (), 5.0, subnet="village")
        assert [peer for peer, _ in providers.get(b"k", 5.0)] == [ANNA, liars[0], liars[2]]

    def test_the_room_in_all_is_shared_by_neighbourhoods(self) -> None:
        providers = Providers(StoreConfig(providers_max=2))
        gone: list[tuple[bytes, object]] = []
        providers.add(b"1", ANNA, HOME, 0.0, subnet="crowd")
        providers.add(b"2", ANNA, HOME, 1.0, subnet="crowd")
        with pytest.raises(LimitReached) as caught:
            providers.add(b"3", ANNA, HOME, 2.0, subnet="crowd")
        assert caught.value.limit == "dht.store.providers_max"
        providers.changed = lambda key, peer: gone.append((key, peer))
        providers.add(b"3", BERT, HOME, 2.0, subnet="village")
        assert gone == [(b"1", ANNA), (b"3", BERT)]

    def test_the_node_itself_counts_against_no_limit(self) -> None:
        providers = Providers(
            StoreConfig(providers_max=1, provider_keys_per_peer_max=1, providers_per_key_max=1)
        )
        for key in (b"1", b"2", b"3"):
            providers.add(key, ANNA, HOME, 0.0)
        providers.add(b"4", BERT, HOME, 0.0, subnet="net")
        assert len(providers) == 4
        with pytest.raises(LimitReached):  # there is nobody who could make room
            providers.add(b"1", BERT, HOME, 0.0, subnet="net")

    def test_who_was_kept_before_is_taken_in(self) -> None:
        providers = Providers(StoreConfig(provider_keys_per_peer_max=1))
        rows = [
            (b"1", ANNA, KeptProvider(0.0, "net")),  # too old
            (b"2", ANNA, KeptProvider(2 * DAY, "net")),
            (b"3", ANNA, KeptProvider(2 * DAY, "net")),  # too much
            (b"3", BERT, KeptProvider(99 * DAY, None)),  # from the future
        ]
        providers.load(rows, 3 * DAY)
        assert providers.get(b"2", 3 * DAY) == [(ANNA, ())]
        assert providers.get(b"3", 3 * DAY) == [(BERT, ())]
        assert providers.get(b"3", 5 * DAY) == []

    def test_each_change_is_told(self) -> None:
        providers = Providers()
        told: list[tuple[bytes, object]] = []
        providers.changed = lambda key, peer: told.append((key, peer))
        providers.add(b"k", ANNA, HOME, 0.0)
        providers.add(b"k", ANNA, HOME, 1.0)
        providers.expire(1.0 + 2 * DAY)
        providers.remove(b"k", ANNA)
        assert told == [(b"k", ANNA)] * 3


class Whole(RuleBasedStateMachine):
    """Whatever happens, what is counted is what is there, and the bounds hold."""

    config = StoreConfig(
        records_bytes_max=4 * OVERHEAD_BYTES,
        records_bytes_per_peer_max=2 * OVERHEAD_BYTES,
        providers_max=6,
        providers_per_key_max=3,
        provider_keys_per_peer_max=3,
    )
    keys = st.sampled_from([b"1", b"2", b"3", b"4", b"5"])
    peers: Any = st.sampled_from([ANNA, BERT, CARA, None])
    subnets = st.sampled_from(["a", "b"])

    def __init__(self) -> None:
        super().__init__()
        self.records, self.providers, self.now = Records(self.config), Providers(self.config), 0.0
        self.told: set[object] = set()
        self.records.changed = self.told.add
        self.providers.changed = lambda key, peer: self.told.add((key, peer))

    @rule(key=keys, value=st.binary(max_size=200), peer=peers, subnet=subnets)
    def put(self, key: bytes, value: bytes, peer: Any, subnet: str) -> None:
        before = self.records.kept(key)
        try:
            self.records.put(key, value, self.now, peer=peer, subnet=subnet)
        except LimitReached:
            assert peer is not None
            assert self.records.kept(key) == before
        else:
            got = self.records.get(key, self.now)
            assert got is not None
            assert (got.value, got.time_received) == (value, self.now)

    @rule(key=keys, peer=peers, subnet=subnets)
    def add(self, key: bytes, peer: Any, subnet: str) -> None:
        before = self.providers.kept(key, peer or ANNA)
        try:
            self.providers.add(key, peer or ANNA, HOME, self.now, subnet=subnet if peer else None)
        except LimitReached:
            assert peer is not None
            assert before is None
        else:
            assert self.providers.get(key, self.now)[0] == (peer or ANNA, HOME)

    @rule(hours=st.integers(0, 30))
    def wait(self, hours: int) -> None:
        self.now += hours * 3600
        self.records.expire(self.now)
        self.providers.expire(self.now)

    @rule(key=keys, peer=peers)
    def remove(self, key: bytes, peer: Any) -> None:
        self.records.remove(key)
        self.providers.remove(key, peer or ANNA)

    @invariant()
    def holds(self) -> None:
        records, providers, config = self.records, self.providers, self.config
        kept = {key: one for key in records._kept if (one := records.kept(key)) is not None}
        costs = {key: len(key) + len(one.value) + OVERHEAD_BYTES for key, one in kept.items() if one.peer}
        assert records._shares.used == sum(costs.values()) <= config.records_bytes_max
        times = [one.time_received for one in kept.values()]
        assert times == sorted(times)
        for subnet, share in records._shares._by_owner.items():
            assert share.things == {key: cost for key, cost in costs.items() if kept[key].subnet == subnet}
            assert list(share.things) == [key for key in costs if kept[key].subnet == subnet]
        for peer in (ANNA, BERT, CARA):
            mine = sum(costs[key] for key, one in kept.items() if one.peer == peer)
            assert mine == records._bytes_by_peer.get(peer, 0) <= config.records_bytes_per_peer_max
        pairs = providers._kept
        assert sorted(pairs) == sorted((key, one) for key, some in providers._by_key.items() for one in some)
        assert all(len(some) <= config.providers_per_key_max + 1 for some in providers._by_key.values())
        others = [pair for pair, one in pairs.items() if one.subnet is not None]
        assert providers._shares.used == len(others) <= config.providers_max
        for peer, known in providers._peers.items():
            assert known.keys == len([1 for _, one in pairs if one == peer]) > 0
        assert all(providers._by_key.values())


TestWhole = Whole.TestCase
TestWhole.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("field", StoreConfig.__dataclass_fields__)
def test_nonsense_is_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=rf"dht\.store\.{field}"):
        StoreConfig(**{field: 0})


def test_ten_thousand_nodes_fit_into_one_process() -> None:
    config = StoreConfig()
    tracemalloc.start()
    try:
        kept = [(Records(config), Providers(config)) for _ in range(1000)]
        assert tracemalloc.get_traced_memory()[0] / len(kept) < 2048
    finally:
        tracemalloc.stop()
