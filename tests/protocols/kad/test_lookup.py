"""Look-ups over made-up networks: they always end, ask nobody twice, and find the nearest that answer."""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.kad.peers import address, info, peer
from warren.core.errors import ConfigError
from warren.protocols.kad.keyspace import position, shared_bits
from warren.protocols.kad.lookup import Ask, Done, Lookup, LookupConfig, Wait
from warren.protocols.kad.messages import ADDRESSES_MAX, PeerInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId

CONFIG = LookupConfig(k=4, alpha=3, requests_max=60, request_timeout_s=5, timeout_s=60)
OWN = peer(0)


def place(number: int) -> int:
    return position(peer(number).to_bytes())


def nearest(numbers: Sequence[int], target: int, count: int) -> list[int]:
    return heapq.nsmallest(count, numbers, key=lambda n: place(n) ^ target)


class Net:
    """Peers by number, whom each knows, and who does not answer. Drives one look-up and watches it."""

    def __init__(self, knows: dict[int, list[int]], silent: Sequence[int] = ()) -> None:
        self.knows = knows
        self.silent = set(silent)
        self.asked: list[PeerId] = []
        self.answers: Callable[[int], Sequence[PeerInfo]] = lambda n: [info(one) for one in self.knows[n]]
        """Whom a peer names."""
        self.by_id = {peer(number): number for number in knows}

    @classmethod
    def kademlia(cls, size: int, rng: random.Random, silent: int = 0) -> Net:
        """Everybody knows k others of each bucket, as far as there are so many."""
        numbers = list(range(1, size + 1))
        knows: dict[int, list[int]] = {}
        for own in numbers:
            buckets: dict[int, list[int]] = {}
            for other in rng.sample(numbers, size):
                buckets.setdefault(shared_bits(place(own), place(other)), []).append(other)
            knows[own] = [n for bucket in buckets.values() for n in bucket[: CONFIG.k] if n != own]
        return cls(knows, rng.sample(numbers, silent))

    def look(self, lookup: Lookup, rng: random.Random, latency_s: float = 1.0) -> float:
        """Drive it to its end; return when that was."""
        now = 0.0
        under_way: list[tuple[float, PeerId]] = []
        while not isinstance(action := lookup.next(now), Done):
            if isinstance(action, Ask):
                assert action.peer not in self.asked, "nobody is asked twice"
                assert action.peer != OWN
                self.asked.append(action.peer)
                under_way.append((now + rng.uniform(0, latency_s), action.peer))
                assert len(under_way) <= CONFIG.alpha
                continue
            assert action.until > now
            at, whom = min(under_way, default=(action.until, OWN))
            now = min(at, action.until)
            if at <= action.until and whom != OWN:
                under_way.remove((at, whom))
                self._answer(lookup, whom)
            under_way = [one for one in under_way if one[0] > now - CONFIG.request_timeout_s]
        assert isinstance(lookup.next(now), Done), "what is over stays so"
        assert lookup.requests == len(self.asked) <= CONFIG.requests_max
        return now

    def _answer(self, lookup: Lookup, whom: PeerId) -> None:
        number = self.by_id.get(whom)
        if number is None or number in self.silent:
            lookup.on_failure(whom)
        else:
            lookup.on_success(whom, self.answers(number))

    def honest(self, target: int) -> Net:
        """Everybody names the nearest k of those that he knows."""
        self.answers = lambda n: [info(m) for m in nearest(self.knows[n], target, CONFIG.k)]
        return self


def begin(known: Sequence[int], target: int, *, enough: int | None = None, paths: int = 1) -> Lookup:
    seeds = [info(n) for n in known]
    return Lookup(target, seeds, CONFIG, own=OWN, now=0.0, enough=enough, paths=paths)


def found(lookup: Lookup) -> list[PeerId]:
    return [one.peer for one in lookup.closest()]


