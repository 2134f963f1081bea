from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.protocols.kad import rfc3339

FIRST = -62135596800 * rfc3339.NANOSECONDS
LAST = 253402300800 * rfc3339.NANOSECONDS - 1


@given(st.integers(FIRST, LAST))
def test_round_trip(time_ns: int) -> None:
    assert rfc3339.parse(rfc3339.show(time_ns)) == time_ns


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_text_sorts_like_time(one: int, other: int) -> None:
    assert (rfc3339.show(one) < rfc3339.show(other)) == (one < other)


@given(st.text(max_size=40) | st.from_regex(r"\A\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{0,10})?[Zz]?\Z"))
def test_foreign_text_is_refused_or_means_the_same_again(text: str) -> None:
    try:
        time_ns = rfc3339.parse(text)
    except InputError:
        return
    assert rfc3339.parse(rfc3339.show(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01t00:00:00.5z", 500_000_000),
        ("1969-12-31T23:59:59.9Z", -100_000_000),
        # Two examples of RFC 3339, section 5.8.
        ("1985-04-12T23:20:50.52Z", 482196050_520_000_000),
        ("1996-12-19T16:39:57-08:00", 851042397_000_000_000),
        ("1970-01-01T01:30:00+01:30", 0),
    ],
)
def test_known_times(text: str, time_ns: int) -> None:
    assert rfc3339.parse(text) == time_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.0000000001Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60",
        "1970-01-01T00:00:00Z\n",
        "١٩٧٠-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        rfc3339.parse(text)


@pytest.mark.parametrize("time_ns", [FIRST - 1, LAST + 1, 1 << 80])
def test_times_beyond_all_years_are_not_written(time_ns: int) -> None:
    with pytest.raises(InputError):
        rfc3339.show(time_ns)
