"""Who is online: ages, ends, goodbyes, bounds; and a model that does it all the slow way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.presence.support import apart, lease, peer
from warren.core.errors import LimitReached, ProtocolViolation
from warren.services.presence.leases import CameOnline, Held, LeaseLimits, Leases, WentOffline
from warren.services.presence.places import place_of

SAME = place_of(peer(0), "20.9.9.9")


def test_a_lease_ends_and_its_age_is_that_of_all_that_followed_without_a_break() -> None:
    leases = Leases()
    assert leases.take(lease(1, 1), apart(1), 100.0)
    assert not leases.take(lease(1, 2), apart(1), 159.0)
    assert leases.held(peer(1), 160.0) == Held(2, 100.0, 219.0, apart(1))
    assert leases.age_s(peer(1), 200.0) == 100.0
    assert leases.is_online(peer(1), 218.9)
    assert not leases.is_online(peer(1), 219.0)
    assert leases.age_s(peer(1), 219.0) == 0.0
    assert leases.take(lease(1, 3), apart(1), 219.0)
    assert leases.age_s(peer(1), 229.0) == 10.0
    assert leases.take_changes() == [
        CameOnline(peer(1)),
        WentOffline(peer(1), "expired"),
        CameOnline(peer(1)),
    ]
    assert leases.take_changes() == []


def test_a_goodbye_counts_at_once() -> None:
    leases = Leases()
    leases.take(lease(1, 1), apart(1), 0.0)
    assert leases.leave(peer(1), 10.0)
    assert not leases.is_online(peer(1), 10.0)
    assert not leases.leave(peer(1), 11.0)
    assert leases.take_changes() == [CameOnline(peer(1)), WentOffline(peer(1), "goodbye")]
    assert (len(leases), list(leases.online(11.0))) == (0, [])


def test_an_old_lease_is_refused_also_after_its_holder_has_gone() -> None:
    leases = Leases(LeaseLimits(remembered_s=100))
    leases.take(lease(1, 5), apart(1), 0.0)
    with pytest.raises(ProtocolViolation, match="after 5"):
        leases.take(lease(1, 5), apart(1), 1.0)
    leases.leave(peer(1), 2.0)
    with pytest.raises(ProtocolViolation, match="after 5"):
        leases.take(lease(1, 4), apart(1), 3.0)
    assert leases.number_of(peer(1)) == 5
    leases.expire(102.0)
    assert leases.number_of(peer(1)) is None
    assert leases.take(lease(1, 4), apart(1), 103.0)


def test_ends_are_told_in_their_order_with_one_look() -> None:
    leases = Leases()
    for number, valid_s in ((1, 30), (2, 10), (3, 20)):
        leases.take(lease(number, 1, valid_s), apart(number), 0.0)
    leases.take(lease(2, 2, 60), apart(2), 5.0)
    leases.take_changes()
    assert leases.next_end() == 10.0
    leases.expire(10.0)
    assert leases.take_changes() == []
    leases.expire(31.0)
    assert leases.take_changes() == [WentOffline(peer(3), "expired"), WentOffline(peer(1), "expired")]
    assert [one for one, _ in leases.online(31.0)] == [peer(2)]
    assert leases.next_end() == 65.0
    leases.expire(65.0)
    assert leases.next_end() is None


def test_a_shorter_renewal_ends_sooner() -> None:
    leases = Leases()
    leases.take(lease(1, 1, 500), apart(1), 0.0)
    leases.take(lease(1, 2, 10), apart(1), 1.0)
    assert leases.next_end() == 11.0
    leases.expire(11.0)
    assert leases.take_changes()[-1] == WentOffline(peer(1), "expired")
    leases.expire(500.0)
    assert leases.take_changes() == []


def test_a_lease_that_says_more_than_it_may_is_cut() -> None:
    leases = Leases(LeaseLimits(valid_s_max=600))
    leases.take(lease(1, 1, 3600), apart(1), 0.0)
    assert not leases.is_online(peer(1), 600.0)


def test_there_is_room_for_so_many_and_so_many_of_one_host() -> None:
    leases = Leases(LeaseLimits(leases_max=4, per_host_max=2))
    leases.take(lease(1, 1), SAME, 0.0)
    leases.take(lease(2, 1), SAME, 0.0)
    with pytest.raises(LimitReached) as of_host:
        leases.take(lease(3, 1), SAME, 0.0)
    assert of_host.value.limit == "presence.per_host_max"
    leases.take(lease(3, 1), apart(3), 0.0)
    with pytest.raises(LimitReached):  # it would move to where there is no room, and stays what it was
        leases.take(lease(3, 2), SAME, 1.0)
    assert leases.held(peer(3), 1.0) == Held(1, 0.0, 60.0, apart(3))
    leases.take(lease(4, 1), apart(4), 0.0)
    with pytest.raises(LimitReached) as of_all:
        leases.take(lease(5, 1), apart(5), 0.0)
    assert of_all.value.limit == "presence.leases_max"
    leases.take(lease(2, 2), apart(2), 1.0)  # moves away
    leases.take(lease(3, 3), SAME, 1.0)
    leases.leave(peer(1), 2.0)
    leases.take(lease(5, 1), SAME, 2.0)


def test_what_has_ended_is_remembered_of_so_many() -> None:
    leases = Leases(LeaseLimits(remembered_max=2))
    for number in (1, 2, 3):
        leases.take(lease(number, 1), apart(number), 0.0)
        leases.leave(peer(number), 1.0)
    assert [leases.number_of(peer(number)) for number in (1, 2, 3)] == [None, 1, 1]


def test_coming_and_going_leaves_nothing_behind() -> None:
    leases = Leases(LeaseLimits(remembered_max=2))
    for seq in range(1, 1000):
        leases.take(lease(1, seq, 600 - seq % 500), apart(1), seq * 0.01)
        leases.leave(peer(1), seq * 0.01)
    assert len(leases._ends) <= 66
    assert len(leases._by_host) == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "leave", "expire"]),
        st.integers(0, 3),
        st.integers(1, 40),
        st.floats(0, 30, allow_nan=False),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_does_what_a_plain_table_does(steps: list[tuple[str, int, int, float]]) -> None:
    leases, now = Leases(), 0.0
    model: dict[int, tuple[float, float]] = {}
    told: set[object] = set()
    for seq, (what, number, valid_s, wait_s) in enumerate(steps, 1):
        now += wait_s
        model = {one: (since, until) for one, (since, until) in model.items() if until > now}
        match what:
            case "take":
                leases.take(lease(number, seq, valid_s), apart(number), now)
                model[number] = (model.get(number, (now, 0.0))[0], now + valid_s)
            case "leave":
                assert leases.leave(peer(number), now) == (number in model)
                model.pop(number, None)
            case _:
                leases.expire(now)
        found = {one: (held.since, held.until) for one, held in leases.online(now)}
        assert found == {peer(one): times for one, times in model.items()}
        if what == "expire":
            for change in leases.take_changes():
                told = told | {change.peer} if isinstance(change, CameOnline) else told - {change.peer}
            assert told == set(found)
