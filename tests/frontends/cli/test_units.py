from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.frontends.cli import units


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234567, "1.2 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2**31, "2.1 GB"),
        (10**15, "1.0 PB"),
        (10**19, "10000.0 PB"),
    ],
)
def test_size(number: Any, text: str) -> None:
    assert units.size(number) == text


def test_rate() -> None:
    assert units.rate(3e8, 2) == "150.0 MB/s"
    assert units.rate(3e8, 0) == "-"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "under 1 ms"),
        (0.04, "40 ms"),
        (0.9996, "1.0 s"),
        (9.96, "10.0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599.6, "1 h"),
        (86_400, "1 day"),
        (93_784, "1 day 2 h"),
        (2 * 86_400, "2 days"),
    ],
)
def test_span(seconds: Any, text: str) -> None:
    assert units.span(seconds) == text


def test_count() -> None:
    assert units.count(1, "file") == "1 file"
    assert units.count(2000, "entry", "entries") == "2,000 entries"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("15m", 900), ("24h", 86_400), ("7 d", 604_800), ("1.5H", 5400), ("2w", 1_209_600)],
)
def test_parse_span(text: str, seconds: Any) -> None:
    assert units.parse_span(text) == seconds


@given(st.text(max_size=20))
def test_any_text_is_a_span_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert units.parse_span(text) > 0


@pytest.mark.parametrize("text", ["0", "0h", "-5m", "1y", "", "h"])
def test_spans_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="no span"):
        units.parse_span(text)


def test_bit_rate() -> None:
    assert units.bit_rate(30_000_000) == "240.0 Mbit/s (30.0 MB/s)"
    assert units.bit_rate(0) == "0.0 Mbit/s (0 B/s)"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("10k", 10_000),
        (" 1.5 MB ", 1_500_000),
        ("2GiB", 2 << 30),
        ("3t", 3 * 10**12),
        ("1PB", 10**15),
        ("7b", 7),
    ],
)
def test_parse_size(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "-1", "1e3", "5i", "1 m b", "٣", "9" * 25])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        units.parse_size(text)
