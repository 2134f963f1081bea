"""The gate: who waits goes on while it is open, and at no other time."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from warren.runtime.gate import Gate

LONG_S = 10.0
SHORT_S = 0.05


class Passing:
    """A thread that goes through a gate once."""

    def __init__(self, gate: Gate) -> None:
        self.begun = Event()
        self.passed = Event()
        self._gate = gate
        self._thread = Thread(target=self._pass)
        self._thread.start()
        assert self.begun.wait(LONG_S)

    def _pass(self) -> None:
        self.begun.set()
        self._gate.wait()
        self.passed.set()

    def end(self) -> None:
        self._thread.join(LONG_S)
        assert not self._thread.is_alive()


def test_it_is_open_at_first() -> None:
    Gate().wait()


def test_nobody_passes_while_it_is_closed() -> None:
    gate = Gate()
    with gate.closed():
        passing = Passing(gate)
        assert not passing.passed.wait(SHORT_S)
    assert passing.passed.wait(LONG_S)
    passing.end()


def test_one_passes_while_it_is_opened_for_a_call_and_the_next_waits() -> None:
    gate = Gate()
    with gate.closed():
        with gate.opened():
            first = Passing(gate)
            assert first.passed.wait(LONG_S)
        second = Passing(gate)
        assert not second.passed.wait(SHORT_S)
    first.end()
    second.end()


def test_it_is_open_again_after_an_error() -> None:
    gate = Gate()
    with pytest.raises(LookupError), gate.closed(), gate.opened():
        raise LookupError
    gate.wait()
