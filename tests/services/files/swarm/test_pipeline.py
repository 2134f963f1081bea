from __future__ import annotations

import pytest

from warren.services.files.swarm.pieces import CHUNK_BYTES
from warren.services.files.swarm.pipeline import (
    AHEAD_S,
    FIRST_ANSWER_S,
    FIRST_BYTES,
    LEAST_BYTES,
    PROBATION_ANSWERS,
    STALL_FACTOR,
    STALL_S,
    Pipeline,
)

MOST = 16 * CHUNK_BYTES


def fed(rate: float, *, round_trip_s: float = 0.05, seconds: float = 5.0) -> tuple[Pipeline, float]:
    """One that is always asked for enough and sends at this rate, and the time then."""
    pipeline, now = Pipeline(MOST), 100.0
    pipeline.on_asked(MOST, now)
    now += round_trip_s
    pipeline.on_bytes(1, now)
    while now < 100 + seconds:
        now += 0.1
        pipeline.on_bytes(int(rate * 0.1), now)
        pipeline.on_answered(int(rate * 0.1))
        pipeline.on_asked(int(rate * 0.1), now)
    return pipeline, now


def test_nothing_is_known_at_first() -> None:
    pipeline = Pipeline(MOST)
    assert (pipeline.limit_bytes, pipeline.bytes_per_s) == (FIRST_BYTES, 0)
    assert Pipeline(CHUNK_BYTES).limit_bytes == CHUNK_BYTES
    assert not pipeline.check(1000.0)


@pytest.mark.parametrize("rate", [1e4, 2e7, 1e9])
def test_as_much_is_outstanding_as_comes_in_a_round_trip_and_a_little(rate: float) -> None:
    pipeline, _ = fed(rate)
    assert pipeline.bytes_per_s == pytest.approx(rate, rel=0.05)
    wanted = rate * (2 * 0.05 + AHEAD_S)
    assert pipeline.limit_bytes == pytest.approx(min(max(wanted, LEAST_BYTES), MOST), rel=0.05)


def test_the_rate_is_of_late_and_does_not_count_idle_times() -> None:
    pipeline, now = fed(1e6)
    for _ in range(50):
        now += 0.1
        pipeline.on_bytes(500_000, now)
    assert pipeline.bytes_per_s == pytest.approx(5e6, rel=0.05)
    pipeline.on_answered(MOST)
    now += 1000
    pipeline.on_asked(CHUNK_BYTES, now)
    pipeline.on_bytes(500_000, now + 0.1)
    assert pipeline.bytes_per_s == pytest.approx(5e6, rel=0.05)


def test_silence_is_a_stall_after_a_while_and_ends_with_the_next_byte() -> None:
    pipeline, now = fed(2e7)
    assert not pipeline.check(now + STALL_S - 0.1)
    assert pipeline.check(now + STALL_S + 0.1)
    assert pipeline.is_stalled
    pipeline.on_bytes(0, now + 3)
    assert pipeline.check(now + 3)
    pipeline.on_bytes(1, now + 4)
    assert not pipeline.check(now + 4)
    assert pipeline.limit_bytes == CHUNK_BYTES  # on probation
    for _ in range(PROBATION_ANSWERS):
        pipeline.on_answered(CHUNK_BYTES)
    assert pipeline.limit_bytes > CHUNK_BYTES


def test_who_is_slow_has_longer() -> None:
    pipeline, now = fed(100_000.0, seconds=30)
    patience_s = STALL_FACTOR * (0.05 + CHUNK_BYTES / 100_000)
    assert not pipeline.check(now + 0.9 * patience_s)
    assert pipeline.check(now + 1.1 * patience_s)


def test_the_first_answer_has_its_own_time() -> None:
    pipeline = Pipeline(MOST)
    pipeline.on_asked(1, 0.0)
    assert not pipeline.check(FIRST_ANSWER_S - 0.1)
    assert pipeline.check(FIRST_ANSWER_S)


def test_a_broken_line_is_no_stall() -> None:
    pipeline, now = fed(2e7)
    pipeline.check(now + 10)
    pipeline.on_lost()
    assert not pipeline.is_stalled
    assert not pipeline.check(now + 20)
    assert pipeline.round_trip_s == 0
