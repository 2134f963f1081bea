from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.network.yamux.budget import TotalBudget, WindowBudget, WindowLimits

KIB = 1024


def test_a_window_doubles_until_the_stream_has_its_most() -> None:
    budget = WindowBudget(TotalBudget(WindowLimits(stream_bytes_max=1024 * KIB)))
    assert budget.grant(256 * KIB) == 256 * KIB
    assert budget.grant(512 * KIB) == 512 * KIB
    assert budget.grant(1024 * KIB) == 0


def test_one_connection_cannot_take_all() -> None:
    total = TotalBudget(WindowLimits(connection_bytes_max=500, total_bytes_max=800))
    greedy, modest = WindowBudget(total), WindowBudget(total)
    assert [greedy.grant(250) for _ in range(3)] == [250, 250, 0]
    assert modest.grant(300) == 300
    assert modest.grant(100) == 0, "the node has no more"
    greedy.give_back(250)
    assert modest.grant(100) == 100


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400), st.booleans()), max_size=60))
def test_the_sums_hold_whatever_comes_and_goes(steps: list[tuple[int, int, bool]]) -> None:
    limits = WindowLimits(stream_bytes_max=1000, connection_bytes_max=700, total_bytes_max=1500)
    total = TotalBudget(limits)
    budgets = [WindowBudget(total) for _ in range(4)]
    grown: list[list[int]] = [[], [], [], []]
    for which, size, back in steps:
        if back and grown[which]:
            budgets[which].give_back(grown[which].pop())
        elif granted := budgets[which].grant(size):
            assert granted == size
            grown[which].append(granted)
        assert total.granted == sum(map(sum, grown)) <= limits.total_bytes_max
        assert all(sum(one) <= limits.connection_bytes_max for one in grown)
    for which, parts in enumerate(grown):
        for part in parts:
            budgets[which].give_back(part)
    assert total.granted == 0


def test_unread_bytes_are_bounded_by_connection_and_by_node() -> None:
    limits = WindowLimits(held_connection_bytes_max=100, held_total_bytes_max=150, held_reserved_bytes=10)
    total = TotalBudget(limits)
    one, other, third = (WindowBudget(total) for _ in range(3))
    assert one.hold(100)
    assert not one.hold(1), "that of the connection is used up"
    assert other.hold(50)
    assert not other.hold(1), "that of the node is used up"
    assert third.hold(10), "what is reserved for each connection"
    assert not third.hold(1)
    one.release(60)
    assert other.hold(50)
    other.release(1000)
    assert total.held == 50
    for budget in (one, other, third):
        budget.close()
    assert total.held == 0


def test_streams_are_bounded_by_connection_and_by_node() -> None:
    total = TotalBudget(WindowLimits(streams_total_max=4, streams_reserved=1))
    hoarder, late = WindowBudget(total), WindowBudget(total)
    assert [hoarder.open_stream(5) for _ in range(5)] == [True, True, True, True, False]
    assert [late.open_stream(5) for _ in range(2)] == [True, False], "a few are reserved for each connection"
    hoarder.close_stream()
    hoarder.close_stream()
    assert late.open_stream(5)
    assert not late.open_stream(2), "the limit of the connection itself"
    hoarder.close()
    late.close()
    assert total.streams == 0
    assert hoarder.streams == late.streams == 0
