"""Which of those that were found to dial, and when."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.network.hearsay import Hearsay
from warren.services.discovery.choice import Choice, ChoicePolicy, Dial, Wait
from warren.services.discovery.model import Found

POLICY = ChoicePolicy()
PEERS = [PrivateKey.from_seed(number.to_bytes(32, "big")).peer_id for number in range(1, 400)]


def at(number: int, port: int = 4101) -> Multiaddr:
    return Multiaddr.tcp(f"10.0.{number // 250}.{number % 250 + 1}", port)


def peer(number: int, *addresses: Multiaddr, source: str = "mdns") -> Found:
    return Found(PEERS[number], addresses or (at(number),), source)


HOST_BURST, HOST_EVERY_S = 6, 60.0


def made(policy: ChoicePolicy = POLICY, seed: int = 1, hosts: Hearsay | None = None) -> Choice:
    return Choice(policy, _Chance(seed), 0.0, hosts or Hearsay(HOST_BURST, HOST_EVERY_S))


class _Chance:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def below(self, n: int) -> int:
        return self._random.randrange(n)


def dials(choice: Choice, now: float, connections: int = 0) -> list[Dial]:
    """All that it would do now; each is left under way."""
    found = []
    while isinstance(step := choice.next(now, connections), Dial):
        found.append(step)
    return found


def test_who_is_named_by_another_source_is_due_again_and_paid_for_by_either() -> None:
    choice = made(replace(POLICY, source_burst=1))
    assert choice.add(peer(0, source="peers"), 0.0)
    assert dials(choice, 0.0)
    choice.missed(PEERS[0], 1.0)
    assert choice.next(1.0, 0) != Dial(PEERS[0], (at(0),))
    assert choice.add(peer(0), 1.0)
    assert not choice.add(peer(0), 1.0)
    assert dials(choice, 1.0) == [Dial(PEERS[0], (at(0),))]  # the purse of "peers" is empty
    choice.missed(PEERS[0], 2.0)
    choice.remove(PEERS[0], "mdns")
    assert len(choice) == 1
    assert choice.add(peer(0), 2.0)  # it was gone from the link, and is back
    choice.remove(PEERS[0], "mdns")
    choice.remove(PEERS[0], "peers")
    assert len(choice) == 0


def test_who_is_gone_while_it_is_dialled_is_forgotten_after() -> None:
    choice = made()
    choice.add(peer(0), 0.0)
    assert dials(choice, 0.0)
    choice.remove(PEERS[0], "mdns")
    assert len(choice) == 1
    assert choice.add(peer(0), 1.0)  # it is back before the dial has failed
    choice.missed(PEERS[0], 2.0)
    assert len(choice) == 1
    assert dials(choice, 10.0)
    choice.remove(PEERS[0], "mdns")
    choice.missed(PEERS[0], 11.0)
    assert len(choice) == 0


def test_who_is_found_is_dialled_once() -> None:
    choice = made()
    assert choice.next(0.0, 0) == Wait(None)
    assert choice.add(peer(0), 0.0)
    assert not choice.add(peer(0), 0.0)
    assert dials(choice, 0.0) == [Dial(PEERS[0], (at(0),))]
    choice.met(PEERS[0], PEERS[0])
    assert choice.next(1e6, 1) == Wait(None)


def test_addresses_without_a_peer_are_targets_of_their_own() -> None:
    choice = made()
    assert choice.add(Found(None, (at(1), at(2)), "dns"), 0.0)
    assert {one.target for one in dials(choice, 0.0)} == {at(1), at(2)}
    choice.met(at(1), PEERS[1])
    choice.missed(at(2), 0.0)
    choice.lost(PEERS[1], 100.0)
    again = dials(choice, 103.1)
    assert {one.target for one in again} == {at(1), at(2)}


def test_a_failure_doubles_the_wait_and_a_meeting_ends_that() -> None:
    choice = made()
    choice.add(peer(0), 0.0)
    now, waits = 0.0, []
    for _ in range(6):
        [dial] = dials(choice, now)
        choice.missed(dial.target, now)
        step = choice.next(now, 0)
        assert isinstance(step, Wait)
        assert step.until is not None
        waits.append(step.until - now)
        now = step.until + 3600.0  # beyond what the purses delay
    assert all(2**n <= wait <= 2 ** (n + 1) * 1.5 for n, wait in enumerate(waits))
    [dial] = dials(choice, now)
    choice.met(dial.target, PEERS[0])
    choice.lost(PEERS[0], now)
    assert dials(choice, now + 3.1) == [Dial(PEERS[0], (at(0),))]


def test_nobody_is_dialled_beyond_the_connections_that_are_wanted() -> None:
    choice = made(replace(POLICY, connections=3))
    for number in range(10):
        choice.add(peer(number), 0.0)
    assert dials(choice, 0.0, 3) == []
    assert len(dials(choice, 0.0, 2)) == 1
    assert dials(choice, 0.0, 2) == []  # the one under way counts
    assert dials(made(replace(POLICY, connections=0)), 0.0, 0) == []


def test_only_so_many_dials_are_under_way() -> None:
    choice = made()
    for number in range(10):
        choice.add(peer(number), 0.0)
    under_way = dials(choice, 0.0)
    assert len(under_way) == POLICY.at_once
    choice.missed(under_way[0].target, 0.0)
    assert len(dials(choice, 0.0)) == 1


def test_honest_peers_are_all_met_without_delay() -> None:
    choice = made(replace(POLICY, connections=100))
    for number in range(60):
        choice.add(peer(number), 0.0)
    met = 0
    while isinstance(step := choice.next(0.0, met), Dial):
        assert isinstance(step.target, PeerId)
        choice.met(step.target, step.target)
        met += 1
    assert met == 60


def test_what_a_source_causes_is_bounded_and_takes_nothing_from_another() -> None:
    choice = made()
    for number in range(300):
        choice.add(peer(number), 0.0)
    tried = 0
    for _ in range(POLICY.source_burst):
        for dial in dials(choice, 0.0):
            tried += len(dial.addresses)
            choice.missed(dial.target, 0.0)
    assert tried == POLICY.source_burst
    choice.add(peer(300, source="bootstrap"), 0.0)
    assert [one.target for one in dials(choice, 0.0)] == [PEERS[300]]


def test_one_host_is_not_made_a_target_whoever_is_said_to_be_there() -> None:
    hosts = Hearsay(HOST_BURST, HOST_EVERY_S)
    choice = made(hosts=hosts)
    for number in range(200):
        addresses = at(7, 1000 + number), at(7, 2000 + number)
        choice.add(peer(number, *addresses, source=f"source-{number % 5}"), 0.0)
    tried = 0
    for second in range(60):
        while isinstance(step := choice.next(float(second), 0), Dial):
            tried += sum(hosts.take(address, float(second)) for address in step.addresses)
            choice.missed(step.target, float(second))
        assert step.until is None or step.until > second
    assert tried == HOST_BURST
    assert not isinstance(choice.next(59.9, 0), Dial)
    assert isinstance(choice.next(60.0, 0), Dial)


def test_a_host_that_others_have_spent_waits_and_the_other_addresses_do_not() -> None:
    hosts = Hearsay(1, HOST_EVERY_S)
    assert hosts.take(at(7, 22), 0.0)
    choice = made(hosts=hosts)
    choice.add(peer(0, at(7)), 0.0)
    choice.add(peer(1, at(7), at(8)), 0.0)
    assert dials(choice, 0.0) == [Dial(PEERS[1], (at(8),))]
    assert choice.next(0.0, 0) == Wait(60.0)
    assert dials(choice, 60.0) == [Dial(PEERS[0], (at(7),))]


def test_what_is_known_first_hand_is_not_counted_and_pushed_out_by_nothing() -> None:
    hosts = Hearsay(1, HOST_EVERY_S)
    assert hosts.take(at(7, 22), 0.0)
    choice = made(hosts=hosts)
    choice.add(Found(PEERS[0], (at(7),), "bootstrap", (at(7),)), 0.0)
    choice.add(peer(0, *(at(number) for number in range(100, 120))), 0.0)
    [dial] = dials(choice, 0.0)
    assert dial.first_hand == ()  # the newest first
    choice.missed(PEERS[0], 0.0)
    [dial] = dials(choice, 10.0)
    assert (dial.addresses[-1], dial.first_hand) == (at(7), (at(7),))
    choice = made(hosts=hosts)
    choice.add(Found(None, (at(7), at(8)), "bootstrap", (at(7), at(8))), 0.0)
    assert {one.first_hand for one in dials(choice, 0.0)} == {(at(7),), (at(8),)}


def test_names_without_end_push_out_neither_the_met_nor_those_of_other_sources() -> None:
    choice = made()
    choice.add(peer(0, source="bootstrap"), 0.0)
    choice.add(peer(1), 0.0)
    choice.connected(PEERS[1])
    choice.lost(PEERS[1], 0.0)
    for number in range(2, 399):
        choice.add(peer(number), 0.0)
    assert len(choice) <= POLICY.targets_max + 1
    choice.add(Found(PEERS[0], (at(500),), "bootstrap"), 0.0)
    targets: set[object] = set()
    for now in range(0, 100_000, 1000):
        for dial in dials(choice, float(now)):
            targets.add(dial.target)
            assert isinstance(dial.target, PeerId)
            choice.met(dial.target, dial.target)
    assert {PEERS[0], PEERS[1]} <= targets


def test_a_new_address_is_tried_at_once_and_first() -> None:
    choice = made()
    choice.add(peer(0), 0.0)
    [dial] = dials(choice, 0.0)
    choice.missed(dial.target, 0.0)
    assert dials(choice, 0.5) == []
    assert choice.add(peer(0, at(9)), 0.5)
    assert dials(choice, 0.5) == [Dial(PEERS[0], (at(9), at(0)))]


def test_of_many_addresses_a_few_are_tried_each_time_and_all_in_turn() -> None:
    choice = made()
    addresses = tuple(at(number) for number in range(20))
    choice.add(peer(0, *addresses), 0.0)
    seen: set[Multiaddr] = set()
    now = 0.0
    for _ in range(2):
        [dial] = dials(choice, now)
        assert len(dial.addresses) == POLICY.addresses_at_once
        seen |= set(dial.addresses)
        choice.missed(dial.target, now)
        now += 3600.0
    assert seen == set(addresses[: POLICY.addresses_max])


def test_who_is_connected_already_is_not_dialled_until_it_is_lost() -> None:
    choice = made()
    choice.add(peer(0), 0.0, connected=True)
    assert dials(choice, 0.0) == []
    choice.lost(PEERS[0], 10.0)
    assert len(dials(choice, 14.0)) == 1


def test_who_is_gone_is_forgotten_by_who_named_it_only() -> None:
    choice = made()
    choice.add(peer(0), 0.0)
    choice.remove(PEERS[0], "dns")
    assert len(choice) == 1
    choice.remove(PEERS[0], "mdns")
    assert len(choice) == 0


def test_who_is_spared_costs_nobody_anything_and_has_its_turn_again_later() -> None:
    policy = replace(POLICY, source_burst=1, total_burst=1)
    choice = made(policy)
    choice.add(peer(0), 0.0)
    [dial] = dials(choice, 0.0)
    choice.spared(dial.target, 0.0)
    choice.add(peer(1), 0.0)
    assert [one.target for one in dials(choice, 0.0)] == [PEERS[1]]  # its purses are full
    choice.met(PEERS[1], PEERS[1])
    step = choice.next(0.0, 0)
    assert isinstance(step, Wait)
    assert step.until is not None
    assert policy.spared_s / 2 <= step.until <= policy.spared_s * 1.5
    assert [one.target for one in dials(choice, step.until)] == [PEERS[0]]
    choice.remove(PEERS[0], "mdns")
    choice.spared(PEERS[0], step.until)
    choice.spared(PEERS[5], step.until)
    assert len(choice) == 1


NUMBERS = st.integers(0, 11)


@settings(max_examples=50)
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.sampled_from("fuscld"), NUMBERS, NUMBERS, st.floats(0.0, 30.0)), max_size=80),
)
def test_whatever_happens_no_purse_is_overdrawn(
    seed: int, happenings: list[tuple[str, int, int, float]]
) -> None:
    policy = ChoicePolicy(at_once=3, source_burst=5, total_burst=8, targets_max=6)
    hosts = Hearsay(3, HOST_EVERY_S)
    choice, now, tried = made(policy, seed, hosts), 0.0, 0
    under_way: list[Dial] = []
    for what, who, where, pause in happenings:
        now += pause
        if what == "f":
            choice.add(peer(who, at(where), source=f"source-{who % 2}"), now)
        elif what == "u":
            choice.add(Found(None, (at(where),), "dns"), now)
        elif what == "c":
            choice.connected(PEERS[who])
        elif what == "l":
            choice.lost(PEERS[who], now)
        elif what == "s" and under_way:
            choice.missed(under_way.pop(0).target, now)
        while isinstance(step := choice.next(now, 0), Dial):
            assert step.addresses
            tried += len(step.addresses)
            assert all(hosts.take(address, now) for address in step.addresses)
            under_way.append(step)
        assert len(under_way) <= policy.at_once
        assert step.until is None or step.until > now
    assert tried <= policy.total_burst + now / policy.total_every_s + 1e-6
