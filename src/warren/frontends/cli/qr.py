"""A QR code in a terminal: two modules a character, dark on light whatever the terminal's colours are."""

from __future__ import annotations

from collections.abc import Iterator

QUIET_MODULES = 2
_HALVES = {(0, 0): " ", (0, 1): "▄", (1, 0): "▀", (1, 1): "█"}
# Black on bright white, so that scanners find it on dark terminals, too.
_ON, _OFF = "\x1b[30;107m", "\x1b[0m"


def lines_of(text: str) -> Iterator[str]:
    """The lines to print. Capitals, digits and hyphens make the smallest code."""
    import segno

    rows = [list(row) for row in segno.make(text, micro=False, error="m").matrix_iter(border=QUIET_MODULES)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield _ON + "".join(_HALVES[bool(a), bool(b)] for a, b in zip(upper, lower, strict=True)) + _OFF
