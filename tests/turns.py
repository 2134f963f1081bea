"""`Turn`: how tests of several processes share a machine, so that those that measure have it for themselves.

In:  whether a test must run alone. Out: a block that begins when it may.

Any number of tests that share run at a time, or one that is alone. Each comes through a gate: who waits to
be alone keeps it shut, so that nobody slips past and lets it wait for ever. The locks are flock's, on files
of the checkout that nothing else locks; the system opens them when a process dies.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from types import TracebackType

GATE = Path(__file__)
ROOM = Path(__file__).with_name("conftest.py")


class Turn:
    """One turn on this machine, from entry to exit."""

    def __init__(self, *, alone: bool, gate: Path = GATE, room: Path = ROOM) -> None:
        self._alone = alone
        self._gate = gate
        self._room = room
        self._held: BinaryIO | None = None

    def __enter__(self) -> Self:
        if sys.platform == "win32":  # no flock: one process runs all tests there
            return self
        import fcntl

        with self._gate.open("rb") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            room = self._room.open("rb")
            fcntl.flock(room, fcntl.LOCK_EX if self._alone else fcntl.LOCK_SH)
        self._held = room
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            import fcntl

            fcntl.flock(self._held, fcntl.LOCK_UN)  # also where a child of this process has a copy of it
            self._held.close()
