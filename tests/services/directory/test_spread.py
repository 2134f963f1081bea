"""Places on a list, which nobody fills alone as long as others may have something."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.directory.made import entry, key
from warren.core.found import Found
from warren.services.directory.spread import Spread

A = key(1).peer_id


def found(name: str, owner: int = 1) -> Found:
    return Found(key(owner).peer_id, entry(name), 1.0, online=True)


def names(shown: list[Found]) -> list[str]:
    return [one.entry.path for one in shown]


def offer(spread: Spread, source: int, *some: str) -> list[str]:
    return [name for one in some for name in names(spread.offer(source, found(one)))]


def test_who_is_asked_alone_has_all_places() -> None:
    spread = Spread(2, 1)
    assert offer(spread, 0, "a", "b", "c") == ["a", "b"]
    assert names(spread.end(0)) == []


def test_each_has_a_share_and_who_ends_leaves_its_own_to_the_others() -> None:
    spread = Spread(6, 3)
    assert offer(spread, 0, "a", "b", "c", "d", "e") == ["a", "b"]
    assert offer(spread, 1, "x") == ["x"]
    assert names(spread.end(2)) == ["c"]
    assert names(spread.end(1)) == ["d", "e"]
    assert offer(spread, 0, "f", "g") == []
    assert names(spread.end(0)) == []


def test_what_is_left_is_dealt_out_in_turn() -> None:
    spread = Spread(7, 3)
    offer(spread, 0, "a", "b", "c", "d", "e")
    offer(spread, 1, "x", "y", "z", "q")
    assert names(spread.end(0)) == []
    assert names(spread.open()) == ["c", "z", "d"]
    assert offer(spread, 2, "late") == []
    assert names(spread.end(1)) == names(spread.end(2)) == []


def test_what_is_shown_takes_no_second_place_and_all_who_hold_it_are_told() -> None:
    spread = Spread(4, 2)
    assert offer(spread, 0, "a", "b", "c") == ["a", "b"]
    assert offer(spread, 1, "a") == ["a"]
    one = spread.offer(1, found("c", 2))
    assert [hit.owner for hit in one] == [key(2).peer_id, A]
    assert offer(spread, 1, "d") == ["d"]


def test_more_than_there_are_places_for_is_not_kept() -> None:
    spread = Spread(4, 2)
    offer(spread, 0, *(f"{number}" for number in range(100)))
    assert sum(map(len, spread._kept[0].values())) == 4
    assert names(spread.open()) == ["2", "3"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["find", "find", "find", "end", "open"]), st.integers(0, 3), st.integers(0, 20)
    ),
    max_size=60,
)


@given(st.integers(1, 12), steps)
def test_all_places_are_taken_in_the_end_and_nothing_is_shown_twice(
    limit: int, some: list[tuple[str, int, int]]
) -> None:
    spread, ended = Spread(limit, 4), set()
    shown: list[str] = []
    said: set[tuple[int, str]] = set()
    for what, source, number in some:
        if what == "open":
            shown += names(spread.open())
        elif what == "end":
            ended.add(source)
            shown += names(spread.end(source))
        elif source not in ended and (source, f"{number}") not in said:
            said.add((source, f"{number}"))
            shown += offer(spread, source, f"{number}")
    for source in range(4):
        shown += names(spread.end(source))
    assert len(set(shown)) <= limit
    if not any(what == "open" for what, _, _ in some):
        assert len(set(shown)) == min(limit, len({name for _, name in said}))


@given(st.integers(1, 20), st.integers(2, 5))
def test_whoever_answers_in_time_finds_a_place(limit: int, others: int) -> None:
    spread = Spread(limit, others + 1)
    offer(spread, 0, *(f"map {number}" for number in range(limit)))
    spread.end(0)
    shown = [offer(spread, one, f"{one}") for one in range(1, others + 1)]
    assert sum(map(bool, shown)) >= min(others, limit - 1)
