"""How look-ups grow with the network, as an SVG: hops above, requests below, against the log of the size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.svg import BLUE, GREY, LETTER_WIDTH, ORANGE, framed, legend, step, stroke, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH, HEIGHT = 640, 520
LEFT, RIGHT, TOP, GAP, BOTTOM = 60, 36, 40, 56, 48
PANEL_HEIGHT = (HEIGHT - TOP - GAP - BOTTOM) / 2


class Line(NamedTuple):
    """One curve of a panel."""

    title: str
    column: str
    colour: str
    dashes: str = ""


HOPS = (Line("median", "hops_median", BLUE), Line("99th percentile", "hops_p99", ORANGE, "6 4"))
REQUESTS = (
    Line("requests of a look-up", "requests_mean", BLUE),
    Line("upkeep of a node in a minute", "upkeep_requests", ORANGE, "6 4"),
)


def svg(rows: Sequence[dict[str, Any]]) -> str:
    """Draw the rows of towns at rest; each size once, the last row of it."""
    by_size = {row["nodes"]: row for row in rows if row["churn_minutes"] is None and not row["liars"]}
    points = [by_size[size] for size in sorted(by_size)]
    sizes = [row["nodes"] for row in points]
    low, high = math.log10(min(sizes)), math.log10(max(sizes))

    def across(size: float) -> float:
        part = (math.log10(size) - low) / (high - low) if high > low else 0.5
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    parts = [
        *_panel("Hops", HOPS, points, across, TOP),
        *_panel("Messages", REQUESTS, points, across, TOP + PANEL_HEIGHT + GAP),
        *(text(across(size), HEIGHT - BOTTOM + 18, f"{size:,}", "middle") for size in sizes),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "nodes in the network", "middle"),
    ]
    return framed(WIDTH, HEIGHT, parts)


def _panel(
    title: str,
    lines: Sequence[Line],
    rows: Sequence[dict[str, Any]],
    across: Callable[[float], float],
    top: float,
) -> list[str]:
    highest = max(float(row[line.column]) for line in lines for row in rows)
    tick = step(highest)
    most = tick * max(math.ceil(highest / tick), 1)
    bottom = top + PANEL_HEIGHT

    def up(value: float) -> float:
        return bottom - value / most * PANEL_HEIGHT

    parts = [text(LEFT, top - 12, title, "start", bold=True)]
    for number in range(round(most / tick) + 1):
        y = up(number * tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GREY}"/>')
        parts.append(text(LEFT - 8, y + 4, f"{number * tick:g}", "end"))
    x: float = WIDTH - RIGHT
    for line in reversed(lines):
        parts += _curve(line, [(across(row["nodes"]), up(row[line.column])) for row in rows])
        x -= len(line.title) * LETTER_WIDTH + 48
        parts += legend(line.title, line.colour, line.dashes, x, top - 12)
    return parts


def _curve(line: Line, points: Sequence[tuple[float, float]]) -> list[str]:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.colour}"/>' for x, y in points]
    return [f'<path d="M{path}" fill="none" {stroke(line.colour, line.dashes)}/>', *dots]
