"""Whose turn it is: caps, slots, fairness, weights, in time that is passed in."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.services.files.uploads.scheduler import (
    CAPPED_TURN_BYTES_MIN,
    CATCH_UP_S,
    CONTACT_WEIGHT,
    FAVOURED_WEIGHT,
    GIVER_WEIGHT,
    IDLE_S,
    SLACK,
    SLOW_S,
    TURN_BYTES,
    Scheduler,
    UploadLimits,
)

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.services.files.uploads.scheduler import Standing, Turn

MIB = 1024 * 1024
PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(8)]
ANNA, BEN, CARL = PEERS[:3]


def make(standings: dict[PeerId, Standing] | None = None, **limits: int) -> Scheduler:
    known = standings or {}
    return Scheduler(UploadLimits(**limits), lambda peer: known.get(peer, "stranger"))


def serve_all(scheduler: Scheduler, wants: Counter[PeerId], size: int, until_s: float) -> Counter[PeerId]:
    """Send to who wants as much as may be, each with one turn at a time that takes no time."""
    sent: Counter[PeerId] = Counter()
    now = 0.0
    for peer in wants:
        scheduler.ask(peer, size, now)
    while now < until_s:
        turns, again = scheduler.grant(now)
        for turn in turns:
            scheduler.end(turn, now)
            sent[turn.peer] += turn.size
            scheduler.ask(turn.peer, size, now)
        if not turns:
            assert again is not None
            now = again
    return sent


def test_without_caps_everybody_is_served_at_once() -> None:
    scheduler = make()
    asked = [scheduler.ask(peer, MIB, 0.0) for peer in PEERS[:2]]
    assert scheduler.grant(0.0) == (asked, None)
    assert scheduler.turn_bytes() == TURN_BYTES


@pytest.mark.parametrize(("bytes_per_s", "slots"), [(500_000, 2), (4_000_000, 2), (6_000_000, 3), (1e9, 8)])
def test_a_line_has_as_many_slots_as_keep_it_busy(bytes_per_s: float, slots: int) -> None:
    scheduler = make(slots=8)
    busy(scheduler, bytes_per_s, 100.0)
    for peer in PEERS:
        scheduler.ask(peer, MIB, 100.0)
    assert len(scheduler.grant(100.0)[0]) == slots


def test_what_is_short_comes_before_what_others_wait_for() -> None:
    scheduler = make(slots=1)
    scheduler.ask(ANNA, MIB, 0.0)
    (sending,), _ = scheduler.grant(0.0)
    scheduler.ask(BEN, MIB, 0.0)
    short = scheduler.ask(CARL, 1000, 0.1)
    scheduler.end(sending, 0.5)
    assert scheduler.grant(0.5)[0] == [short]


def test_a_cap_holds_in_every_second_and_is_used_up() -> None:
    scheduler = make(bytes_per_s=20_000_000)
    size = scheduler.turn_bytes()
    assert CAPPED_TURN_BYTES_MIN <= size < MIB
    sent = serve_all(scheduler, Counter(PEERS), size, 3.0)
    assert 59_900_000 < sent.total() < 20_000_000 * (3 + CATCH_UP_S) + 2 * size


def test_turns_under_a_tiny_cap_are_not_too_small() -> None:
    assert make(peer_bytes_per_s=1000).turn_bytes() == CAPPED_TURN_BYTES_MIN


def test_the_cap_of_a_peer_holds_nobody_else_up() -> None:
    scheduler = make(peer_bytes_per_s=1_000_000, peer_slots=1)
    sent = serve_all(scheduler, Counter([ANNA, BEN]), 100_000, 2.0)
    assert sent[ANNA] == sent[BEN]
    assert 1_900_000 < sent[ANNA] < 2_300_000


def test_peers_share_a_cap_evenly_whatever_they_ask_for() -> None:
    scheduler = make(bytes_per_s=1_000_000)
    now = 0.0
    for _ in range(4):
        scheduler.ask(ANNA, 10_000, now)  # four streams at once
    scheduler.ask(BEN, 10_000, now)
    sent: Counter[PeerId] = Counter()
    while now < 4.0:
        turns, again = scheduler.grant(now)
        for turn in turns:
            scheduler.end(turn, now)
            sent[turn.peer] += turn.size
            scheduler.ask(turn.peer, turn.size, now)
        now = again if again is not None else now
    assert sent[ANNA] == pytest.approx(sent[BEN], rel=0.02)


def test_who_gives_and_who_is_favoured_gets_more_and_nobody_nothing() -> None:
    standings: dict[PeerId, Standing] = {ANNA: "contact", BEN: "contact", CARL: "favoured"}
    scheduler = make(standings, bytes_per_s=1_000_000)
    scheduler.gave(BEN, 10 * MIB, 0.0)
    sent = serve_all(scheduler, Counter([ANNA, BEN, CARL]), 10_000, 5.0)
    assert sent[CARL] == pytest.approx(FAVOURED_WEIGHT * sent[ANNA], rel=0.1)
    assert 2.5 < sent[BEN] / sent[ANNA] <= 4.1


def test_contacts_come_before_strangers_who_get_their_share_all_the_same() -> None:
    strangers = PEERS[1:]
    scheduler = make({ANNA: "contact"}, bytes_per_s=1_000_000)
    sent = serve_all(scheduler, Counter(PEERS), 10_000, 11.0)
    for stranger in strangers:
        assert sent[ANNA] == pytest.approx(CONTACT_WEIGHT * sent[stranger], rel=0.1)
    assert sum(sent[one] for one in strangers) == pytest.approx(11_000_000 * 7 / 11, rel=0.05)


def test_a_stranger_beside_many_who_weigh_more_is_never_far_from_its_turn() -> None:
    """All there is to weigh: favoured contacts that give to us as well."""
    weighty, stranger = PEERS[1:], ANNA
    scheduler = make(dict.fromkeys(weighty, "favoured"), bytes_per_s=1_000_000)
    for peer in weighty:
        scheduler.gave(peer, 10 * MIB, 0.0)
    sent = serve_all(scheduler, Counter(PEERS), 10_000, 60.0)
    heaviest = CONTACT_WEIGHT * FAVOURED_WEIGHT * GIVER_WEIGHT
    assert sent[stranger] >= sent.total() / (heaviest * len(weighty) + 1) - 10_000
    assert sent[stranger] > 0


def test_a_stranger_who_gives_is_as_good_as_a_contact() -> None:
    scheduler = make({ANNA: "contact"}, bytes_per_s=1_000_000)
    scheduler.gave(BEN, 10 * MIB, 0.0)
    sent = serve_all(scheduler, Counter([ANNA, BEN]), 10_000, 5.0)
    assert sent[ANNA] == pytest.approx(sent[BEN], rel=0.1)


def test_a_peer_that_becomes_a_contact_is_one_at_once() -> None:
    standings: dict[PeerId, Standing] = {}
    scheduler = Scheduler(UploadLimits(bytes_per_s=1_000_000), lambda peer: standings.get(peer, "stranger"))
    before = serve_all(scheduler, Counter([ANNA, BEN]), 10_000, 2.0)
    assert before[ANNA] == pytest.approx(before[BEN], rel=0.05)
    standings[ANNA] = "contact"
    assert scheduler.weights(2.0) == {ANNA: CONTACT_WEIGHT, BEN: 1.0}


def test_without_a_scarce_line_nobody_waits_for_a_contact() -> None:
    scheduler = make({ANNA: "contact"})
    asked = [scheduler.ask(peer, MIB, 0.0) for peer in (BEN, ANNA)]
    granted, _ = scheduler.grant(0.0)
    assert set(granted) == set(asked)


def test_who_was_away_saved_up_nothing() -> None:
    scheduler = make(bytes_per_s=1_000_000)
    serve_all(scheduler, Counter([ANNA]), 10_000, 5.0)
    turns: list[Turn] = []
    now = 5.1
    for _ in range(40):
        scheduler.ask(BEN, 10_000, now)
        scheduler.ask(ANNA, 10_000, now)
    while len(turns) < 40:
        granted, again = scheduler.grant(now)
        turns += granted
        for turn in granted:
            scheduler.end(turn, now)
        now = again if again is not None else now
    assert 18 <= Counter(turn.peer for turn in turns)[ANNA] <= 22


def test_slots_are_few_and_a_slow_reader_gives_its_own_to_others() -> None:
    scheduler = make(slots=1)
    slow, other = scheduler.ask(ANNA, MIB, 0.0), scheduler.ask(BEN, MIB, 0.0)
    assert scheduler.grant(0.0) == ([slow], SLOW_S)
    assert scheduler.grant(SLOW_S) == ([other], None)
    scheduler.end(slow, 6.0)
    scheduler.end(other, 6.0)


def busy(scheduler: Scheduler, bytes_per_s: float, until_s: float) -> None:
    """Send to many, one turn after the other."""
    now = 0.0
    while now < until_s:
        scheduler.ask(PEERS[7], MIB, now)
        ((turn,), _) = scheduler.grant(now)
        now += MIB / bytes_per_s
        scheduler.end(turn, now)


def test_a_turn_that_the_line_does_not_explain_leaves_half_its_slot() -> None:
    scheduler = make(slots=2)
    busy(scheduler, 4 * MIB, 100.0)  # two slots together need half a second for a turn each
    turns = [scheduler.ask(peer, MIB, 100.0) for peer in PEERS[:6]]
    granted, again = scheduler.grant(100.0)
    assert granted == turns[:2]
    assert again == pytest.approx(100.0 + 0.5 * SLACK, rel=0.1)
    assert again is not None
    assert scheduler.grant(again)[0] == turns[2:3]
    granted, last = scheduler.grant(again + 1)
    assert granted == turns[3:4]
    assert last == pytest.approx(again + 1 + 0.5 * SLACK, rel=0.1)
    assert last is not None
    assert scheduler.grant(last)[0] == turns[4:5], "all that are late leave one slot"


def test_the_next_turns_of_a_slow_reader_fill_no_slot_until_one_is_quick() -> None:
    scheduler = make(slots=1)
    for now, takes_s, is_alone in ((0.0, SLOW_S, True), (10.0, 1.0, False), (20.0, 1.0, True)):
        slow = scheduler.ask(ANNA, MIB, now)
        assert scheduler.grant(now)[0] == [slow]
        other = scheduler.ask(BEN, MIB, now)
        assert scheduler.grant(now)[0] == ([] if is_alone else [other])
        scheduler.end(slow, now + takes_s)
        scheduler.grant(now + takes_s)
        scheduler.end(other, now + takes_s)


def test_one_peer_has_few_slots() -> None:
    scheduler = make(slots=8, peer_slots=2)
    busy(scheduler, 1e9, 100.0)
    asked = [scheduler.ask(ANNA, MIB, 100.0) for _ in range(3)]
    assert scheduler.grant(100.0) == (asked[:2], 100.0 + SLOW_S)
    later = scheduler.ask(BEN, MIB, 100.0)
    assert scheduler.grant(100.0) == ([later], 100.0 + SLOW_S)
    scheduler.end(asked[0], 101.0)
    assert scheduler.grant(101.0) == ([asked[2]], None)


def test_a_peer_whose_slots_are_all_slow_asks_for_one_more() -> None:
    scheduler = make(peer_slots=1)
    scheduler.ask(ANNA, MIB, 0.0)
    late = scheduler.ask(ANNA, MIB, 0.0)
    scheduler.grant(0.0)
    assert scheduler.grant(SLOW_S) == ([late], None)


def test_a_slow_turn_counts_no_more_at_the_time_that_was_said() -> None:
    scheduler = make(peer_slots=1)
    begun = 255.08651424651308  # begun + SLOW_S - SLOW_S is another number
    scheduler.ask(ANNA, MIB, begun)
    late = scheduler.ask(ANNA, MIB, begun)
    _, again = scheduler.grant(begun)
    assert again is not None
    assert scheduler.grant(again) == ([late], None)


def test_what_a_tiny_cap_made_wait_goes_on_once_the_cap_is_another() -> None:
    scheduler = make(bytes_per_s=1, peer_bytes_per_s=1)
    scheduler.ask(ANNA, scheduler.turn_bytes(), 0.0)
    late = scheduler.ask(ANNA, scheduler.turn_bytes(), 0.0)
    scheduler.grant(0.0)
    assert scheduler.grant(1000.0) == ([], CAPPED_TURN_BYTES_MIN)
    scheduler.set_limits(UploadLimits(10_000_000, 10_000_000), 1000.0)
    assert scheduler.grant(1000.0)[0] == [late]


def test_peers_on_slow_lines_do_not_slow_down_one_on_a_fast_line() -> None:
    scheduler = make(slots=3)
    took_s = dict.fromkeys(PEERS, 4.9) | {ANNA: 0.01}
    under_way: list[tuple[float, int, Turn]] = []
    now, count, sent = 0.0, 0, 0
    scheduler.ask(ANNA, MIB, now)
    while now < 20:
        turns, again = scheduler.grant(now)
        for turn in turns:
            count += 1
            heapq.heappush(under_way, (now + took_s[turn.peer], count, turn))
        if again is not None and again < under_way[0][0]:
            now = again
            continue
        now, _, turn = heapq.heappop(under_way)
        scheduler.end(turn, now)
        scheduler.ask(turn.peer, MIB, now)
        if turn.peer == ANNA:
            sent += now > 10
        if 10 <= now < 10.01:  # by now it is known what the line carries
            for peer in PEERS[1:] * 4:
                scheduler.ask(peer, MIB, now)
    assert sent > 500, "of 1000 that go when she is alone"


def test_no_slots_and_only_slow_ones_end_in_no_endless_waiting() -> None:
    scheduler = make(slots=1)
    first = scheduler.ask(ANNA, 1, 0.0)
    scheduler.grant(0.0)
    assert scheduler.grant(1.0) == ([], None)  # nobody waits
    scheduler.end(first, 1.0)


def test_what_is_not_wanted_any_more_goes() -> None:
    scheduler = make(slots=1)
    first, second = scheduler.ask(ANNA, 7, 0.0), scheduler.ask(BEN, 7, 0.0)
    scheduler.grant(0.0)
    scheduler.end(second, 0.0, sent=False)
    scheduler.end(first, 0.0, sent=False)
    assert scheduler.grant(0.0) == ([], None)
    assert scheduler.line(ANNA, 0.0).sent.total == 0


def test_idle_peers_are_forgotten() -> None:
    scheduler = make()
    turn = scheduler.ask(ANNA, 1, 0.0)
    scheduler.grant(0.0)
    scheduler.end(turn, 0.0)
    waiting = scheduler.ask(BEN, 1, 0.0)
    scheduler.line(CARL, 2 * IDLE_S)
    assert {peer for peer, _ in scheduler.lines()} == {BEN, CARL}
    assert scheduler.grant(2 * IDLE_S) == ([waiting], None)


steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "end", "drop", "wait", "gave"]),
        st.integers(0, 7),
        st.integers(0, 2 * MIB),
        st.floats(0, 3),
    ),
    max_size=80,
)


@given(
    steps,
    st.integers(0, 5 * MIB),
    st.integers(0, 5 * MIB),
    st.integers(1, 3),
    st.integers(1, 3),
)
@settings(deadline=None)
def test_bounds_hold_and_everybody_is_served_in_the_end(
    steps: list[tuple[str, int, int, float]], cap: int, peer_cap: int, slots: int, peer_slots: int
) -> None:
    limits = UploadLimits(cap, peer_cap, slots, peer_slots)
    scheduler = Scheduler(limits, lambda peer: "favoured" if peer == ANNA else "stranger")
    now = 0.0
    waiting: list[Turn] = []
    active: list[Turn] = []

    def grant() -> float | None:
        turns, again = scheduler.grant(now)
        for turn in turns:
            waiting.remove(turn)
            active.append(turn)
        young = [turn for turn in active if turn.began > now - SLOW_S]
        assert len(young) <= slots
        assert all(n <= peer_slots for n in Counter(turn.peer for turn in young).values())
        return again

    for what, n, size, later in steps:
        if what == "ask":
            waiting.append(scheduler.ask(PEERS[n], size, now))
        elif what == "end" and active:
            scheduler.end(active.pop(n % len(active)), now)
        elif what == "drop" and waiting:
            scheduler.end(waiting.pop(n % len(waiting)), now, sent=False)
        elif what == "gave":
            scheduler.gave(PEERS[n], size, now)
        else:
            now += later
        grant()
    for _ in range(10 * len(steps) + 10):
        again = grant()
        for turn in active:
            scheduler.end(turn, now)
        active.clear()
        now = now if again is None else max(now, again)
    assert not waiting


def test_one_identity_after_the_other_takes_no_more_than_as_many_that_stay() -> None:
    """Each asks once and is gone; six of them are always there."""
    scheduler = make(bytes_per_s=1_000_000)
    fresh = (PrivateKey.from_seed(number.to_bytes(32)).peer_id for number in itertools.count(1000))
    size, now = 10_000, 0.0
    sent: Counter[bool] = Counter()
    for peer in (ANNA, *itertools.islice(fresh, 6)):
        scheduler.ask(peer, size, now)
    while now < 10.0:
        turns, again = scheduler.grant(now)
        for turn in turns:
            scheduler.end(turn, now)
            sent[turn.peer == ANNA] += size
            scheduler.ask(ANNA if turn.peer == ANNA else next(fresh), size, now)
        now = again if again is not None else now
    assert sent[True] >= sent.total() / 7 * 0.8
