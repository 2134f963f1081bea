"""Rows of medians, each beside what it is compared with and what was promised; and the short form of them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADINGS = ("what", "who", "median", "from .. to", "Warren is", "promised", "kept")


@dataclass(slots=True)
class Row:
    """One figure of one contender.

    `samples` are in `unit`; none with a `note` means that it was not measured, and why. `better` says which
    way is good. `ratio_min` is the promise against this contender: Warren at least so many times better;
    `bound` is the promise for Warren's own figure.
    """

    what: str
    who: str
    unit: str
    better: str = "more"
    samples: list[float] = field(default_factory=list)
    note: str = ""
    ratio_min: float | None = None
    bound: float | None = None

    @property
    def median(self) -> float | None:
        return statistics.median(self.samples) if self.samples else None


def times_better(ours: Row, theirs: Row) -> float | None:
    """How many times better the figure of `ours` is; below 1 when it is worse."""
    if not ours.median or not theirs.median or min(ours.median, theirs.median) < 0:
        return None
    return ours.median / theirs.median if ours.better == "more" else theirs.median / ours.median


def number(value: float) -> str:
    """Three significant digits, thousands grouped. What is not above nothing was lost in the noise."""
    if value <= 0:
        return "not measurable"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cells(row: Row, ours: Row | None) -> tuple[str, ...]:
    if row.median is None:
        return (row.what, row.who, row.note or "not measured", "", "", "", "")
    spread = f"{number(min(row.samples))} .. {number(max(row.samples))}" if len(row.samples) > 1 else ""
    promised = kept = ratio = ""
    if row.bound is not None:
        promised = f"{'at least' if row.better == 'more' else 'at most'} {number(row.bound)} {row.unit}"
        kept = _yes(row.median >= row.bound if row.better == "more" else row.median <= row.bound)
    if ours is not None and row is not ours and (times := times_better(ours, row)) is not None:
        ratio = f"{number(times)}x"
        if row.ratio_min is not None:
            promised, kept = f"at least {number(row.ratio_min)}x", _yes(times >= row.ratio_min)
    median = f"{number(row.median)} {row.unit}" + (f" ({row.note})" if row.note else "")
    return (row.what, row.who, median, spread, ratio, promised, kept)


def _yes(kept: bool) -> str:
    return "yes" if kept else "NO"


def summarise(rows: Sequence[Row]) -> str:
    """One line a figure and one column a contender, with Warren's first: the README's table."""
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        unit = "connections a second" if row.unit == "a second" else row.unit
        cells = lines.setdefault(f"{row.what} ({unit})", {})
        cells[row.who] = number(row.median) if row.median is not None else row.note or "-"
    shared = {what: cells for what, cells in lines.items() if len(cells) > 1}
    columns = list(dict.fromkeys(who for cells in shared.values() for who in cells))
    table = [("", *columns)]
    table += [(what, *(cells.get(who, "") for who in columns)) for what, cells in shared.items()]
    return _draw(table)


def render(rows: Sequence[Row]) -> str:
    """The table in Markdown, padded so that it also reads well in a terminal."""
    lines: list[tuple[str, ...]] = [HEADINGS]
    previous = ""
    for row in rows:
        ours = next((other for other in rows if other.what == row.what and other.who == "warren"), None)
        cells = _cells(row, ours)
        lines.append(("" if cells[0] == previous else cells[0], *cells[1:]))
        previous = cells[0]
    return _draw(lines)


def _draw(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)
