"""Rates that forget."""

from __future__ import annotations

import pytest

from warren.services.files.uploads.meter import Meter


def test_an_even_flow_is_measured_and_a_flow_that_ends_is_forgotten() -> None:
    meter = Meter(span_s=2.0)
    for tick in range(400):
        meter.add(1000, tick * 0.05)
    assert meter.rate(20.0) == pytest.approx(20_000, rel=0.03)
    assert meter.rate(26.0) < 0.06 * 20_000
    assert meter.total == 400_000


def test_nothing_went_yet() -> None:
    assert Meter().rate(1e9) == 0
