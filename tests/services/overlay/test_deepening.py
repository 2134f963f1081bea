"""Rounds grow while too little was found, and end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.services.overlay.deepening import AskRare, Deepening, DeepeningPolicy, End, Round

POLICY = DeepeningPolicy(widen_max=100, rare_hits=5)


def test_rounds_grow_as_far_as_summaries_cover_the_rest() -> None:
    machine = Deepening(5, POLICY, rare=False)
    steps = [machine.next(1, 8) for _ in range(6)]
    assert steps == [Round(1, 1, 0), Round(2, 2, 0), Round(3, 3, 1), Round(4, 4, 2), Round(5, 5, 3), End()]


@pytest.mark.parametrize(
    ("ttl", "rounds"),
    [
        (1, [Round(1, 1, 0), Round(2, 1, 1)]),
        (2, [Round(1, 1, 0), Round(2, 2, 0), Round(3, 2, 1), Round(4, 2, 2)]),
    ],
)
def test_where_nothing_is_found_a_few_are_asked_whatever_summaries_say(ttl: int, rounds: list[Round]) -> None:
    machine = Deepening(ttl, POLICY, rare=False)
    assert [machine.next(0, 8) for _ in range(len(rounds) + 1)] == [*rounds, End()]
    machine = Deepening(ttl, POLICY, rare=False)
    steps = [machine.next(0, POLICY.blind_max + 1) for _ in range(5)]
    assert [step for step in steps if step != End()] == [one for one in rounds if not one.breadth]


def test_enough_ends_it() -> None:
    machine = Deepening(5, POLICY, rare=True)
    machine.next(0, 0)
    assert machine.next(20, 8, enough=True) == End()


def test_nobody_left_or_too_many_is_the_end_or_the_dht() -> None:
    for ring in (0, 101):
        machine = Deepening(5, POLICY, rare=True)
        assert [machine.next(4, ring) for _ in range(4)] == [Round(1, 1, 0), Round(2, 2, 0), AskRare(), End()]
        machine = Deepening(5, POLICY, rare=True)
        assert [machine.next(5, ring) for _ in range(3)] == [Round(1, 1, 0), Round(2, 2, 0), End()]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 32),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 200)), min_size=40),
    st.booleans(),
)
def test_it_ends_whatever_comes(ttl: int, answers: list[tuple[int, int]], rare: bool) -> None:
    machine = Deepening(ttl, POLICY, rare=rare)
    steps = [machine.next(*answer) for answer in answers]
    rounds = [step for step in steps if isinstance(step, Round)]
    assert End() in steps
    assert [step.number for step in rounds] == list(range(1, len(rounds) + 1))
    assert all(step.breadth <= step.ttl <= ttl for step in rounds)
    assert steps.count(AskRare()) <= rare
