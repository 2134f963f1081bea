"""Leases end by themselves, and old ones count for nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.directory.made import key
from warren.network.places import place_of
from warren.services.directory import leases as module
from warren.services.directory.leases import Held, Leases, Taken

A, B, C = (key(number).peer_id for number in (1, 2, 3))


def test_a_lease_lasts_as_long_as_it_says_and_renewing_it_lengthens_it() -> None:
    assert Leases(10).next_at is None
    leases = Leases(10)
    assert leases.take(A, 1, 60, 0.0) is Taken.NEW
    assert leases.take(A, 2, 60, 20.0) is Taken.RENEWED
    assert leases.next_at == 60.0
    assert leases.expire(60.0) == []
    assert leases.next_at == 80.0
    assert leases.expire(79.9) == []
    assert (A in leases, leases.held_s(A, 79.9)) == (True, 79.9)
    assert leases.expire(80.0) == [A]
    assert A not in leases
    assert leases.held_s(A, 80.0) is None


def test_an_old_number_counts_for_nothing_also_after_it_left() -> None:
    leases = Leases(10)
    leases.take(A, 5, 60, 0.0)
    assert leases.take(A, 5, 60, 1.0) is Taken.OLD
    assert leases.leave(A)
    assert not leases.leave(A)
    assert leases.take(A, 5, 60, 2.0) is Taken.OLD
    assert leases.take(A, 6, 60, 2.0) is Taken.NEW
    assert leases.expire(62.0) == [A]
    assert leases.take(A, 6, 60, 63.0) is Taken.OLD


def test_what_may_have_gone_is_held_for_there_a_little_longer() -> None:
    leases = Leases(10)
    leases.take(A, 1, 60, 0.0)
    leases.shorten(A, 5.0)
    leases.shorten(A, 7.0)  # not longer again
    leases.shorten(B, 5.0)
    assert leases.expire(4.9) == []
    assert leases.take(A, 2, 60, 4.9) is Taken.RENEWED
    assert leases.expire(5.0) == []
    leases.shorten(A, 6.0)
    assert leases.expire(6.0) == [A]
    assert leases.expire(100.0) == []


def test_there_is_room_for_so_many() -> None:
    leases = Leases(2)
    leases.take(A, 1, 60, 0.0)
    leases.take(B, 1, 60, 0.0)
    assert leases.take(C, 1, 60, 0.0) is Taken.FULL
    assert leases.take(A, 2, 60, 0.0) is Taken.RENEWED
    leases.leave(B)
    assert leases.take(C, 1, 60, 0.0) is Taken.NEW
    assert (leases.peers(), len(leases)) == ([A, C], 2)


def test_who_left_is_forgotten_when_too_many_did() -> None:
    module.LEFT_MAX, before = 2, module.LEFT_MAX  # type: ignore[misc]
    try:
        leases = Leases(10)
        for number, peer in enumerate((A, B, C)):
            leases.take(peer, 9, 60, number)
            leases.leave(peer)
        assert leases.take(A, 1, 60, 5.0) is Taken.NEW
        assert leases.take(C, 9, 60, 5.0) is Taken.OLD
    finally:
        module.LEFT_MAX = before  # type: ignore[misc]


def test_what_a_vote_weighs_by_is_known_of_each() -> None:
    leases = Leases(10)
    there, elsewhere = place_of(A, "20.0.0.1"), place_of(A, "20.0.0.2")
    leases.take(A, 1, 60, 0.0, there)
    leases.take(A, 2, 60, 50.0, elsewhere)
    assert leases.get(A) == Held(2, 0.0, 110.0, elsewhere)
    assert list(leases.items()) == [(A, Held(2, 0.0, 110.0, elsewhere))]
    assert (leases.number_of(A), leases.number_of(B), leases.get(B)) == (2, None, None)
    leases.leave(A)
    assert (leases.number_of(A), leases.get(A)) == (2, None)
    leases.take(A, 3, 60, 60.0, there)
    assert leases.held_s(A, 70.0) == 10.0  # after a break the age begins anew


def test_one_host_does_not_take_all_the_room() -> None:
    module.PER_HOST_MAX, before = 2, module.PER_HOST_MAX  # type: ignore[misc]
    try:
        leases = Leases(10)
        one, other = place_of(A, "2a00::1"), place_of(A, "2a00:0:0:1::1")
        same = place_of(B, "2a00::2")  # another address of the same /64
        assert leases.take(A, 1, 60, 0.0, one) is Taken.NEW
        assert leases.take(B, 1, 60, 0.0, same) is Taken.NEW
        assert leases.take(C, 1, 60, 0.0, one) is Taken.FULL
        assert leases.take(C, 1, 60, 0.0, other) is Taken.NEW
        assert leases.take(C, 2, 60, 0.0, one) is Taken.FULL  # nor who moves there
        assert leases.take(A, 2, 60, 0.0, one) is Taken.RENEWED
        leases.leave(B)
        assert leases.take(C, 3, 60, 0.0, one) is Taken.RENEWED
        assert leases.expire(60.0) == [A, C]
        assert not leases._by_host
    finally:
        module.PER_HOST_MAX = before  # type: ignore[misc]


def test_who_comes_and_goes_and_flickers_leaves_nothing_in_the_queue() -> None:
    leases = Leases(10)
    leases.take(A, 0, 60, 0.0)
    for number in range(1, 1000):
        now = number / 10
        leases.shorten(A, now + 5)  # its connection broke, and it came back
        leases.take(A, number, 60, now)
        leases.take(B, number, 60, now)
        leases.leave(B)
        assert leases.expire(now) == []
        assert len(leases._queue) <= 2 * len(leases) + 65
    leases.take(A, 1000, 600, 100.0)
    assert leases.expire(160.0) == []
    assert len(leases._queue) == 1


steps = st.lists(
    st.tuples(
        st.sampled_from(["take", "leave", "shorten", "look"]),
        st.sampled_from([A, B, C]),
        st.integers(1, 30),
    ),
    max_size=60,
)


@given(steps)
def test_it_agrees_with_the_plainest_one(some: list[tuple[str, object, int]]) -> None:
    leases, plain, now = Leases(10), {}, 0.0
    for number, (what, peer, seconds) in enumerate(some):
        if what == "take":
            leases.take(peer, number, seconds, now)  # type: ignore[arg-type]
            plain[peer] = now + seconds
        elif what == "leave":
            assert leases.leave(peer) == (plain.pop(peer, None) is not None)  # type: ignore[arg-type]
        elif what == "shorten":
            leases.shorten(peer, now + 2)  # type: ignore[arg-type]
            if peer in plain:
                plain[peer] = min(plain[peer], now + 2)
        else:
            now += seconds / 3
            gone = {one for one, until in plain.items() if until <= now}
            assert set(leases.expire(now)) == gone
            for one in gone:
                del plain[one]
        assert set(leases.peers()) == set(plain)
        assert leases.next_at is None or not plain or leases.next_at <= min(plain.values())
        assert plain == {} or leases.next_at is not None
