from __future__ import annotations

from typing import Any

from warren.network.overdue import OverdueStreams


class Waiting:
    def __init__(self) -> None:
        self.unsent_bytes = 0


def look(machine: OverdueStreams, now: float, *streams: Any) -> list[Any]:
    return list(machine.look(streams, now))


def test_a_stream_is_overdue_after_the_limit_and_not_before() -> None:
    machine, stream = OverdueStreams(20.0), Waiting()
    assert look(machine, 0.0, stream) == []
    assert look(machine, 19.9, stream) == []
    assert look(machine, 20.0, stream) == [stream]
    assert look(machine, 20.1, stream) == [], "it was told once, and counts from the beginning"


def test_looks_in_quick_succession_hurry_nobody() -> None:
    machine, stream = OverdueStreams(20.0), Waiting()
    assert [look(machine, n / 10, stream) for n in range(100)] == [[]] * 100


def test_a_stream_that_no_longer_waits_is_forgotten() -> None:
    machine, stream = OverdueStreams(20.0), Waiting()
    look(machine, 0.0, stream)
    look(machine, 10.0)
    assert look(machine, 21.0, stream) == []


def test_while_the_peer_takes_what_is_unsent_the_stream_has_time() -> None:
    machine, stream = OverdueStreams(20.0), Waiting()
    for now in range(0, 100, 10):
        stream.unsent_bytes = 1000 - now
        assert look(machine, float(now), stream) == []
    assert look(machine, 109.0, stream) == []
    assert look(machine, 110.0, stream) == [stream]
