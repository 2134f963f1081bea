"""The schedule of probes: suspicion before removal, a witness before suspicion, and no storm of dials."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from warren.core.keys import PrivateKey
from warren.services.peers.probe_policy import ProbePolicy
from warren.services.peers.probing import Changed, Forgotten, Probe, Probing, Wait
from warren.services.peers.reach import FAR, HERE, NEAR, Place

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(8)]
ANNA, BEN, CARL, DORA = PEERS[:4]
POLICY = ProbePolicy(peers_max=6)


class Middle:
    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


class Run:
    """A schedule, the time, and who answers."""

    def __init__(self, policy: ProbePolicy = POLICY, chance: object = None) -> None:
        self.probing = Probing(policy, chance or Middle())  # type: ignore[arg-type]
        self.now = 0.0
        self.alive: set[PeerId] = set()
        self.said: list[Changed | Forgotten] = []
        self.probed: list[tuple[float, PeerId]] = []
        self.heard = False  # whether somebody who is no peer of ours is heard all the time
        self.release = True

    def meet(self, *peers: PeerId) -> None:
        for peer in peers:
            self.alive.add(peer)
            self.probing.met(peer, Place(str(peer)), self.now)

    def lose(self, *peers: PeerId) -> None:
        for peer in peers:
            self.alive.discard(peer)
            self.probing.lost(peer, self.now)

    def until(self, end: float) -> None:
        """Let time pass; probes of the living succeed at once, others fail at once."""
        while True:
            match self.probing.next(self.now):
                case Probe(peer):
                    self.probed.append((self.now, peer))
                    self.answer(peer)
                case Wait(at) if at is None or at > end:
                    break
                case Wait(at):
                    assert at is not None
                    assert at > self.now
                    self.now = at
            self.said += self.probing.take_changes()
        self.now = end
        self.said += self.probing.take_changes()

    def answer(self, peer: PeerId) -> None:
        if self.heard:
            self.probing.heard(self.now)
        if peer not in self.alive:
            self.probing.failed(peer, self.now)
            return
        self.probing.met(peer, Place(str(peer)), self.now)
        if self.release:
            self.probing.released(peer)

    def states(self, peer: PeerId) -> list[object]:
        return [getattr(one, "state", "forgotten") for one in self.said if one.peer == peer]


def test_who_is_lost_is_tried_suspected_given_up_and_at_last_forgotten() -> None:
    run = Run()
    run.heard = True
    run.meet(ANNA)
    run.lose(ANNA)
    run.until(POLICY.settle_s - 1)
    assert run.states(ANNA) == ["reachable"]
    run.until(POLICY.settle_s)
    assert run.states(ANNA)[-1] == "suspect"
    run.until(POLICY.retest_s * 8)
    assert run.states(ANNA) == ["reachable", "suspect", "unreachable"]
    run.until(POLICY.forget_s + POLICY.settle_s + POLICY.backoff_max_s)
    assert run.states(ANNA)[-1] == "forgotten"
    assert ANNA not in run.probing
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(run.probed)]
    assert waits == sorted(waits)
    assert len(run.probed) < 24
    assert waits[-1] == POLICY.backoff_max_s


def test_who_accepts_and_hangs_up_is_not_dialled_without_pause() -> None:
    run = Run()
    run.release = False
    run.meet(ANNA)
    for _ in range(20):
        run.probing.lost(ANNA, run.now)
        before = len(run.probed)
        while len(run.probed) == before:
            run.until(run.now + 60)
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(run.probed)]
    assert waits[0] >= 2 * POLICY.settle_s
    assert waits[-1] == pytest.approx(POLICY.backoff_max_s, abs=60)
    run.until(run.now + POLICY.steady_s)
    run.probing.lost(ANNA, run.now)
    run.until(run.now + POLICY.settle_s)
    assert len(run.probed) == 21  # once one lasts, all is forgiven


def test_who_only_looked_whether_this_node_lives_is_not_looked_at_in_turn() -> None:
    for stood_s, came, tried in ((1, True, False), (1, False, True), (POLICY.steady_s, True, True)):
        run = Run()
        run.probing.met(ANNA, Place("a"), 0, came=came)
        run.until(stood_s)
        run.probing.lost(ANNA, run.now)
        run.until(run.now + POLICY.settle_s)
        assert bool(run.probed) is tried
        assert (ANNA in run.probing) is tried


def test_whoever_comes_back_is_taken_back_at_any_stage() -> None:
    for stage_s in (0.0, 10.0, 1000.0, POLICY.forget_s + 2 * POLICY.backoff_max_s):
        run = Run()
        run.heard = True
        run.meet(ANNA)
        run.lose(ANNA)
        run.until(stage_s)
        run.meet(ANNA)
        run.until(run.now + 1)
        assert run.states(ANNA)[-1] == "reachable"
        run.lose(ANNA)
        run.until(run.now + 2 * POLICY.settle_s)
        assert run.states(ANNA)[-1] == "suspect"  # with all its chances again


def test_who_was_never_met_is_forgotten_sooner_and_who_is_kept_never() -> None:
    run = Run()
    run.heard = True
    run.probing.watch(ANNA, "new", Place("a"), 0)
    run.probing.watch(BEN, "new", Place("b"), 0, kept=True)
    run.until(POLICY.forget_new_s * 3)
    assert run.states(ANNA) == ["suspect", "unreachable", "forgotten"]
    assert run.states(BEN) == ["suspect", "unreachable"]
    run.until(POLICY.forget_s * 4)
    assert run.states(BEN) == ["suspect", "unreachable"]
    assert run.probed[-1][0] >= run.now - POLICY.backoff_max_s


def test_what_was_unreachable_before_the_start_is_tried_once_more_before_it_goes() -> None:
    run = Run()
    run.heard = True
    run.probing.watch(ANNA, "unreachable", Place("a"), 0, failing_for_s=POLICY.forget_s * 2)
    run.probing.watch(BEN, "unreachable", Place("b"), 0, failing_for_s=POLICY.forget_s * 2)
    run.alive.add(BEN)
    run.until(POLICY.backoff_first_s * 2)
    assert run.states(ANNA) == ["forgotten"]
    assert run.states(BEN) == ["reachable"]


def test_a_node_whose_own_network_is_gone_accuses_nobody_and_finds_all_again_soon() -> None:
    run = Run()
    run.meet(*PEERS[:5])
    run.until(1)
    run.lose(*PEERS[:5])
    run.until(3 * 86400)
    assert {one.state for one in run.said if isinstance(one, Changed)} == {"reachable"}
    assert not [one for one in run.said if isinstance(one, Forgotten)]
    assert run.probing.doubting
    run.alive.update(PEERS[:5])
    before = len(run.probed)
    run.until(run.now + 90)
    assert {peer for _, peer in run.probed[before:]} == set(PEERS[:5])
    assert not run.probing.doubting


def test_in_doubt_one_peer_is_tried_at_a_time_and_not_in_a_hurry() -> None:
    run = Run()
    run.meet(*PEERS[:6])
    run.lose(*PEERS[:6])
    run.until(600)
    assert run.probing.doubting
    late = [at for at, _ in run.probed if at > 100]
    assert len(late) < 500 / POLICY.settle_s + 1


def test_failures_that_were_held_count_once_somebody_is_heard() -> None:
    run = Run()
    run.meet(ANNA, BEN, CARL, DORA)
    run.lose(ANNA)
    run.until(POLICY.settle_s + 1)
    assert "suspect" not in run.states(ANNA)
    run.probing.heard(run.now)
    run.until(run.now)
    assert run.states(ANNA)[-1] == "suspect"


def test_a_sign_of_life_from_before_the_probe_bears_no_witness() -> None:
    run = Run()
    run.meet(ANNA, BEN, CARL, DORA)
    run.lose(ANNA)
    run.probing.heard(run.now + POLICY.settle_s - 1)
    run.until(POLICY.settle_s + POLICY.hold_s + 1)
    assert "suspect" not in run.states(ANNA)


@pytest.mark.parametrize("witness", [HERE, NEAR, FAR])
@pytest.mark.parametrize("accused", [HERE, NEAR, FAR])
def test_who_is_near_is_no_witness_for_who_is_far(witness: int, accused: int) -> None:
    probing = Probing(POLICY, Middle())
    for peer in (ANNA, BEN, CARL, DORA):
        probing.met(peer, Place(str(peer), accused), 0)
    probing.lost(ANNA, 0)
    probing.take_changes()
    assert probing.next(POLICY.settle_s) == Probe(ANNA)
    probing.failed(ANNA, 6)
    assert probing.holding
    probing.heard(7, witness)
    assert probing.holding is (witness < accused)
    assert probing.take_changes() == ([] if witness < accused else [Changed(ANNA, "suspect")])


def test_who_knows_too_few_to_be_sure_suspects_but_forgets_nobody() -> None:
    run = Run()
    run.meet(ANNA, BEN)
    run.lose(ANNA)
    run.until(POLICY.forget_s * 3)
    assert run.states(ANNA) == ["reachable", "suspect", "unreachable"]


@pytest.mark.parametrize("way", ["excused", "stumbled before", "stumbled after"])
def test_what_this_node_stumbled_over_is_held_against_nobody(way: str) -> None:
    probing = Probing(POLICY, Middle())
    for peer in (ANNA, BEN, CARL, DORA):
        probing.met(peer, Place(str(peer)), 0)
    probing.lost(ANNA, 0)
    probing.take_changes()
    assert probing.next(POLICY.settle_s) == Probe(ANNA)
    now = POLICY.settle_s + 10
    if way == "stumbled before":
        probing.stumbled(now)
        probing.heard(now)
    probing.failed(ANNA, now, excused=way == "excused")
    if way == "stumbled after":
        probing.stumbled(now)
    probing.heard(now)
    assert probing.take_changes() == []
    assert probing.next(now) == Wait(now + POLICY.retest_s)


def test_a_hung_peer_holds_up_nobody() -> None:
    probing = Probing(ProbePolicy(gap_s=0.1), Middle())
    for peer in PEERS:
        probing.watch(peer, "new", Place(str(peer)), 0, at_once=True)
    now = 0.0
    probed: list[PeerId] = []
    while len(probed) < len(PEERS):
        match probing.next(now):
            case Probe(peer):
                probed.append(peer)
                if peer != PEERS[0]:  # which never answers
                    probing.met(peer, Place(""), now)
            case Wait(until):
                assert until is not None
                now = until
    assert now < 1
    assert len(probing._began) == 1


def test_only_so_many_probes_are_under_way() -> None:
    probing = Probing(ProbePolicy(gap_s=0.001, probes_max=3), Middle())
    for peer in PEERS:
        probing.watch(peer, "new", Place(str(peer)), 0, at_once=True)
    begun = [probing.next(float(step)) for step in range(10)]
    assert sum(isinstance(one, Probe) for one in begun) == 3
    assert begun[-1] == Wait(None)


def test_a_victim_at_one_host_is_not_flooded_in_the_name_of_many() -> None:
    run = Run(ProbePolicy(host_gap_s=2.0, gap_s=0.01))
    run.heard = True
    for peer in PEERS:
        run.probing.watch(peer, "new", Place("victim"), 0, at_once=True)
    run.until(100)
    times = [at for at, _ in run.probed]
    assert all(later - earlier >= 1.99 for earlier, later in pairwise(times))
    assert {peer for _, peer in run.probed} == set(PEERS)


def test_no_more_are_watched_than_there_is_room_for_but_who_is_here_gets_a_place() -> None:
    probing = Probing(POLICY, Middle())
    assert [probing.watch(peer, "new", Place(""), 0) for peer in PEERS] == [True] * 6 + [False] * 2
    assert probing.watch(PEERS[0], "new", Place(""), 0)
    probing.met(PEERS[7], Place(""), 0)
    assert PEERS[7] in probing
    assert len(probing) == 6


def test_who_is_unwatched_or_came_by_itself_is_not_probed_and_late_failures_say_nothing() -> None:
    probing = Probing(POLICY, Middle())
    probing.watch(ANNA, "new", Place("a"), 0, at_once=True)
    assert probing.next(0) == Probe(ANNA)
    probing.unwatch(ANNA)
    probing.failed(ANNA, 1)
    probing.watch(BEN, "new", Place("b"), 1, at_once=True)
    assert probing.next(1) == Probe(BEN)
    probing.met(BEN, Place(""), 2)
    probing.failed(BEN, 3)
    assert probing.take_changes() == [Changed(BEN, "reachable")]
    assert not probing._began
    assert probing.next(1e9) == Wait(None)


class Anything(RuleBasedStateMachine):
    """Whatever happens in whatever order, the books stay right and nobody is accused without a witness."""

    def __init__(self) -> None:
        super().__init__()
        self.chance = random.Random(7)
        self.probing = Probing(ProbePolicy(peers_max=6, probes_max=2), self.chance)
        self.now = 0.0
        self.under_way: list[PeerId] = []

    peers = st.sampled_from(PEERS)

    @rule(seconds=st.floats(0, 1e5))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        peer=peers, state=st.sampled_from(["new", "reachable", "suspect", "unreachable"]), soon=st.booleans()
    )
    def watch(self, peer: PeerId, state: object, soon: bool) -> None:
        self.probing.watch(peer, state, Place("host"), self.now, at_once=soon)  # type: ignore[arg-type]

    @rule(peer=peers)
    def meet(self, peer: PeerId) -> None:
        self.probing.met(peer, Place("host"), self.now)
        self._over(peer)

    @rule(peer=peers)
    def lose(self, peer: PeerId) -> None:
        self.probing.lost(peer, self.now)

    @rule(peer=peers)
    def unwatch(self, peer: PeerId) -> None:
        self.probing.unwatch(peer)

    @rule()
    def hear(self) -> None:
        self.probing.heard(self.now)

    @rule()
    def stumble(self) -> None:
        self.probing.stumbled(self.now)

    @rule()
    def work(self) -> None:
        match self.probing.next(self.now):
            case Probe(peer):
                assert peer not in self.under_way
                self.under_way.append(peer)
            case Wait(until):
                assert until is None or until > self.now

    @rule(excused=st.booleans())
    def fail(self, excused: bool) -> None:
        if self.under_way:
            self.probing.take_changes()
            peer = self.under_way.pop(0)
            self.probing.failed(peer, self.now, excused=excused)
            if excused:
                assert self.probing.take_changes() == []

    def _over(self, peer: PeerId) -> None:
        if peer in self.under_way:
            self.under_way.remove(peer)

    @invariant()
    def the_books_are_right(self) -> None:
        absent = [one for one in self.probing._peers.values() if not one.connected]
        assert len(absent) <= 6 + len(self.probing._began)
        assert len(self.probing._began) <= 2
        assert len(self.probing._heap) <= 2 * len(self.probing) + 65
        for peer in self.probing._held:
            assert peer in self.probing._peers
        for peer, one in self.probing._peers.items():
            # Each is connected, being probed, held, or due: nobody is forgotten by the schedule.
            held = peer in self.probing._held
            assert one.connected + one.probing + held + (one.due is not None) == 1


TestAnything = Anything.TestCase


@given(st.integers(0, 1000), st.floats(0, 1))
def test_with_chance_in_play_every_peer_gets_its_turn(seed: int, share: float) -> None:
    chance = random.Random(seed)
    run = Run(chance=chance)
    run.heard = True
    for peer in PEERS[:6]:
        run.probing.watch(peer, "new", Place(str(peer)), 0)
        if chance.random() < share:
            run.alive.add(peer)
    run.until(60)
    assert {peer for _, peer in run.probed} == set(PEERS[:6])


def test_a_node_with_more_connected_peers_than_it_watches_keeps_them_and_tries_no_others() -> None:
    run = Run(ProbePolicy(peers_max=3))
    run.meet(*PEERS[:4])
    run.meet(ANNA)  # once more
    assert len(run.probing) == 4
    assert not run.probing.watch(PEERS[4], "suspect", Place("e"), 0)
    run.lose(ANNA)  # and not gone on with
    run.probing.unwatch(BEN)
    assert run.probing.connected() == [CARL, DORA]
    assert run.probing.watch(PEERS[4], "suspect", Place("e"), 0)
    run.meet(PEERS[5])
    assert PEERS[4] not in run.probing  # it gave way
    run.probing.released(DORA)
    run.probing.released(DORA)
    assert run.probing.watch(PEERS[6], "suspect", Place("g"), 0)
    run.meet(PEERS[7])
    assert PEERS[6] not in run.probing
    assert run.probing.connected() == [CARL, PEERS[5], PEERS[7]]
