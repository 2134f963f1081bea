"""The one table: medians, ratios in the direction that is good, and what was promised."""

from __future__ import annotations

import pytest

from bench.table import Row, number, render, summarise, times_better


def test_more_is_better() -> None:
    ours, theirs = (
        Row("bulk", "warren", "MB/s", samples=[900, 1000, 1100]),
        Row("bulk", "b", "MB/s", samples=[250]),
    )
    assert times_better(ours, theirs) == 4.0


def test_less_is_better() -> None:
    ours = Row("ping", "warren", "us", better="less", samples=[80])
    assert times_better(ours, Row("ping", "b", "us", better="less", samples=[240])) == 3.0


def test_nothing_measured_has_no_ratio() -> None:
    assert times_better(Row("x", "warren", "s"), Row("x", "b", "s", samples=[1])) is None


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (99.94, "99.9"), (9.996, "10.00"), (0.0512, "0.05")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_figure_below_nothing_is_called_what_it_is() -> None:
    """Memory that the others gave back meanwhile, for one."""
    ours, theirs = Row("memory", "warren", "kB", samples=[11]), Row("memory", "js", "kB", samples=[-2.2])
    assert times_better(ours, theirs) is None
    assert "not measurable" in summarise([ours, theirs])


def test_promises_are_judged() -> None:
    rows = [
        Row("ping", "warren", "us", better="less", samples=[100, 110, 120], bound=105),
        Row("ping", "raw", "us", better="less", samples=[80], ratio_min=1 / 1.4),
        Row("ping", "js", "us", better="less", note="missing: install it"),
    ]
    lines = render(rows).splitlines()
    assert lines[2].split("|")[3:8] == [
        " 110 us              ", " 100 .. 120 ", "           ", " at most 105 us ", " NO   ",
    ]  # fmt: skip
    assert "0.73x" in lines[3]
    assert "at least 0.71x" in lines[3]
    assert lines[3].split("|")[7].strip() == "yes"
    assert "missing: install it" in lines[4]


def test_the_subject_stands_once() -> None:
    rows = [Row("ping", "warren", "us", samples=[1]), Row("ping", "raw", "us", samples=[1])]
    assert render(rows).count("ping") == 1


def test_the_summary_has_a_line_for_each_figure_and_a_column_for_each_contender() -> None:
    rows = [
        Row("ping", "warren", "us", samples=[50, 60, 70]),
        Row("ping", "js", "us", samples=[240]),
        Row("files", "warren", "s", samples=[1.5]),
        Row("files", "scp", "s", note="missing: install it"),
        Row("memory", "warren", "MB", samples=[60]),
    ]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summarise(rows).splitlines()]
    assert lines[0] == ["", "warren", "js", "scp"]
    assert lines[2:] == [["ping (us)", "60.0", "240", ""], ["files (s)", "1.50", "", "missing: install it"]]
