"""Round trips and speeds: outliers move nothing, changes are believed soon, and nothing is made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.services.peers.estimate import (
    FIGURE_OLD_S,
    SHIFT_SAMPLES,
    RoundTrips,
    speed_after_transfer,
)

seconds = st.floats(1e-6, 60.0)


def after(samples: list[float]) -> tuple[float, float]:
    trips = RoundTrips()
    for sample in samples:
        trips.add(sample)
    assert trips.rtt_s is not None
    return trips.rtt_s, trips.jitter_s or 0.0


def test_nothing_is_said_before_it_was_measured() -> None:
    trips = RoundTrips()
    assert (trips.rtt_s, trips.jitter_s) == (None, None)
    trips.add(0.1)
    assert (trips.rtt_s, trips.jitter_s) == (0.1, None)


@given(st.lists(seconds, min_size=1, max_size=60))
def test_a_round_trip_lies_among_its_samples(samples: list[float]) -> None:
    rtt_s, jitter_s = after(samples)
    assert min(samples) * 0.999999 <= rtt_s <= max(samples) * 1.000001
    assert 0 <= jitter_s <= 6 * max(samples)


@given(seconds, st.integers(2, 30), st.floats(1.0, 10_000.0))
def test_one_outlier_moves_no_round_trip(usual_s: float, before: int, factor: float) -> None:
    rtt_s, jitter_s = after([usual_s] * before + [usual_s * factor] + [usual_s] * 2)
    assert rtt_s == pytest.approx(usual_s)
    assert jitter_s <= usual_s  # a stall of seconds is no jitter of seconds


@given(seconds, seconds, st.integers(1, 200))
def test_a_path_that_changed_is_believed_soon(before_s: float, after_s: float, count: int) -> None:
    rtt_s, _ = after([before_s] * count + [after_s] * (SHIFT_SAMPLES + 1))
    assert rtt_s == pytest.approx(after_s, rel=0.15)


@given(st.floats(0.01, 1.0), st.lists(st.floats(0.85, 1.15), min_size=20, max_size=100))
def test_what_varies_a_little_is_shown_within_a_fifth(truth_s: float, noise: list[float]) -> None:
    rtt_s, jitter_s = after([truth_s * one for one in noise])
    assert rtt_s == pytest.approx(truth_s, rel=0.2)
    assert jitter_s <= truth_s * 0.35


def test_jitter_is_what_samples_vary_by() -> None:
    _, steady_s = after([0.1] * 50)
    _, shaky_s = after([0.09, 0.11] * 25)
    assert steady_s == 0
    assert shaky_s == pytest.approx(0.01, rel=0.3)


@given(st.none() | st.floats(1, 1e9), st.floats(0, 10 * FIGURE_OLD_S), st.floats(1, 1e9))
def test_a_transfer_raises_a_speed_and_lowers_it_by_little(
    known: float | None, age_s: float, sample: float
) -> None:
    speed = speed_after_transfer(known, age_s, sample)
    if known is None or sample >= known or age_s > FIGURE_OLD_S:
        assert speed == sample
    else:
        assert known * 0.87 <= speed <= known
