"""What is found by how many messages, as an SVG: one curve for each third, and the flood's beside it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from bench.svg import BLUE, GREY, ORANGE, framed, stroke, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.overlay import Row

    Curve = Sequence[tuple[int, Sequence[tuple[int, int]]]]

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 30, 50, 50
LOW, HIGH = 10, 10_000
STEPS = 60
GREEN = "#2a8f4e"
COLOURS = {"popular": BLUE, "middle": ORANGE, "single": GREEN}


class Point(NamedTuple):
    """Recall once so many messages were sent."""

    messages: float
    recall: float


def svg(rows: Sequence[Row]) -> str:
    """Draw rows of thirds; those of one third are taken together."""
    parts: list[str] = []
    for percent in range(0, 101, 20):
        y = _up(percent / 100)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GREY}"/>')
        parts.append(text(LEFT - 8, y + 4, f"{percent} %", "end"))
    ticks = [10**power for power in range(1, 5)]
    parts += [text(_across(one), HEIGHT - BOTTOM + 18, f"{one:,}", "middle") for one in ticks]
    x = float(LEFT)
    for third, colour in COLOURS.items():
        chosen = [row for row in rows if row.third == third]
        if not chosen:
            continue
        own = recall_by_messages([one for row in chosen for one in row.curves])
        flood = recall_by_messages([one for row in chosen for one in row.flood_curves])
        parts += [_path(own, colour, ""), _path(flood, colour, "3 5")]
        parts.append(f'<path d="M{x:.0f} 22h22" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(x + 28, 26, third, "start"))
        x += 120
    parts.append(text(x, 26, "dotted: a flood", "start"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "messages of a search", "middle"))
    return framed(WIDTH, HEIGHT, parts)


def recall_by_messages(curves: Curve) -> list[Point]:
    """The mean recall of all curves at each of some numbers of messages."""
    points = []
    for step in range(STEPS + 1):
        messages = LOW * (HIGH / LOW) ** (step / STEPS)
        recalls = [
            min(max((hits for sent, hits in curve if sent <= messages), default=0), of) / of
            for of, curve in curves
        ]
        points.append(Point(messages, sum(recalls) / len(recalls)))
    return points


def _across(messages: float) -> float:
    part = math.log(messages / LOW) / math.log(HIGH / LOW)
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _up(recall: float) -> float:
    return HEIGHT - BOTTOM - recall * (HEIGHT - TOP - BOTTOM)


def _path(points: Sequence[Point], colour: str, dashes: str) -> str:
    path = "L".join(f"{_across(one.messages):.1f} {_up(one.recall):.1f}" for one in points)
    return f'<path d="M{path}" fill="none" {stroke(colour, dashes)}/>'
