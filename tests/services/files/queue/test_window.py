from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.services.files.queue.window import MINUTES, Window, minute_of_day

minutes = st.integers(0, MINUTES - 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("22:00-06:00", "22:00-06:00"), (" 1:05 - 23:59 ", "01:05-23:59"), ("0:00-0:01", "00:00-00:01")],
)
def test_spans_are_read(text: str, shown: str) -> None:
    assert str(Window.parse(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "22-6", "24:00-06:00", "22:60-06:00", "22:00-22:00", "1:00-2:0", "\u0661:00-2:00"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no span of a day"):
        Window.parse(text)


def test_a_span_reaches_over_midnight() -> None:
    night = Window.parse("22:00-06:00")
    assert [night.is_open(60 * hour) for hour in (21, 22, 23, 0, 5, 6, 12)] == [
        False,
        True,
        True,
        True,
        True,
        False,
        False,
    ]
    assert night.opens == "22:00"


@given(minutes, minutes)
def test_a_span_and_the_rest_of_the_day_share_no_minute(begin: int, end: int) -> None:
    if begin == end:
        return
    one, other = Window(begin, end), Window(end, begin)
    assert all(one.is_open(minute) != other.is_open(minute) for minute in range(MINUTES))
    assert Window.parse(str(one)) == one


@given(st.floats(0, 4e9))
def test_a_minute_of_the_day_is_one(wall: float) -> None:
    assert 0 <= minute_of_day(wall) < MINUTES
    assert minute_of_day(wall + 86_400) in range(MINUTES)
