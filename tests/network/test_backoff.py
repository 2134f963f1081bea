from __future__ import annotations

from warren.core.multiaddr import Multiaddr
from warren.network.backoff import Backoff

A = Multiaddr.tcp("10.0.0.1", 1)
B = Multiaddr.tcp("10.0.0.2", 1)
C = Multiaddr.tcp("10.0.0.3", 1)


def test_an_address_that_never_failed_may_be_dialled_at_once() -> None:
    assert Backoff(5, 300, 10).wait_s(A, 0.0) == 0


def test_the_wait_doubles_with_every_failure_up_to_its_most() -> None:
    backoff, now, waits = Backoff(5, 60, 10), 0.0, []
    for _ in range(6):
        backoff.on_failure(A, now)
        waits.append(backoff.wait_s(A, now))
        now += waits[-1]
        assert backoff.wait_s(A, now) == 0
    assert waits == [5, 10, 20, 40, 60, 60]
    assert backoff.wait_s(B, 0.0) == 0


def test_the_wait_runs_down() -> None:
    backoff = Backoff(5, 60, 10)
    backoff.on_failure(A, 100.0)
    assert backoff.wait_s(A, 103.0) == 2
    assert backoff.wait_s(A, 200.0) == 0


def test_a_success_forgets() -> None:
    backoff = Backoff(5, 60, 10)
    backoff.on_failure(A, 0.0)
    backoff.on_failure(A, 0.0)
    backoff.on_success(A)
    backoff.on_success(B)
    assert backoff.wait_s(A, 0.0) == 0
    backoff.on_failure(A, 0.0)
    assert backoff.wait_s(A, 0.0) == 5


def test_memory_is_bounded_and_the_oldest_failure_goes_first() -> None:
    backoff = Backoff(5, 60, 2)
    backoff.on_failure(A, 0.0)
    backoff.on_failure(B, 0.0)
    backoff.on_failure(A, 0.0)
    backoff.on_failure(C, 0.0)
    assert backoff.wait_s(B, 0.0) == 0
    assert backoff.wait_s(A, 0.0) == 10
    assert backoff.wait_s(C, 0.0) == 5
    assert len(backoff._entries) == 2
