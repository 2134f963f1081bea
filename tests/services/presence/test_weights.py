"""What votes weigh: shares are of all there is, one host and one network count once, fresh ones hardly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.presence.support import apart, peer
from warren.network.places import place_of
from warren.services.presence.weights import Census, Share, weight

RAMP_S = 3600.0


def census(*online: tuple[int, str, float]) -> Census:
    """number, host, weight."""
    return Census((peer(number), place_of(peer(number), host), weighs) for number, host, weighs in online)


def test_a_weight_grows_with_the_square_of_the_age_up_to_one() -> None:
    assert [weight(age_s, RAMP_S) for age_s in (-1, 0, 1800, 3600, 10**9)] == [0, 0, 0.25, 1, 1]
    assert weight(60, RAMP_S) == pytest.approx(1 / 3600)


def test_a_share_is_of_all_who_are_online_but_the_accused() -> None:
    found = census((0, "20.0.0.1", 1), (1, "20.0.1.1", 1), (2, "20.0.2.1", 1), (3, "20.0.3.1", 1))
    assert found.share(peer(0), {peer(1), peer(2)}) == Share(2 / 3, 2, 2, 3)
    assert found.share(peer(9), {peer(1), peer(2)}) == Share(0.5, 2, 2, 4)


def test_the_accused_and_who_is_not_online_have_no_say() -> None:
    found = census((0, "20.0.0.1", 1), (1, "20.0.1.1", 1))
    assert found.share(peer(0), {peer(0), peer(7)}) == Share(0.0, 0, 0, 1)


def test_where_nobody_weighs_anything_nobody_is_outvoted() -> None:
    assert Census(()).share(peer(0), {peer(1)}) == Share(0.0, 0, 0, 0)
    assert census((1, "20.0.1.1", 0)).share(peer(0), {peer(1)}).share == 0.0


def test_one_host_is_one_voice_however_many_speak_there() -> None:
    crowd = [(number, "20.0.9.1", 1.0) for number in range(10, 60)]
    found = census((1, "20.0.1.1", 1), (2, "20.0.2.1", 1), *crowd)
    assert found.share(peer(0), {peer(number) for number in range(10, 60)}).share == pytest.approx(1 / 3)
    # Half of those on it speak for half of it.
    assert found.share(peer(0), {peer(number) for number in range(10, 35)}).share == pytest.approx(1 / 6)


def test_one_network_is_one_voice_however_many_hosts_it_has() -> None:
    block = [(number, f"20.0.9.{number}", 1.0) for number in range(10, 60)]
    found = census((1, "20.0.1.1", 1), (2, "20.0.2.1", 1), *block)
    assert found.share(peer(0), {peer(number) for number in range(10, 60)}).share == pytest.approx(1 / 3)


def test_in_a_lan_each_host_has_its_say() -> None:
    found = census(*[(number, f"192.168.1.{number + 1}", 1.0) for number in range(5)])
    assert found.share(peer(0), {peer(1)}).share == pytest.approx(1 / 4)
    assert found.share(peer(0), {peer(1), peer(2), peer(3)}).share == pytest.approx(3 / 4)


def test_a_fresh_identity_beside_an_old_one_does_not_speak_for_their_host() -> None:
    found = census((1, "20.0.1.1", 1), (2, "20.0.1.1", 0.001), (3, "20.0.3.1", 1))
    assert found.share(peer(0), {peer(2)}).share == pytest.approx(0.5 * 0.001 / 1.001)


PEOPLE = st.lists(
    st.tuples(
        st.sampled_from([f"20.0.{net}.{host}" for net in range(3) for host in range(3)]),
        st.floats(0, 1, allow_subnormal=False),
    ),
    max_size=12,
)


@given(PEOPLE, st.sets(st.integers(0, 12)), st.integers(0, 12))
def test_a_share_is_a_share_and_more_accusers_never_have_less(
    people: list[tuple[str, float]], accusers: set[int], accused: int
) -> None:
    found = census(*[(number, host, weighs) for number, (host, weighs) in enumerate(people)])
    some = found.share(peer(accused), {peer(one) for one in accusers})
    everybody = found.share(peer(accused), {peer(one) for one in range(len(people))})
    assert 0.0 <= some.share <= everybody.share + 1e-9 <= 1.0 + 2e-9
    assert some.online == everybody.online == everybody.accusers
    heavy = any(weighs > 1e-100 for number, (_, weighs) in enumerate(people) if number != accused)
    if heavy:
        assert everybody.share == pytest.approx(1.0)


def test_who_weighs_next_to_nothing_counts_once_the_heavy_one_is_accused() -> None:
    for other in ("20.0.0.0", "20.0.1.0"):
        found = census((0, "20.0.0.0", 1.0), (1, other, 1e-38))
        assert found.share(peer(0), {peer(1)}).share == pytest.approx(1.0)


@given(PEOPLE, st.integers(1, 5))
def test_more_identities_on_one_host_do_not_make_it_heavier(
    people: list[tuple[str, float]], more: int
) -> None:
    others = [(number, host, weighs) for number, (host, weighs) in enumerate(people)]
    one = census(*others, (100, "30.0.0.1", 1.0))
    crowd = census(*others, *[(100 + number, "30.0.0.1", 1.0) for number in range(more)])
    alone = one.share(peer(99), {peer(100)}).share
    together = crowd.share(peer(99), {peer(100 + number) for number in range(more)}).share
    assert together == pytest.approx(alone)


def test_the_heaviest_are_the_same_for_all_but_the_accused_itself() -> None:
    census = Census((peer(number), apart(number), number / 10) for number in range(8))
    assert census.heaviest(3, peer(0)) == [peer(7), peer(6), peer(5)]
    assert census.heaviest(3, peer(6)) == [peer(7), peer(5), peer(4)]
    assert census.heaviest(20, peer(7)) == [peer(number) for number in range(6, -1, -1)]
