"""When the receivers of a swarm were done, as an SVG: the share that had it, against time / optimum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.dht_plot import BLUE, GREY, INK, LETTER_WIDTH, ORANGE, Line, _legend, _step, _text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.swarm_town import Outcome, Plan

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 36, 40, 48
STYLES = ((BLUE, ""), (ORANGE, "6 4"), ("#3a9a4b", "2 3"))


def svg(curves: Mapping[str, tuple[Plan, Outcome]]) -> str:
    """Draw one curve for each town."""
    most = max(took / plan.optimum_s for plan, outcome in curves.values() for took in outcome.took_s)
    step = _step(most)
    most = step * math.ceil(most / step)

    def across(value: float) -> float:
        return LEFT + value / most * (WIDTH - LEFT - RIGHT)

    def up(share: float) -> float:
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"',
        f'  viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, TOP - 12, "Receivers that have all of it", "start", bold=True),
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path d="M{LEFT} {up(share):.1f}H{WIDTH - RIGHT}" stroke="{GREY}"/>')
        parts.append(_text(LEFT - 8, up(share) + 4, f"{share:.0%}", "end"))
    parts += [
        _text(across(step * number), HEIGHT - BOTTOM + 18, f"{step * number:g}", "middle")
        for number in range(round(most / step) + 1)
    ]
    parts.append(
        f'<path d="M{across(1):.1f} {up(0):.1f}V{up(1):.1f}" stroke="{INK}" stroke-dasharray="1 3"/>'
    )
    x: float = WIDTH - RIGHT
    for (name, (plan, outcome)), (colour, dashes) in zip(curves.items(), STYLES, strict=False):
        x -= len(name) * LETTER_WIDTH + 48
        parts += _legend(Line(name, name, colour, dashes), x, TOP - 12)
        corners = [f"M{LEFT} {up(0):.1f}"]
        for number, took in enumerate(outcome.took_s, 1):
            corners.append(f"H{across(took / plan.optimum_s):.1f}V{up(number / len(outcome.took_s)):.1f}")
        stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
        parts.append(f'<path d="{"".join(corners)}" fill="none" {stroke}/>')
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "time / the least possible", "middle"))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
