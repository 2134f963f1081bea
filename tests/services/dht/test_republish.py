from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.services.dht.republish import Publish, Republish, RepublishPolicy, Wait

HOUR = 3600.0
POLICY = RepublishPolicy()


def schedule(policy: RepublishPolicy = POLICY, seed: int = 1) -> Republish[str]:
    return Republish(policy, random.Random(seed))


def until(made: Republish[str], now: float) -> float:
    step = made.next(now)
    assert isinstance(step, Wait)
    assert step.until is not None
    return step.until


def test_nothing_published_is_nothing_to_do() -> None:
    assert schedule().next(0.0) == Wait(None)


def test_what_was_put_now_is_put_again_within_22_hours() -> None:
    made = schedule()
    made.add("a", 100.0, age_s=0.0)
    due = until(made, 100.0)
    assert 100 + 0.9 * 22 * HOUR <= due <= 100 + 22 * HOUR
    assert made.next(due) == Publish("a")
    assert made.due("a") is None
    made.published("a", due + 5)
    again = until(made, due + 5)
    assert due + 5 + 0.9 * 22 * HOUR <= again <= due + 5 + 22 * HOUR


def test_what_is_overdue_at_the_start_is_spread_over_a_minute() -> None:
    made = schedule(RepublishPolicy(at_once_max=100))
    for number in range(50):
        made.add(str(number), 0.0, age_s=None if number % 2 else 23 * HOUR)
    dues = [made.due(str(number)) or 0.0 for number in range(50)]
    assert min(dues) < 10
    assert 50 < max(dues) <= 60


@pytest.mark.parametrize("age_s", [-1.0, -1e9])
def test_a_clock_that_was_wrong_delays_nothing_beyond_the_interval(age_s: float) -> None:
    made = schedule()
    made.add("a", 0.0, age_s=age_s)
    assert until(made, 0.0) <= 22 * HOUR


def test_failures_are_repeated_ever_later_up_to_an_hour() -> None:
    made, now = schedule(), 0.0
    made.add("a", now, age_s=None)
    waits = []
    for _ in range(40):
        now = until(made, now)
        assert made.next(now) == Publish("a")
        made.failed("a", now)
        waits.append(until(made, now) - now)
    assert 15 <= waits[0] <= 30
    assert 30 <= waits[1] <= 60
    assert all(1800 <= wait <= 3600 for wait in waits[-30:])
    made.retry_soon(now)
    assert until(made, now) <= now + 2


def test_what_did_not_fail_is_not_hurried() -> None:
    made = schedule()
    made.add("a", 0.0, age_s=0.0)
    made.retry_soon(0.0)
    assert until(made, 0.0) > HOUR


def test_only_so_many_at_once() -> None:
    made = schedule(RepublishPolicy(at_once_max=2))
    for name in "abc":
        made.add(name, 0.0, age_s=None)
    first, second = made.next(60.0), made.next(60.0)
    assert isinstance(first, Publish)
    assert isinstance(second, Publish)
    assert made.next(60.0) == Wait(None)
    made.published(first.item, 60.0)
    assert isinstance(made.next(60.0), Publish)


def test_what_was_taken_back_is_put_no_more_also_while_it_is_under_way() -> None:
    made = schedule(RepublishPolicy(at_once_max=1))
    made.add("a", 0.0, age_s=None)
    made.add("b", 0.0, age_s=None)
    step = made.next(60.0)
    assert isinstance(step, Publish)
    made.remove(step.item)
    made.published(step.item, 61.0)
    made.failed(step.item, 61.0)
    other = made.next(61.0)
    assert isinstance(other, Publish)
    assert other.item != step.item
    assert len(made) == 1


def test_putting_one_name_again_and_again_keeps_the_memory_small() -> None:
    made = schedule()
    for number in range(5000):
        made.add("a", float(number), age_s=0.0)
    assert len(made._heap) < 100
    assert until(made, 5000.0) > 5000.0


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "published", "failed", "wait"]), st.sampled_from("abcd")),
        max_size=60,
    ),
    st.integers(1, 3),
    st.integers(0, 99),
)
def test_everything_that_is_published_is_put_in_time(
    steps: list[tuple[str, str]], at_once_max: int, seed: int
) -> None:
    """Whatever happens, an item is never left without a date, and never put twice at once."""
    made = schedule(RepublishPolicy(at_once_max=at_once_max), seed)
    kept: set[str] = set()
    under_way: set[str] = set()
    now = 0.0
    for action, name in steps:
        if action == "add":
            made.add(name, now, age_s=0.0)
            kept.add(name)
            under_way.discard(name)
        elif action == "remove":
            made.remove(name)
            kept.discard(name)
            under_way.discard(name)
        elif action == "wait":
            now += 12 * HOUR
        elif name in under_way:
            made.published(name, now) if action == "published" else made.failed(name, now)
            under_way.discard(name)
        while isinstance(step := made.next(now), Publish):
            assert step.item in kept - under_way
            under_way.add(step.item)
        assert len(under_way) <= at_once_max
    for name in kept:
        due = made.due(name)
        assert (due is None) == (name in under_way)
        assert due is None or due <= now + 22 * HOUR