@given(st.integers(0, 2**32), st.integers(10, 80), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_the_nearest_are_found(seed: int, size: int, paths: int) -> None:
    rng = random.Random(seed)
    target = rng.getrandbits(256)
    net = Net.kademlia(size, rng).honest(target)
    lookup = begin(rng.sample(list(net.knows), 5), target, paths=paths)
    net.look(lookup, rng)
    assert found(lookup)[: CONFIG.k // 2] == [
        peer(n) for n in nearest(list(net.knows), target, CONFIG.k // 2)
    ]
    assert lookup.finished
    assert lookup.failures == 0


@given(st.integers(0, 2**32), st.integers(10, 80), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_of_those_that_it_heard_of_the_nearest_that_answer_are_found(
    seed: int, size: int, paths: int
) -> None:
    rng = random.Random(seed)
    target = rng.getrandbits(256)
    net = Net.kademlia(size, rng, silent=size // 3).honest(target)
    lookup = begin(rng.sample(list(net.knows), 5), target, paths=paths)
    net.look(lookup, rng)
    answering = [net.by_id[one] for one in net.asked if net.by_id[one] not in net.silent]
    assert found(lookup) == [peer(n) for n in nearest(answering, target, CONFIG.k)]
    assert lookup.failures == len(net.asked) - len(answering)


@given(st.integers(0, 2**32), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_liars_who_name_peers_without_end_cannot_keep_it_or_make_it_grow(seed: int, paths: int) -> None:
    rng = random.Random(seed)
    net, target, fresh = Net.kademlia(40, rng), rng.getrandbits(256), iter(range(1000, 10**9))
    liars = set(rng.sample(list(net.knows), 8))

    def answers(number: int) -> Sequence[PeerInfo]:
        if number in liars:
            return [info(next(fresh)) for _ in range(500)]
        return [info(one) for one in nearest(net.knows[number], target, CONFIG.k)]

    net.answers = answers
    lookup = begin(rng.sample(list(net.knows), 5), target, paths=paths)
    assert net.look(lookup, rng) <= CONFIG.timeout_s
    assert lookup.size <= 5 + CONFIG.requests_max * CONFIG.k


def test_who_names_others_in_vain_loses_credit_and_the_honest_are_asked_first() -> None:
    target = place(1)
    numbers = list(range(2, 200))
    liar, honest = nearest(numbers, target, 2)
    made_up = nearest(list(range(1000, 6000)), target, 30)
    truth = nearest(numbers[20:], target, 6)[2:]
    net = Net({liar: made_up, honest: truth, **{n: [] for n in truth}})
    net.answers = lambda n: [info(m) for m in net.knows[n]]
    lookup = Lookup(
        target, [info(liar), info(honest)], LookupConfig(k=20, alpha=3, requests_max=14), own=OWN, now=0.0
    )
    net.look(lookup, random.Random(1))
    asked = set(net.asked)
    assert {peer(n) for n in truth} <= asked, "though the made-up ones are nearer"
    assert len(asked & {peer(n) for n in made_up}) < len(made_up)


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_when_nobody_answers_it_ends_after_the_timeouts(seed: int) -> None:
    rng = random.Random(seed)
    lookup = begin(range(1, 9), rng.getrandbits(256))
    now = 0.0
    asked = 0
    while not isinstance(action := lookup.next(now), Done):
        if isinstance(action, Wait):
            now = action.until
        else:
            asked += 1
    assert (asked, lookup.failures, lookup.closest(), lookup.hops) == (8, 8, [], 0)
    assert now <= CONFIG.request_timeout_s * 3


def test_an_answer_that_comes_too_late_is_dropped() -> None:
    lookup = begin([1], 0)
    assert isinstance(lookup.next(0.0), Ask)
    assert lookup.next(1.0) == Wait(CONFIG.request_timeout_s)
    assert lookup.next(CONFIG.request_timeout_s) == Done()
    lookup.on_success(peer(1), [info(2)])
    lookup.on_failure(peer(1))
    assert (lookup.closest(), lookup.failures, lookup.size) == ([], 1, 1)


def test_a_look_up_has_an_end_of_its_own() -> None:
    config = LookupConfig(k=4, alpha=1, request_timeout_s=50, timeout_s=60)
    lookup = Lookup(0, [info(1), info(2)], config, own=OWN, now=0.0)
    assert isinstance(lookup.next(0.0), Ask)
    assert isinstance(lookup.next(50.0), Ask)
    assert lookup.next(50.0) == Wait(60.0)
    assert lookup.next(60.0) == Done()


def test_without_anybody_known_there_is_nothing_to_do() -> None:
    assert begin([], 0).next(0.0) == Done()


def test_who_has_what_it_wanted_is_done() -> None:
    lookup = begin([1, 2], 0)
    assert isinstance(lookup.next(0.0), Ask)
    lookup.finish()
    assert lookup.next(0.0) == Done()


def test_with_few_wanted_fewer_are_asked() -> None:
    rng = random.Random(3)
    target = rng.getrandbits(256)
    net = Net.kademlia(60, rng).honest(target)
    few = begin([1, 2, 3], target, enough=1)
    net.look(few, rng)
    asked = len(net.asked)
    net.asked = []
    net.look(begin([1, 2, 3], target), rng)
    assert asked < len(net.asked)


def test_a_liar_misleads_only_the_path_on_which_it_is_asked() -> None:
    target = place(1)
    liar, first, second = nearest(list(range(2, 300)), target, 3)
    fakes = nearest(list(range(1000, 6000)), target, CONFIG.k)
    good = nearest(list(range(300, 600)), target, CONFIG.k)
    knows = {liar: fakes, first: [], second: good, **dict.fromkeys(fakes, fakes), **{n: [] for n in good}}
    for paths, truth in ((1, False), (2, True)):
        net = Net(knows)
        lookup = begin([liar, second, first], target, paths=paths)
        net.look(lookup, random.Random(1))
        assert bool({peer(n) for n in good} & set(net.asked)) is truth


def test_hops_are_requests_one_after_the_other() -> None:
    target = place(9)
    chain = sorted(range(10, 15), key=lambda n: -(place(n) ^ target))
    net = Net({n: chain[at + 1 : at + 2] for at, n in enumerate(chain)})
    lookup = begin(chain[:1], target)
    net.look(lookup, random.Random(1))
    assert lookup.hops == 5
    assert [lookup.depth(peer(n)) for n in (*chain, 99)] == [1, 2, 3, 4, 5, 0]


def test_the_addresses_of_several_tellers_are_tried() -> None:
    target = place(5)
    lookup = Lookup(target, [info(1), info(2)], LookupConfig(k=20, alpha=2), own=OWN, now=0.0)
    asked = {action.peer for action in (lookup.next(0.0), lookup.next(0.0)) if isinstance(action, Ask)}
    assert asked == {peer(1), peer(2)}
    false = tuple(address(n) for n in range(50, 50 + ADDRESSES_MAX + 3))
    lookup.on_success(peer(1), [PeerInfo(peer(5), false)])
    lookup.on_success(peer(2), [info(5)])
    action = lookup.next(0.0)
    assert isinstance(action, Ask)
    assert action.addresses[:2] == (false[0], address(5))
    assert len(action.addresses) == ADDRESSES_MAX + 1


def test_its_bounds_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"dht\.lookup\.alpha"):
        LookupConfig(alpha=0)
