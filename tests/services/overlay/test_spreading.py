"""One who answers crowds out no other, and nothing of worth is lost."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.overlay.support import hit, peer
from warren.services.overlay.spreading import HOLDERS_MAX, HOLDERS_OF_SOURCE_MAX, Spread, of_owners

A, B, C = peer(1), peer(2), peer(3)


def spread(wanted: int, sources: int = 2, hits_max: int = 1000) -> Spread:
    one = Spread(wanted, lambda _, hit: (hit.owner, hit.entry.path, hit.entry.cid), hits_max)
    one.among(sources)
    return one


def test_one_source_has_half_at_once_and_the_rest_if_nobody_else_has_more() -> None:
    one = spread(5)
    assert one.take(A, A, map(hit, range(9)), room=99) == [hit(0), hit(1), hit(2)]
    assert (one.left, one.enough) == (2, False)
    assert one.take(B, C, [hit(20)], room=99) == [hit(20)]
    assert one.release() == [(A, hit(3))]
    assert one.enough
    assert one.take(B, B, [hit(21)], room=99) == []
    assert one.release() == []


def test_alone_it_has_all() -> None:
    assert spread(5, sources=1).take(A, A, map(hit, range(9)), room=99) == [*map(hit, range(5))]
    assert spread(5).take(A, A, map(hit, range(9)), room=99, ours=True) == [*map(hit, range(5))]


def test_what_waited_comes_one_of_each_in_turn() -> None:
    one = spread(6)
    one.take(A, A, map(hit, range(6)), room=99)
    one.take(B, B, map(hit, range(10, 11)), room=99)
    one.renew(4)
    one.among(2)
    one.take(B, B, map(hit, range(10, 16)), room=99)
    assert [found for _, found in one.release()] == [hit(3), hit(13)]


def test_another_holder_of_a_known_content_takes_no_place() -> None:
    one = spread(2)
    same = [hit(number, content="same") for number in range(3)]
    assert one.take(A, A, [same[0], same[1], same[0]], room=99) == same[:2]
    assert one.take(B, B, [hit(9), same[2]], room=99) == [hit(9), same[2]]


def test_holders_of_one_content_are_bounded_for_each_source_and_for_all() -> None:
    one = spread(5)
    for source, passed in ((A, HOLDERS_OF_SOURCE_MAX), (B, HOLDERS_OF_SOURCE_MAX), (C, 0)):
        same = [hit(number, str(source), content="same") for number in range(99)]
        assert len(one.take(source, source, same, room=99)) == passed
    assert one.hits == HOLDERS_MAX


def test_a_popular_content_is_enough_when_several_have_it() -> None:
    one = spread(10)
    copies = [hit(number, content="same") for number in range(12)]
    one.take(A, A, copies, room=99)
    assert not one.enough  # for all that is known it is one who makes up holders
    one.take(B, B, [hit(99, content="same")], room=99)
    assert one.enough


def test_no_single_source_says_that_it_is_enough() -> None:
    for contents in range(1, 11):
        one = spread(20)
        for content in range(contents):
            one.take(A, A, [hit(n, f"{n}", content=content) for n in range(99)], room=0)
        assert not one.enough


def test_hits_and_those_that_wait_are_bounded() -> None:
    one = spread(100, hits_max=10)
    assert len(one.take(A, A, map(hit, range(50)), room=0)) == 5
    assert len(one.take(B, B, map(hit, range(50, 99)), room=0)) == 5
    two = spread(8)
    two.take(A, A, map(hit, range(8)), room=1)
    assert two.held == 1
    assert two.release() == [(A, hit(4))]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=80), st.integers(1, 12))
def test_as_much_as_is_wanted_comes_and_no_more(sent: list[tuple[int, int]], wanted: int) -> None:
    one, passed, half = spread(wanted), [], -(-wanted // 2)
    first: dict[int, int] = {}
    for source, number in sent:
        fresh = one.take(peer(source), peer(source), [hit(number)], room=999)
        if fresh:
            first[number] = source
        passed += fresh
    assert all(count <= half for count in Counter(first.values()).values())
    passed += [found for _, found in one.release()]
    assert len(passed) == len(set(passed)) == min(wanted, len({number for _, number in sent}))


def test_an_owner_of_many_does_not_fill_the_answer_of_an_index_alone() -> None:
    many = [hit(1, f"lighthouse {number}") for number in range(20)]
    few = [hit(2), hit(3)]
    assert of_owners([*many, *few], 6) == [*many[:3], *few, many[3]]
    assert of_owners(many, 6) == many[:6]
    assert of_owners([], 6) == []
