"""Tests of several processes share the machine, but with one that is alone."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

import pytest

from tests.support import require
from tests.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HANGS_S = 30


@pytest.fixture
def turn(tmp_path: Path) -> Callable[[bool], Turn]:
    """Makes turns of a room of their own; flock tells openings apart, so threads do for processes."""
    require(sys.platform != "win32", "flock")
    gate, room = tmp_path / "gate", tmp_path / "room"
    gate.touch()
    room.touch()
    return lambda alone: Turn(alone=alone, gate=gate, room=room)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def test_many_share(turn: Callable[[bool], Turn]) -> None:
    with turn(False), turn(False), turn(False):
        pass


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_alone_is_alone(
    turn: Callable[[bool], Turn], pool: ThreadPoolExecutor, first: bool, second: bool
) -> None:
    inside = Event()

    def come_in() -> None:
        with turn(second):
            inside.set()

    with turn(first):
        later = pool.submit(come_in)
        assert not inside.wait(0.05)
    later.result(HANGS_S)
    assert inside.is_set()


def test_nobody_slips_past_who_waits_to_be_alone(
    turn: Callable[[bool], Turn], pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    import fcntl

    order = []

    def come_in(alone: bool) -> None:
        with turn(alone):
            order.append(alone)

    with ExitStack() as stack:
        stack.enter_context(turn(False))
        waiting = pool.submit(come_in, True)
        gate = stack.enter_context((tmp_path / "gate").open("rb"))
        while True:  # until it has shut the gate
            try:
                fcntl.flock(gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                break
            fcntl.flock(gate, fcntl.LOCK_UN)
        late = [pool.submit(come_in, False) for _ in range(2)]
        assert not order
    for each in (waiting, *late):
        each.result(HANGS_S)
    assert order == [True, False, False]
