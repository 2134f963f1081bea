"""How much of a link is read in one turn of the loop, so that it is shared: a pure machine.

In: how long each turn took and what it used.  Out: how many bytes to read next, and when to read none.
"""

from __future__ import annotations

from typing import Final

READ_BYTES_MIN: Final = 1024
TURN_LONG_S: Final = 0.0005
"""A read that took longer to handle makes the next smaller: a flood of tiny frames cannot hog the loop."""
TURN_SHORT_S: Final = 0.0002
HOG_TURN_S: Final = 0.002
HOG_TURN_BYTES: Final = 4096
HOG_S_PER_BYTE: Final = 50e-9
"""A turn as long as this over so many bytes, each of which cost so much: a message stuffed with tiny frames,
which cannot be cut into several turns."""
REST_TURNS: Final = 3
"""Such a peer is then not read for as many times the length of its turn: most of the loop is for others."""


def next_read_bytes(read_bytes: int, most: int, turn_s: float) -> int:
    """What to read after a turn of `turn_s` seconds that read up to `read_bytes`."""
    if turn_s > TURN_LONG_S:
        return max(read_bytes // 2, READ_BYTES_MIN)
    if turn_s < TURN_SHORT_S and read_bytes < most:
        return read_bytes * 2
    return read_bytes


def rest_s(turn_s: float, used: int) -> float:
    """For how many seconds to read nothing after a turn of `turn_s` that used so many bytes."""
    hogged = turn_s > HOG_TURN_S and used >= HOG_TURN_BYTES and turn_s > used * HOG_S_PER_BYTE
    return turn_s * REST_TURNS if hogged else 0.0
