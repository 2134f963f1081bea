"""Which round trips are new, and which figures are worth a write."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from warren.core.keys import PrivateKey
from warren.services.peers.latencies import AWAY_MAX, BUSY_BYTES_PER_S, NOTED_AGAIN_S, Latencies

ANNA = PrivateKey.from_seed(b"a" * 32).peer_id


@dataclass
class Way:
    rtt_s: float | None
    rtt_at: float | None
    bytes_in: int = 0
    bytes_out: int = 0


def test_a_round_trip_is_taken_once_and_that_of_the_handshake_never() -> None:
    latencies = Latencies()
    way = Way(0.5, None)
    assert latencies.look(ANNA, [way], 0) is None
    way.rtt_s, way.rtt_at = 0.1, 5
    assert latencies.look(ANNA, [way], 10) == (0.1, None)
    way.rtt_s = 0.4  # nothing was measured since
    assert latencies.look(ANNA, [way], 20) is None
    way.rtt_at = 25
    assert latencies.look(ANNA, [way], 30) is None  # the lesser of two: nothing changed that people would see


def test_of_several_ways_the_shortest_counts() -> None:
    relayed, direct = Way(0.3, 1), Way(0.02, 1)
    assert Latencies().look(ANNA, [relayed, direct, Way(None, None)], 2) == (0.02, None)


def test_a_busy_link_tells_of_its_queue_and_is_asked_again_when_it_is_idle() -> None:
    latencies, way = Latencies(), Way(0.04, 1)
    assert latencies.look(ANNA, [way], 2) == (0.04, None)
    for at in range(4, 60, 2):
        way.rtt_s, way.rtt_at, way.bytes_in = 0.24, at - 1, at * BUSY_BYTES_PER_S * 2
        assert latencies.look(ANNA, [way], at) is None
        assert latencies.is_fresh(ANNA)
    for at in range(60, 66, 2):
        way.rtt_s, way.rtt_at = 0.05, at - 1
        latencies.look(ANNA, [way], at)
    assert not latencies.is_fresh(ANNA)
    assert latencies.add(ANNA, 0.05)[0] == pytest.approx(0.05, rel=0.1)


def test_a_link_that_is_always_busy_has_a_figure_too_and_one_that_never_answers_is_left_alone() -> None:
    latencies, way, noted = Latencies(), Way(None, None), []
    for at in range(0, 200, 2):
        assert latencies.look(ANNA, [way], at) is None
    assert not latencies.is_fresh(ANNA)
    for at in range(200, 5000, 60):
        way.rtt_s, way.rtt_at, way.bytes_out = 0.24, at - 1, at * BUSY_BYTES_PER_S * 2
        noted += [at] if latencies.look(ANNA, [way], at) else []
    assert 5 <= len(noted) <= 10


def test_a_steady_figure_is_written_now_and_then_alone() -> None:
    latencies, noted = Latencies(), []
    for at in range(0, 3600, 60):
        figure = latencies.look(ANNA, [Way(0.1 + at % 2 * 0.001, at + 1)], at + 2)
        noted += [at] if figure else []
    assert noted == [at for at in range(3600) if at % NOTED_AGAIN_S == 0]
    changed = [latencies.look(ANNA, [Way(0.2, 4000 + at)], 4000 + at) for at in range(6)]
    assert changed[-1] == (0.2, 0.0) or any(one and one[0] == 0.2 for one in changed)


def test_what_was_measured_of_the_absent_is_bounded_and_goes_on_when_they_come() -> None:
    latencies = Latencies()
    assert latencies.add(ANNA, 0.1) == (0.1, None)
    assert latencies.add(ANNA, 0.1) == (0.1, 0.0)
    assert latencies.look(ANNA, [Way(0.1, 1)], 2) == (0.1, 0.0)
    latencies.leave(ANNA)
    assert latencies.add(ANNA, 0.1) == (0.1, 0.0)
    for number in range(AWAY_MAX + 10):
        latencies.add(PrivateKey.from_seed(number.to_bytes(32, "big")).peer_id, 0.1)
    assert len(latencies._away) == AWAY_MAX
    latencies.leave(ANNA)
    assert latencies.add(ANNA, 0.7) == (0.7, None)  # forgotten meanwhile
