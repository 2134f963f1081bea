"""How much somebody may cause."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.services.discovery.purse import Purse


def test_it_is_full_at_first_and_fills_by_and_by() -> None:
    purse = Purse(3, 10.0, 0.0)
    assert purse.left(0.0) == 3
    purse.pay(3)
    assert purse.left(0.0) == 0
    assert purse.ready_at(0.0) == 10.0
    assert purse.left(9.9) == 0
    assert purse.left(10.0) == 1
    assert purse.ready_at(10.0) == 10.0
    assert purse.left(1000.0) == 3


def test_what_is_given_back_never_overflows() -> None:
    purse = Purse(3, 10.0, 0.0)
    purse.pay(1)
    purse.pay(-5)
    assert purse.left(0.0) == 3


@given(st.lists(st.floats(0.0, 20.0), max_size=50))
def test_over_time_no_more_is_paid_than_the_rate_allows(pauses: list[float]) -> None:
    purse, now, paid = Purse(4, 5.0, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        while purse.left(now):
            purse.pay(1)
            paid += 1
    assert paid <= 4 + now / 5.0 + 1e-6


@given(st.floats(0.0, 1e6), st.integers(0, 4))
def test_it_is_ready_when_it_says_so(now: float, paid: int) -> None:
    purse = Purse(4, 5.0, now)
    purse.pay(paid)
    assert purse.left(purse.ready_at(now)) >= 1
