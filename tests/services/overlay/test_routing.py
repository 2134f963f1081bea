"""Each query ends, each hit comes once, and what is remembered is bounded; on any graph, with losses and
liars."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.overlay.support import ID, QUERY, Everywhere, Net, Nowhere, ask, hit, peer
from warren.protocols.overlay.messages import Ask, Done, Hits
from warren.services.overlay.routing import Blame, Deliver, Look, RoundEnded, Routing, RoutingLimits, Send
from warren.services.overlay.spreading import HOLDERS_MAX, HOLDERS_OF_SOURCE_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.found import Found

EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


def line(count: int) -> list[tuple[int, int]]:
    return [(one, one + 1) for one in range(count - 1)]


@pytest.mark.parametrize("count", [2, 3, 6])
@pytest.mark.parametrize("breadth", [0, 9])
def test_a_line_needs_as_many_hops_as_it_is_long(count: int, breadth: int) -> None:
    for ttl, found in ((count - 1, 1), (count - 2, 0)):
        net = Net(line(count), [count - 1], steer=None if breadth else _Far())
        if ttl:
            net.begin(ask(ttl=ttl, breadth=min(breadth, ttl)))
            net.run()
        assert len(net.delivered) == found


class _Far:
    """Summaries that know everything however far it is."""

    def reach(self, query: object, peers: list[object], now: float) -> list[int]:
        return [99] * len(peers)


def test_two_responders_of_a_ring_both_arrive_once() -> None:
    count = 6
    net = Net([*line(count), (count - 1, 0)], [2, 4])
    net.begin(ask(ttl=5, breadth=5))
    net.run()
    assert sorted(responder for responder, _ in net.delivered) == sorted([peer(2), peer(4)])
    assert net.ended == [RoundEnded(ID, 1, count - 1, 0, 0, complete=True)]


@settings(max_examples=150, deadline=None)
@given(
    EDGES,
    st.sets(st.integers(1, 9)),
    st.integers(0, 1000),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.0, 0.2, 0.7]),
)
def test_every_query_ends_and_every_hit_comes_once(
    edges: list[tuple[int, int]], holders: set[int], seed: int, ttl: int, loss: float
) -> None:
    net = Net(edges, holders, seed=seed, loss=loss)
    net.begin(ask(ttl=ttl, breadth=ttl))
    net.run()
    assert len(net.ended) == 1
    owners = [one.owner for _, one in net.delivered]
    assert len(owners) == len(set(owners))
    assert not net.blamed
    assert net.ended[0].asked <= len(net.machines) - 1
    for machine in net.machines.values():
        assert len(machine) <= 1
    if not loss:
        assert net.ended[0].complete
        assert net.sent["Ask"] == net.sent["Done"]  # one answer each
        assert net.sent["Ask"] <= 2 * len(net.edges)
    if not loss and ttl == 6 and _is_near(net):
        assert net.ended[0].asked == len(net.machines) - 1
        assert len(owners) == len(holders & set(net.machines))


def _is_near(net: Net) -> bool:
    """Whether even the longest way round is within six hops."""
    reached = {0}
    for _ in range(9):
        reached |= {b for a, b in net.edges if a in reached} | {a for a, b in net.edges if b in reached}
    return reached == set(net.machines) and len(net.machines) <= 7


@settings(max_examples=50, deadline=None)
@given(EDGES, st.sets(st.integers(1, 9)), st.integers(0, 1000))
def test_wider_rounds_of_the_same_query_look_nowhere_twice(
    edges: list[tuple[int, int]], holders: set[int], seed: int
) -> None:
    net = Net(edges, holders, seed=seed, steer=Nowhere())
    looked = 0
    for number in range(1, 8):
        net.begin(ask(round_=number, ttl=9, breadth=number))
        net.run()
        looked += net.ended.pop().asked
    reached = {0}
    for _ in range(7):
        reached |= {b for a, b in net.edges if a in reached} | {a for a, b in net.edges if b in reached}
    assert looked == len(reached) - 1
    owners = [one.owner for _, one in net.delivered]
    assert len(owners) == len(set(owners)) == len((holders - {0}) & reached)


def test_nobody_is_asked_who_asked() -> None:
    net = Net([(0, 1), (1, 2), (0, 2)], [])
    net.begin(ask(ttl=5, breadth=5))
    net.run()
    assert (1, 0) in net.ways  # its Done
    assert net.sent["Ask"] == 4


def test_who_has_nothing_is_not_asked_and_counted_as_skipped() -> None:
    net = Net([(0, 1), (0, 2)], [], steer=Nowhere())
    net.begin(ask())
    net.run()
    assert net.ended == [RoundEnded(ID, 1, 0, 2, 2, complete=True)]
    assert not net.sent


# --- one machine ---


def machine(*neighbours: int, limits: RoutingLimits | None = None, steer: object = None) -> Routing:
    one = Routing(peer(0), steer or Everywhere(), limits)  # type: ignore[arg-type]
    for number in neighbours:
        one.join(peer(number))
    return one


def test_a_query_is_answered_from_here_and_passed_on_with_less_time() -> None:
    one = machine(1, 2)
    assert one.heard(peer(1), ask(left_ms=4000), 10.0) == [Look(ID, QUERY, 20)]
    hits, on = one.found(ID, [hit()], 10.0)
    assert hits == Send(peer(1), Hits(ID, peer(0), (hit(),)))
    assert isinstance(on, Send)
    assert isinstance(on.message, Ask)
    assert on.peer == peer(2)
    assert (on.message.ttl, on.message.wanted, on.message.left_ms) == (2, 19, 3350)
    assert one.heard(peer(2), Done(ID, 1, asked=3, skipped=2), 11.0) == [
        Send(peer(1), Done(ID, 1, asked=4, skipped=2))
    ]
    assert one.found(ID, [hit()], 11.0) == []


def test_enough_is_enough() -> None:
    one = machine(1, 2)
    one.heard(peer(1), ask(wanted=1), 0.0)
    actions = one.found(ID, [hit(1), hit(2)], 0.0)
    assert actions == [
        Send(peer(1), Hits(ID, peer(0), (hit(1),))),
        Send(peer(1), Done(ID, 1, asked=1, skipped=1)),
    ]


def test_the_same_round_again_is_done_at_once() -> None:
    one = machine(1, 2, 3)
    one.heard(peer(1), ask(round_=2), 0.0)
    assert one.heard(peer(2), ask(round_=2), 0.0) == [Send(peer(2), Done(ID, 2))]
    assert one.heard(peer(2), ask(round_=1), 0.0) == [Send(peer(2), Done(ID, 1))]


@pytest.mark.parametrize("round_", [2, 2**32 - 1])
def test_nobody_else_can_take_a_query_away_from_its_asker(round_: int) -> None:
    asker, liar, holder = peer(1), peer(2), peer(3)
    one = asked_by(1, wanted=20, neighbours=3)
    for proof in (b"", ID, bytes(16)):
        assert one.heard(liar, replace(ask(), round=round_, proof=proof), 0.1) == [
            Blame(liar, "a round that nobody began"),
            Send(liar, Done(ID, round_, refused=True)),
        ]
    assert one.heard(holder, Hits(ID, holder, (hit(3),)), 0.2) == [Send(asker, Hits(ID, holder, (hit(3),)))]
    for number in (2, 3):
        one.heard(liar, Done(ID, number - 1), 0.3)
        one.heard(holder, Done(ID, number - 1), 0.3)
        wider = one.heard(asker, ask(round_=number, ttl=2 + number, breadth=number), 0.4)
        assert {one.peer for one in wider if isinstance(one, Send)} == {liar, holder}


def test_late_hits_of_a_round_are_not_held_against_the_next_one() -> None:
    one = machine(1)
    one.ask(ask(wanted=2), 0.0)
    one.expire(60.0)
    one.ask(ask(round_=2, wanted=2, breadth=1), 60.0)
    late, more = Hits(ID, peer(5), (hit(1), hit(2))), Hits(ID, peer(5), (hit(3), hit(4)))
    for hits in (late, more):
        assert one.heard(peer(1), hits, 61.0) == [Deliver(ID, peer(1), peer(5), hits.hits)]
    assert one.heard(peer(1), Hits(ID, peer(5), (hit(5),)), 61.0) == [
        Blame(peer(1), "more hits than were asked for")
    ]


def test_our_own_query_that_comes_back_is_done_at_once() -> None:
    one = machine(1, 2)
    one.ask(ask(), 0.0)
    assert one.heard(peer(2), ask(round_=9), 0.0) == [Send(peer(2), Done(ID, 9))]


def test_a_wider_round_ends_the_one_before_it() -> None:
    one = machine(1, 2, 3)
    one.heard(peer(1), ask(), 0.0)
    assert one.heard(peer(2), ask(round_=2), 0.0) == [Send(peer(1), Done(ID, 1))]  # and still looks
    assert {action.peer for action in one.found(ID, [], 0.0) if isinstance(action, Send)} == {
        peer(1),
        peer(3),
    }


def test_a_guest_is_answered_from_here_alone() -> None:
    one = machine(1)
    one.heard(peer(9), ask(ttl=9, breadth=9), 0.0)
    assert one.found(ID, [], 0.0) == [Send(peer(9), Done(ID, 1, asked=1, skipped=1))]


def passed_on(actions: Sequence[object]) -> list[Found]:
    """The hits that go to neighbours."""
    messages = [one.message for one in actions if isinstance(one, Send)]
    return [one for message in messages if isinstance(message, Hits) for one in message.hits]


def asked_by(number: int, *, wanted: int, neighbours: int) -> Routing:
    """One that was asked by a neighbour, has nothing, and asks all others."""
    one = machine(*range(1, neighbours + 1))
    one.heard(peer(number), ask(wanted=wanted), 0.0)
    one.found(ID, [], 0.0)
    return one


def test_hits_come_once_and_no_more_than_wanted() -> None:
    one = asked_by(1, wanted=2, neighbours=3)
    two = Hits(ID, peer(5), (hit(1), hit(2)))
    assert passed_on(one.heard(peer(2), two, 0.0)) == [hit(1)]  # the other may be another's
    assert passed_on(one.heard(peer(3), two, 0.0)) == [hit(2)]
    assert one.heard(peer(3), Hits(ID, peer(6), (hit(3),)), 0.0) == [
        Blame(peer(3), "more hits than were asked for")
    ]


def test_contents_are_counted_and_not_entries() -> None:
    one = asked_by(1, wanted=2, neighbours=2)
    holders = [hit(number, content="same") for number in range(9)]
    assert passed_on(one.heard(peer(2), Hits(ID, peer(5), tuple(holders)), 0.0)) == holders
    assert passed_on(one.heard(peer(2), Hits(ID, peer(5), (hit(9),)), 0.0)) == [hit(9)]
    assert passed_on(one.heard(peer(2), Hits(ID, peer(6), (hit(10, content="same"),)), 0.0))
    assert one.heard(peer(2), Hits(ID, peer(5), (hit(11),)), 0.0) == [
        Blame(peer(2), "more hits than were asked for")
    ]


def test_one_content_without_end_is_more_than_was_asked_for() -> None:
    one = asked_by(1, wanted=1, neighbours=2)
    copies = Hits(ID, peer(5), tuple(hit(number, content="same") for number in range(HOLDERS_MAX)))
    assert len(passed_on(one.heard(peer(2), copies, 0.0))) == HOLDERS_OF_SOURCE_MAX
    assert one.heard(peer(2), copies, 0.0) == [Blame(peer(2), "more hits than were asked for")]


def test_who_makes_up_as_many_hits_as_are_wanted_hides_no_others() -> None:
    one = asked_by(1, wanted=4, neighbours=3)
    lies, truth = [hit(number) for number in range(4)], [hit(number) for number in (7, 8)]
    assert passed_on(one.heard(peer(2), Hits(ID, peer(2), tuple(lies)), 0.0)) == lies[:2]
    assert one.heard(peer(2), Done(ID, 1), 0.0) == []
    assert passed_on(one.heard(peer(3), Hits(ID, peer(3), tuple(truth)), 0.0)) == truth
    assert one.heard(peer(3), Done(ID, 1), 0.0) == [Send(peer(1), Done(ID, 1, asked=1))]


@pytest.mark.parametrize("ends", ["all are done", "the deadline"])
def test_what_waited_for_others_comes_in_the_end(ends: str) -> None:
    one = asked_by(1, wanted=4, neighbours=3)
    hits = [hit(number) for number in range(4)]
    assert passed_on(one.heard(peer(2), Hits(ID, peer(5), tuple(hits)), 0.0)) == hits[:2]
    one.heard(peer(2), Done(ID, 1), 0.0)
    last = one.heard(peer(3), Done(ID, 1), 0.0) if ends == "all are done" else one.expire(60.0)
    assert passed_on(last[:-1]) == hits[2:]
    assert last[-1] == Send(peer(1), Done(ID, 1, asked=1))


def test_the_next_round_takes_up_what_waited_in_the_one_before() -> None:
    one = asked_by(1, wanted=4, neighbours=3)
    hits = [hit(number) for number in range(5)]
    one.heard(peer(2), Hits(ID, peer(5), tuple(hits[:4])), 0.0)
    one.heard(peer(3), ask(round_=2, wanted=2), 1.0)
    assert passed_on(one.expire(60.0)) == hits[2:4]


def test_few_hits_of_all_queries_wait() -> None:
    one = machine(1, 2, 3, limits=RoutingLimits(held_max=1))
    one.heard(peer(1), ask(wanted=6), 0.0)
    one.found(ID, [], 0.0)
    assert len(passed_on(one.heard(peer(2), Hits(ID, peer(5), tuple(map(hit, range(6)))), 0.0))) == 3
    assert len(passed_on(one.expire(60.0))) == 1


def test_hits_of_all_queries_are_remembered_within_a_bound() -> None:
    one = machine(1, 2, limits=RoutingLimits(hits_all_max=3))
    for number in range(4):
        id_ = number.to_bytes(16)
        one.heard(peer(1), replace(ask(), id=id_), 0.0)
        one.found(id_, [hit(1), hit(2)], 0.0)
        one.heard(peer(2), Done(id_, 1), 0.0)
        assert len(one) == 1


def test_one_responder_cannot_take_the_place_of_another() -> None:
    one = machine(1, 2)
    one.ask(ask(), 0.0)
    assert one.heard(peer(1), Hits(ID, peer(5), (hit(1),)), 0.0)
    assert one.heard(peer(2), Hits(ID, peer(5), (hit(2),)), 0.0) == [Deliver(ID, peer(2), peer(5), (hit(2),))]


def test_poisoned_hits_are_dropped_and_blamed() -> None:
    one = machine(1)
    one.ask(ask(), 0.0)
    poisoned = Hits(ID, peer(5), (hit(1, "casino.exe"), hit(2)))
    assert one.heard(peer(1), poisoned, 0.0) == [
        Blame(peer(1), "hits that do not fit the query"),
        Deliver(ID, peer(1), peer(5), (hit(2),)),
    ]


@pytest.mark.parametrize("asked_by_neighbour", [True, False])
def test_where_a_peer_asks_poisoned_hits_are_named_alone(asked_by_neighbour: bool) -> None:
    one = machine(1, 2)
    if asked_by_neighbour:
        one.heard(peer(2), ask(), 0.0)
        one.found(ID, [], 0.0)
    else:
        one.ask(ask(), 0.0, own=False)
    blame, *_ = one.heard(peer(1), Hits(ID, peer(5), (hit(1, "casino.exe"),)), 0.0)
    assert blame == Blame(peer(1), "hits that do not fit the query", counts=False)


def test_what_nobody_asked_for_is_nothing() -> None:
    one = machine(1, 2)
    assert one.heard(peer(1), Hits(ID, peer(5), (hit(),)), 0.0) == []
    assert one.heard(peer(1), Done(ID, 1), 0.0) == []
    one.heard(peer(1), ask(), 0.0)
    assert one.heard(peer(1), Hits(ID, peer(5), (hit(),)), 0.0) == []
    one.found(ID, [], 0.0)
    assert one.heard(peer(2), Done(ID, 7), 0.0) == []


def test_a_neighbour_that_leaves_is_waited_for_no_more() -> None:
    one = machine(1, 2)
    one.ask(ask(), 0.0)
    assert one.leave(peer(1), 0.0) == []
    assert one.leave(peer(2), 0.0) == [RoundEnded(ID, 1, 0, 0, 2, complete=True)]


def test_the_deadline_ends_a_round_wherever_it_is() -> None:
    one = machine(1, 2)
    one.ask(ask(left_ms=2000), 5.0)
    assert one.next_due() == 7.0
    assert one.expire(6.9) == []
    assert one.expire(7.0) == [RoundEnded(ID, 1, 0, 0, 2, complete=False)]
    assert one.heard(peer(1), Hits(ID, peer(5), (hit(),)), 7.1) == []
    other = machine(1, limits=RoutingLimits(deadline_s=1.0))
    other.heard(peer(1), ask(left_ms=60_000), 0.0)
    assert other.expire(1.0) == [Send(peer(1), Done(ID, 1))]  # the index has not answered
    assert other.found(ID, [hit()], 1.1) == []


def test_a_search_that_is_over_hears_nothing_more() -> None:
    one = machine(1)
    one.ask(ask(), 0.0)
    one.end(ID)
    one.end(bytes(16))
    assert one.heard(peer(1), Hits(ID, peer(5), (hit(),)), 0.0) == []


def test_without_time_nobody_is_asked() -> None:
    one = machine(1, 2)
    one.heard(peer(1), ask(left_ms=10), 0.0)
    assert one.found(ID, [], 0.0) == [Send(peer(1), Done(ID, 1, asked=1, skipped=1))]


def test_memory_is_bounded_and_ids_are_forgotten_in_time() -> None:
    limits = RoutingLimits(visits_max=3, remember_s=60.0)
    one = machine(1, limits=limits)
    ids = [number.to_bytes(16) for number in range(5)]
    for id_ in ids[:3]:
        one.heard(peer(1), replace(ask(), id=id_), 0.0)
    assert one.heard(peer(1), replace(ask(), id=ids[3]), 0.0) == [
        Send(peer(1), Done(ids[3], 1, refused=True))
    ]
    assert one.ask(replace(ask(), id=ids[4]), 0.0) == [RoundEnded(ids[4], 1, 0, 0, 0, complete=False)]
    one.found(ids[1], [], 0.0)  # done: makes room
    assert one.heard(peer(1), replace(ask(), id=ids[3]), 0.0) == [Look(ids[3], QUERY, 20)]
    assert len(one) == 3
    one.expire(15.0)
    one.expire(59.0)
    assert len(one) == 3
    one.expire(60.0)
    assert len(one) == 0


def test_no_more_hits_are_remembered_than_the_limit() -> None:
    one = machine(1, 2, limits=RoutingLimits(hits_max=2))
    one.heard(peer(1), ask(), 0.0)
    actions = one.found(ID, [hit(number) for number in range(9)], 0.0)
    assert actions[0] == Send(peer(1), Hits(ID, peer(0), (hit(0), hit(1))))
