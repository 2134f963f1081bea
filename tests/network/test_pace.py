from __future__ import annotations

import pytest

from warren.network.pace import (
    HOG_S_PER_BYTE,
    HOG_TURN_BYTES,
    HOG_TURN_S,
    READ_BYTES_MIN,
    REST_TURNS,
    TURN_LONG_S,
    TURN_SHORT_S,
    next_read_bytes,
    rest_s,
)

MOST = 64 * READ_BYTES_MIN


@pytest.mark.parametrize(
    ("read_bytes", "turn_s", "expected"),
    [
        (MOST, TURN_LONG_S * 1.01, MOST // 2),
        (READ_BYTES_MIN, TURN_LONG_S * 10, READ_BYTES_MIN),
        (MOST // 2, TURN_SHORT_S * 0.9, MOST),
        (MOST, TURN_SHORT_S * 0.9, MOST),
        (MOST // 2, (TURN_SHORT_S + TURN_LONG_S) / 2, MOST // 2),
    ],
    ids=["long", "long but least", "short", "short but most", "between"],
)
def test_long_turns_make_the_next_smaller_and_short_ones_larger(
    read_bytes: int, turn_s: float, expected: int
) -> None:
    assert next_read_bytes(read_bytes, MOST, turn_s) == expected


@pytest.mark.parametrize(
    ("turn_s", "used", "rests"),
    [
        (HOG_TURN_S * 2, HOG_TURN_BYTES, True),
        (HOG_TURN_S / 2, HOG_TURN_BYTES, False),
        (HOG_TURN_S * 2, HOG_TURN_BYTES - 1, False),
        (HOG_TURN_S * 2, int(HOG_TURN_S * 3 / HOG_S_PER_BYTE), False),
    ],
    ids=["dear bytes", "a short turn", "few bytes", "cheap bytes"],
)
def test_who_hogs_the_loop_is_not_read_for_a_while(turn_s: float, used: int, rests: bool) -> None:
    assert rest_s(turn_s, used) == (turn_s * REST_TURNS if rests else 0.0)
