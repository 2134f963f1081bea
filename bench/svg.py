"""What the plots have in common: their frame, their texts, their legends, where their ticks are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BLUE, ORANGE, GREY, INK = "#1f6fb4", "#d9730d", "#d0d0d0", "#333333"
TICKS_MAX = 5
LETTER_WIDTH = 6.4


def framed(width: int, height: int, parts: Iterable[str]) -> str:
    """A whole picture of these parts, on white."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"',
        f'  viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text(x: float, y: float, words: str, anchor: str, *, bold: bool = False) -> str:
    """Words at a place; `anchor` says which end of them, as SVG does."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{words}</text>'


def stroke(colour: str, dashes: str) -> str:
    """How a curve is drawn."""
    return f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'


def legend(title: str, colour: str, dashes: str, x: float, y: float) -> list[str]:
    """A piece of a curve, and what it is called."""
    return [f'<path d="M{x:.0f} {y - 4:.0f}h22" {stroke(colour, dashes)}/>', text(x + 28, y, title, "start")]


def step(most: float) -> float:
    """A round distance between ticks: 1, 2 or 5 times a power of ten, so that there are few."""
    least = max(most, 1e-9) / TICKS_MAX
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
