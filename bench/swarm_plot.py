"""When the receivers of a swarm were done, as an SVG: the share that had it, against time / optimum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.svg import BLUE, GREY, INK, LETTER_WIDTH, ORANGE, framed, legend, step, stroke, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.swarm_town import Outcome, Plan

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 36, 40, 48
STYLES = ((BLUE, ""), (ORANGE, "6 4"), ("#3a9a4b", "2 3"))


def svg(curves: Mapping[str, tuple[Plan, Outcome]]) -> str:
    """Draw one curve for each town."""
    most = max(took / plan.optimum_s for plan, outcome in curves.values() for took in outcome.took_s)
    tick = step(most)
    most = tick * math.ceil(most / tick)

    def across(value: float) -> float:
        return LEFT + value / most * (WIDTH - LEFT - RIGHT)

    def up(share: float) -> float:
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        text(LEFT, TOP - 12, "Receivers that have all of it", "start", bold=True),
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path d="M{LEFT} {up(share):.1f}H{WIDTH - RIGHT}" stroke="{GREY}"/>')
        parts.append(text(LEFT - 8, up(share) + 4, f"{share:.0%}", "end"))
    parts += [
        text(across(tick * number), HEIGHT - BOTTOM + 18, f"{tick * number:g}", "middle")
        for number in range(round(most / tick) + 1)
    ]
    parts.append(
        f'<path d="M{across(1):.1f} {up(0):.1f}V{up(1):.1f}" stroke="{INK}" stroke-dasharray="1 3"/>'
    )
    x: float = WIDTH - RIGHT
    for (name, (plan, outcome)), (colour, dashes) in zip(curves.items(), STYLES, strict=False):
        x -= len(name) * LETTER_WIDTH + 48
        parts += legend(name, colour, dashes, x, TOP - 12)
        corners = [f"M{LEFT} {up(0):.1f}"]
        for number, took in enumerate(outcome.took_s, 1):
            corners.append(f"H{across(took / plan.optimum_s):.1f}V{up(number / len(outcome.took_s)):.1f}")
        parts.append(f'<path d="{"".join(corners)}" fill="none" {stroke(colour, dashes)}/>')
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "time / the least possible", "middle"))
    return framed(WIDTH, HEIGHT, parts)
