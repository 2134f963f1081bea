"""Room that nobody can take from all others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.services.directory.room import Room


def test_one_network_has_half_of_what_the_others_leave() -> None:
    room: Room[str] = Room(100)
    assert room.to_free("a", "one", 50) == []
    assert room.to_free("a", "one", 51) is None
    room.hold("a", "one", 50)
    assert room.to_free("a", "one", 50) == []  # what it has already is not counted twice
    assert room.to_free("b", "one", 1) is None
    assert room.to_free("b", "two", 25) == []
    assert room.to_free("b", "two", 26) is None
    room.hold("a", "two", 20)
    assert room.to_free("b", "one", 40) == []
    room.free("a")
    room.free("a")
    assert (room.total, room.to_free("b", "two", 50)) == (0, [])


def test_who_is_of_no_network_has_all_there_is() -> None:
    room: Room[str] = Room(100)
    room.hold("a", None, 60)
    assert room.to_free("b", None, 40) == []
    assert room.to_free("b", None, 41) is None


def test_nobody_is_refused_what_it_has() -> None:
    room: Room[str] = Room(100)
    room.hold("a", "one", 40)
    room.hold("b", None, 50)
    assert room.to_free("a", "one", 40) == room.to_free("a", "one", 30) == []
    assert room.to_free("a", "one", 41) is None


def test_the_idle_make_room_the_first_ones_first_and_only_where_it_helps() -> None:
    room: Room[str] = Room(100)
    for holder, group, size in (("a", "one", 30), ("b", "two", 30), ("c", "two", 10), ("d", "three", 10)):
        room.hold(holder, group, size)
    assert room.to_free("e", "four", 10, ["b", "a"]) == []
    assert room.to_free("e", "four", 15, ["nobody", "e", "b", "a"]) == ["b"]
    assert room.to_free("e", "four", 60, ["b", "a"]) is None
    assert room.total == 80


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([None, "one", "two"]),
            st.integers(0, 60),
            st.sets(st.integers(0, 5)),
        ),
        max_size=30,
    )
)
def test_it_never_holds_more_than_there_is(steps: list[tuple[int, str | None, int, set[int]]]) -> None:
    room: Room[int] = Room(100)
    sizes: dict[int, int] = {}
    for holder, group, size, idle in steps:
        freed = room.to_free(holder, group, size, sorted(idle))
        assert freed is None or set(freed) <= idle - {holder}
        if freed is not None:
            for one in freed:
                room.free(one)
                sizes.pop(one)
            room.hold(holder, group, size)
            sizes[holder] = size
        assert room.total == sum(sizes.values()) <= 100
