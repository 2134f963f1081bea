from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.protocols.kad.shares import Full, Shares


def fit(shares: Shares[int], owner: str, thing: int, cost: int) -> list[int]:
    """Put a thing in; return what went for it."""
    owners = {}
    gone = []
    while (victim := shares.in_the_way(owner, cost)) is not None:
        owners = {thing: name for name, share in shares._by_owner.items() for thing in share.things}
        shares.remove(owners[victim], victim)
        gone.append(victim)
    shares.add(owner, thing, cost)
    return gone


def test_whoever_has_most_makes_room_with_its_oldest() -> None:
    shares: Shares[int] = Shares(4)
    for number, owner in enumerate("aaab"):
        assert fit(shares, owner, number, 1) == []
    assert fit(shares, "c", 4, 1) == [0]
    assert fit(shares, "b", 5, 1) == [1]
    with pytest.raises(Full):
        fit(shares, "b", 6, 1)


def test_a_flood_pushes_out_itself() -> None:
    shares: Shares[int] = Shares(3)
    fit(shares, "honest", 0, 1)
    for number in range(1, 3):
        fit(shares, "flood", number, 1)
    with pytest.raises(Full):  # it would have more than anybody has
        fit(shares, "flood", 3, 1)
    assert fit(shares, "another", 4, 1) == [1]


def test_what_is_larger_than_the_room_never_fits() -> None:
    shares: Shares[int] = Shares(3)
    with pytest.raises(Full):
        fit(shares, "a", 1, 4)


def test_what_is_spared_does_not_go_and_stays_as_old_as_it_is() -> None:
    shares: Shares[int] = Shares(4)
    for number in range(4):
        fit(shares, "a", number, 1)
    shares.weigh("a", 0, 0)
    assert shares.in_the_way("b", 1, sparing=0) is None
    assert shares.in_the_way("b", 2, sparing=0) == 1
    with pytest.raises(Full):
        shares.in_the_way("b", 4, sparing=0)
    shares.weigh("a", 0, 1)
    assert shares.used == 4
    assert shares.in_the_way("b", 1) == 0


def test_a_crowd_of_owners_costs_little_memory() -> None:
    shares: Shares[int] = Shares(10**9)
    for number in range(5000):
        shares.add(f"owner {number % 10}", number, 1)
        if number >= 20:
            shares.remove(f"owner {number % 10}", number - 20)
    assert len(shares._by_size) < 100


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 6), st.booleans()), max_size=40),
)
def test_the_room_is_never_exceeded_and_nobody_loses_to_who_has_more(
    room: int, steps: list[tuple[str, int, bool]]
) -> None:
    shares: Shares[int] = Shares(room)
    owned: dict[int, tuple[str, int]] = {}

    def used(owner: str) -> int:
        return sum(cost for name, cost in owned.values() if name == owner)

    for number, (owner, cost, is_in) in enumerate(steps):
        mine = [thing for thing, (name, _) in owned.items() if name == owner]
        if not is_in and mine:
            shares.remove(owner, mine[0])
            del owned[mine[0]]
            continue
        try:
            while (victim := shares.in_the_way(owner, cost)) is not None:
                loser, _ = owned[victim]
                assert used(loser) >= used(owner) + cost
                assert victim == min(thing for thing, (name, _) in owned.items() if name == loser)
                shares.remove(loser, victim)
                del owned[victim]
        except Full:
            assert all(used(name) < used(owner) + cost for name in "abcd" if name != owner)
            continue
        shares.add(owner, number, cost)
        owned[number] = (owner, cost)
        assert shares.used == sum(cost for _, cost in owned.values()) <= room
